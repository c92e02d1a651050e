//! What calls cost in memory, measured by an allocator that counts.

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zero_pool::ZeroPool;

use super::counting::{allocations, live, most};
use super::support::{Signal, alone, deadline, here, occupy};

/// How many calls are measured.
const CALLS: usize = 20_000;

/// How many bytes may be held back: nodes that are unused, or retired and not reclaimed yet.
const HELD_BACK: isize = 1 << 20;

/// Fails if a call allocates more than `expected` times, once the pool is warm, or leaves something. A thread that is taken off
/// its processor while it is pinned holds nodes up, so that some are made meanwhile; and what is retired is
/// freed in bags of 64, each of which is an allocation, and a list may grow now and then.
#[track_caller]
fn assert_allocations(name: &str, expected: usize, mut call: impl FnMut()) {
    for _ in 0..CALLS {
        call();
    }
    let (before, live_before) = (allocations(), live());
    for _ in 0..CALLS {
        call();
    }
    let each = (allocations() - before) as f64 / CALLS as f64;
    println!("{each:.3} allocations in {name}");
    assert!(each <= expected as f64 + 0.1, "{each} allocations in {name}, and not {expected}");
    let left = live() - live_before;
    assert!(left < HELD_BACK, "{left} bytes are left of {CALLS} calls of {name}");
}

fn use_up<T>(value: T) {
    black_box(value);
}

#[test]
fn calls_allocate_nothing_but_what_they_return() {
    deadline!();
    alone(here!(), || {
        let items = [1_u64; 100];
        let mut out = [0; 100];
        let mut changed = [0; 100];
        for workers in [1, 2] {
            let pool = ZeroPool::with_workers(workers);
            let title = |name| format!("{name}, {workers} workers");
            assert_allocations(&title("for_each"), 0, || pool.for_each(&items, use_up));
            assert_allocations(&title("for_each_mut"), 0, || pool.for_each_mut(&mut changed, |n| *n += 1));
            assert_allocations(&title("for_each_index"), 0, || {
                pool.for_each_index(0..100, use_up);
            });
            assert_allocations(&title("map_into"), 0, || pool.map_into(&items, &mut out, |n| n + 1));
            assert_allocations(&title("map"), 1, || drop(pool.map(&items, |n| n + 1)));
            assert_allocations(&title("join"), 0, || use_up(pool.join(|| 1, || 2)));
            assert_allocations(&title("one item"), 0, || pool.for_each(&items[..1], use_up));
        }
    });
}

#[test]
fn spawns_allocate_a_result_and_a_large_closure() {
    deadline!();
    alone(here!(), || {
        let pool = ZeroPool::with_workers(2);
        let (small, large) = ([1_usize; 4], [1_usize; 100]);
        assert_allocations("a scope without tasks", 0, || pool.scope(|_| ()));
        assert_allocations("scope.spawn, small", 0, || {
            pool.scope(|scope| scope.spawn(move || use_up(small)));
        });
        assert_allocations("scope.spawn, large", 1, || {
            pool.scope(|scope| scope.spawn(move || use_up(large)));
        });
        assert_allocations("spawn, small", 1, || {
            assert_eq!(pool.spawn(move || small).join().unwrap(), small)
        });
        assert_allocations("spawn, large", 1, || {
            assert_eq!(pool.spawn(move || large).join().unwrap(), large)
        });
    });
}

/// Spawns short closures in waves, so that no more than a thousand are queued at a time.
fn spawn_short_ones(pool: &ZeroPool, waves: usize) {
    for _ in 0..waves {
        for _ in 1..1_000 {
            drop(pool.spawn(|| ()));
        }
        let last = pool.spawn(|| ());
        while !last.is_finished() {
            thread::yield_now();
        }
    }
}

/// A closure that was begun is out of the queue, however long it takes.
#[test]
fn a_long_closure_keeps_no_short_ones_in_memory() {
    deadline!();
    alone(here!(), || {
        let (begun, go) = (Signal::default(), Signal::default());
        let pool = ZeroPool::with_workers(2);
        spawn_short_ones(&pool, 10);
        pool.scope(|scope| {
            scope.spawn(|| {
                begun.give();
                go.wait();
            });
            begun.wait();
            let before = live();
            most();
            spawn_short_ones(&pool, 1_000);
            let most = most() - before;
            println!("{most} bytes at the most beside a million short closures");
            assert!(most < 4 << 20, "{most} bytes at the most beside a million short closures");
            go.give();
        });
    });
}

/// More workers than processors: some of them lose theirs while they are pinned, and nothing is reclaimed for as long.
#[test]
fn n6_an_idle_pool_keeps_little_of_a_burst() {
    deadline!();
    alone(here!(), || {
        const BURST: usize = 100_000;
        let pool = ZeroPool::with_workers(7);
        let before = live();
        let busy = occupy(&pool);
        (0..BURST).for_each(|_| drop(pool.spawn(|| ())));
        let queued = live() - before;
        assert!(queued > 12 << 20, "{queued} bytes of closures that nobody has begun");
        drop(busy);
        let left = || live() - before;
        let start = Instant::now();
        while left() > 4 << 20 && start.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(left() <= 4 << 20, "N6: {} bytes are left of {queued}", left());
    });
}

/// A loop that has all the threads it may have is out of the queue, although calls of it have not begun.
#[test]
fn a_long_loop_keeps_no_nodes_behind_it() {
    deadline!();
    alone(here!(), || {
        let (begun, go) = (Signal::default(), Signal::default());
        let pool = ZeroPool::with_workers(2);
        spawn_short_ones(&pool, 10);
        thread::scope(|threads| {
            // The caller and one worker each wait inside of the first task that they have claimed.
            threads.spawn(|| {
                pool.for_each_index(0..100, |_| {
                    begun.give();
                    go.wait();
                });
            });
            begun.wait();
            let (before, start) = (live(), Instant::now());
            most();
            spawn_short_ones(&pool, 200);
            let most = most() - before;
            println!(
                "{most} bytes at the most behind a long loop, {:?} for 200,000 closures",
                start.elapsed()
            );
            assert!(most < 4 << 20, "{most} bytes at the most behind a long loop");
            go.give();
        });
    });
}

/// While all workers are busy, what callers run by themselves stays behind what waits for a worker: a few nodes of it.
#[test]
fn loops_beside_busy_workers_pile_nothing_up() {
    deadline!();
    alone(here!(), || {
        let pool = ZeroPool::with_workers(2);
        spawn_short_ones(&pool, 10);
        let busy = occupy(&pool);
        let waiting = pool.spawn(|| ());
        let call = || pool.for_each_index(0..2, |_| spin(Duration::from_micros(6)));
        (0..100).for_each(|_| call());
        let before = live();
        most();
        (0..3_000).for_each(|_| call());
        let most = most() - before;
        println!("{most} bytes at the most for 3000 loops behind a closure that waits for a worker");
        assert!(most < 64 << 10, "{most} bytes at the most for 3000 loops");
        drop(busy);
        waiting.join().expect("it does nothing");
    });
}

/// A loop that meets a crowd begins on its caller's thread, and is shared when the crowd has gone.
#[test]
fn a_loop_that_met_a_crowd_is_shared_later() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    let busy = Mutex::new(Some(occupy(&pool)));
    (0..1_000).for_each(|_| drop(pool.spawn(|| ())));
    let threads = Mutex::new(HashSet::new());
    let threads = || threads.lock().expect("nobody panics under the lock");
    pool.for_each_index(0..2_000, |_| {
        drop(busy.lock().expect("nobody panics under the lock").take());
        if threads().len() < 2 {
            threads().insert(thread::current().id());
            thread::sleep(Duration::from_millis(1));
        }
    });
    assert_eq!(threads().len(), 2, "the loop stayed with its caller");
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// A closure that was cheap so far runs where it is called, and is shared again soon after it has become costly.
#[test]
fn a_loop_that_grows_dear_is_shared() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    let (dear, threads) = (AtomicBool::new(false), Mutex::new(HashSet::new()));
    let call = || {
        pool.for_each_index(0..4, |_| {
            if dear.load(Ordering::Relaxed) {
                threads.lock().expect("nobody panics under the lock").insert(thread::current().id());
                thread::sleep(Duration::from_millis(1));
            }
        });
        std::mem::take(&mut *threads.lock().expect("nobody panics under the lock")).len()
    };
    (0..1_000).for_each(|_| assert_eq!(call(), 0));
    dear.store(true, Ordering::Relaxed);
    assert!((0..200).any(|_| call() > 1), "a costly loop stays with its caller");
}

/// Ends when two have begun, which tasks of one batch do only if they are claimed one by one.
fn meet(met: &&AtomicUsize) {
    met.fetch_add(1, Ordering::Relaxed);
    let start = Instant::now();
    while met.load(Ordering::Relaxed) < 2 {
        assert!(start.elapsed() < Duration::from_secs(10), "both tasks were claimed at once");
        thread::yield_now();
    }
}

/// What is known of one task function is not believed of another for the same parameters, by its type or by a pointer.
#[test]
fn k3_a_function_does_not_inherit_the_cost_of_another() {
    fn cheap(_: &&AtomicUsize) {}
    deadline!();
    let pool = ZeroPool::with_workers(2);
    let met = AtomicUsize::new(0);
    let pair = [&met; 2];
    (0..1_000).for_each(|_| pool.submit_batch_uniform(cheap, &pair).wait());
    pool.submit_batch_uniform(meet, &pair).wait();
    assert_eq!(met.swap(0, Ordering::Relaxed), 2);

    let [cheap, meet]: [fn(&&AtomicUsize); 2] = [cheap, meet];
    (0..1_000).for_each(|_| pool.submit_batch_uniform(cheap, &pair).wait());
    pool.submit_batch_uniform(meet, &pair).wait();
    assert_eq!(met.load(Ordering::Relaxed), 2);
}

/// A scope keeps the nodes of its tasks to its end.
#[test]
fn a_scope_keeps_the_nodes_of_its_tasks() {
    deadline!();
    alone(here!(), || {
        const TASKS: isize = 20_000;
        let pool = ZeroPool::with_workers(2);
        pool.scope(|scope| scope.spawn(|| ()));
        let before = live();
        pool.scope(|scope| {
            (0..TASKS).for_each(|_| scope.spawn(|| ()));
            let each = (live() - before) / TASKS;
            println!("{each} bytes per task of a scope");
            assert!(each < 400, "{each} bytes for each task");
        });
        spawn_short_ones(&pool, 10);
        let left = live() - before;
        assert!(left < 1 << 20, "{left} bytes are left when the scope has ended");
    });
}
