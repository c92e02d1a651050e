//! Waits that must end, whoever else waits, whatever is held meanwhile, and however often others wake the waiter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use proptests::watchdog::watch;
use zero_pool::{TaskFuture, ZeroPool};

use super::{DEADLINE, Gate, Signal, message};

/// A wait that sleeps would use up the token that we leave to ourselves.
#[test]
fn l5_a_timed_wait_of_no_time_never_sleeps() {
    let _watchdog = watch("waits::l5_a_timed_wait_of_no_time_never_sleeps", DEADLINE);
    const LONG: Duration = Duration::from_secs(20);
    let pool = ZeroPool::with_workers(1);
    let go = Signal::new();
    let future = pool.submit_task(Signal::wait, &go);
    let _latest = go.at_the_latest();
    thread::current().unpark();
    for _ in 0..1_000 {
        assert!(!future.wait_timeout(Duration::ZERO));
    }
    let start = Instant::now();
    thread::park_timeout(LONG);
    assert!(start.elapsed() < LONG / 2, "the token was used up");
    go.give();
    future.wait();
}

#[test]
fn l5_a_timed_wait_may_be_as_long_as_time() {
    let _watchdog = watch("waits::l5_a_timed_wait_may_be_as_long_as_time", DEADLINE);
    let pool = ZeroPool::with_workers(1);
    for longest in [Duration::MAX, Duration::from_secs(u64::MAX / 4), Duration::from_secs(i64::MAX as u64)] {
        let gate = Gate::new();
        let future = pool.submit_task(Gate::run, &gate);
        gate.begun.wait();
        thread::scope(|threads| {
            let _latest = gate.go.at_the_latest();
            threads.spawn(|| assert!(future.wait_timeout(longest)));
            assert!(!future.wait_timeout(Duration::from_millis(2)));
        });
    }
}

/// Some wait in earnest, some with a time, and some drop their clone.
#[test]
fn l4_all_who_wait_for_clones_return() {
    let _watchdog = watch("waits::l4_all_who_wait_for_clones_return", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    for round in 0..20 {
        let (go, done) = (Signal::new(), AtomicUsize::new(0));
        let task = |go: &&Signal| {
            go.wait();
            done.fetch_add(1, Ordering::Relaxed);
        };
        let params = vec![&go; 1 + round % 5];
        let future = pool.submit_batch_uniform(task, &params);
        thread::scope(|threads| {
            for number in 0..40 {
                let clone = future.clone();
                let done = &done;
                let tasks = params.len();
                threads.spawn(move || {
                    match number % 3 {
                        0 => clone.wait(),
                        1 => assert!(clone.wait_timeout(Duration::MAX)),
                        _ => while !clone.wait_timeout(Duration::from_micros(100)) {},
                    }
                    assert_eq!(done.load(Ordering::Relaxed), tasks, "a wait returned too early");
                });
            }
            thread::yield_now();
            go.give();
            drop(future);
        });
    }
}

/// Submits and waits inside of tasks, so many levels down.
fn descend(pool: &ZeroPool, levels: usize, leaves: &AtomicUsize) {
    if levels == 0 {
        leaves.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let down = (pool, leaves);
    let task = |levels: &usize| descend(down.0, *levels, down.1);
    pool.submit_batch_uniform(task, &[levels - 1, levels - 1]).wait();
    pool.for_each_index(0..2, |_| task(&(levels - 1)));
}

#[test]
fn p1_nested_waits_end_on_few_workers() {
    let _watchdog = watch("waits::p1_nested_waits_end_on_few_workers", DEADLINE);
    for workers in [1, 2, 3] {
        let pool = ZeroPool::with_workers(workers);
        let leaves = AtomicUsize::new(0);
        pool.submit_task(|levels: &usize| descend(&pool, *levels, &leaves), &6).wait();
        assert_eq!(leaves.into_inner(), 4_usize.pow(6));
    }
}

#[test]
fn p1_a_chain_of_waits_is_as_deep_as_it_likes() {
    fn chain(pool: &ZeroPool, levels: &usize) {
        if let Some(below) = levels.checked_sub(1) {
            pool.submit_task(|levels: &usize| chain(pool, levels), &below).wait();
        }
    }
    let _watchdog = watch("waits::p1_a_chain_of_waits_is_as_deep_as_it_likes", DEADLINE);
    let pool = ZeroPool::with_workers(1);
    chain(&pool, &500);
    drop(pool.submit_task(|levels: &usize| chain(&pool, levels), &500));
}

/// All workers wait, for tasks that lie behind them in the queue.
#[test]
fn p1_all_workers_wait_at_once() {
    let _watchdog = watch("waits::p1_all_workers_wait_at_once", DEADLINE);
    let pool = ZeroPool::with_workers(3);
    let all = Barrier::new(3);
    let task = |_: &()| {
        all.wait();
        pool.submit_batch_uniform(|_: &()| thread::yield_now(), &[(); 10]).wait();
        all.wait();
        drop(pool.submit_batch_uniform(|_: &()| thread::yield_now(), &[(); 10]));
    };
    pool.submit_batch_uniform(task, &[(); 3]).wait();
}

/// The only worker wants our lock, and we wait under it for a task that lies behind.
#[test]
fn p1_a_wait_under_a_lock_that_a_task_wants() {
    let _watchdog = watch("waits::p1_a_wait_under_a_lock_that_a_task_wants", DEADLINE);
    let pool = ZeroPool::with_workers(1);
    let (lock, begun) = (Mutex::new(0), Signal::new());
    let add = |lock: &Mutex<u32>| {
        begun.give();
        *lock.lock().expect("nobody panics under the lock") += 1;
    };
    let mut held = lock.lock().expect("nobody panics under the lock");
    let wants = pool.submit_task(add, &lock);
    begun.wait();
    pool.submit_batch_uniform(|_: &()| (), &[(); 100]).wait();
    pool.for_each_index(0..100, |_| ());
    drop(pool.submit_batch_uniform(|_: &()| (), &[(); 100]));
    *held += 1;
    drop(held);
    wants.wait();
    assert_eq!(lock.into_inner().expect("nobody panicked under the lock"), 2);
}

#[test]
fn p1_tasks_wait_under_a_lock_that_all_want() {
    let _watchdog = watch("waits::p1_tasks_wait_under_a_lock_that_all_want", DEADLINE);
    let pool = ZeroPool::with_workers(4);
    let lock = Mutex::new(0);
    let task = |lock: &&Mutex<u32>| {
        let mut held = lock.lock().expect("nobody panics under the lock");
        pool.for_each_index(0..10, |_| thread::yield_now());
        pool.submit_batch_uniform(|_: &()| thread::yield_now(), &[(); 10]).wait();
        *held += 1;
    };
    pool.submit_batch_uniform(task, &[&lock; 200]).wait();
    assert_eq!(lock.into_inner().expect("nobody panicked under the lock"), 200);
}

/// Hands a task its own future.
struct Own {
    future: Mutex<Option<TaskFuture<'static>>>,
    ran: Signal,
}

impl Own {
    const fn new() -> Self {
        Self { future: Mutex::new(None), ran: Signal::new() }
    }

    fn put(&self, future: TaskFuture<'static>) {
        *self.future.lock().expect("nobody panics under the lock") = Some(future);
    }

    fn take(&self) -> TaskFuture<'static> {
        loop {
            if let Some(own) = self.future.lock().expect("nobody panics under the lock").take() {
                return own;
            }
            thread::yield_now();
        }
    }
}

/// Waits for a batch from within a task of it, which runs `inside`, and returns what the outer wait was told.
fn wait_inside(own: &'static Own, inside: fn(&Own)) -> String {
    let pool = ZeroPool::with_workers(2);
    let future = pool.submit_task(inside, own);
    own.put(future.clone());
    let payload = catch_unwind(AssertUnwindSafe(|| future.wait())).expect_err("the task panicked");
    message(&*payload).to_owned()
}

#[test]
fn p1_a_task_that_waits_for_its_own_batch_panics() {
    let _watchdog = watch("waits::p1_a_task_that_waits_for_its_own_batch_panics", DEADLINE);
    static OWN: Own = Own::new();
    let told = wait_inside(&OWN, |own| own.take().wait());
    assert_eq!(told, "a task waits for the batch that it belongs to");
}

/// The same from a task of another pool, which runs on the same stack, as its own worker is kept busy.
#[test]
fn p1_a_task_that_waits_for_its_callers_batch_panics() {
    let _watchdog = watch("waits::p1_a_task_that_waits_for_its_callers_batch_panics", DEADLINE);
    static OWN: Own = Own::new();
    let told = wait_inside(&OWN, |own| {
        let (other, gate) = (ZeroPool::with_workers(1), Gate::new());
        let _busy = gate.occupy(&other);
        let inner = other.submit_task(|own: &&Own| own.take().wait(), &own);
        inner.wait();
    });
    assert_eq!(told, "a task waits for the batch that it belongs to");
}

#[test]
fn p4_a_task_drops_the_last_future_of_its_own_batch() {
    let _watchdog = watch("waits::p4_a_task_drops_the_last_future_of_its_own_batch", DEADLINE);
    static OWN: Own = Own::new();
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    static TASKS: [(); 50] = [(); 50];
    let pool = ZeroPool::with_workers(2);
    let task = |_: &()| {
        if RUNS.fetch_add(1, Ordering::Relaxed) == 0 {
            drop(OWN.take());
            OWN.ran.give();
        }
    };
    OWN.put(pool.submit_batch_uniform(task, &TASKS));
    OWN.ran.wait();
    drop(pool);
    assert_eq!(RUNS.load(Ordering::Relaxed), TASKS.len());
}

/// Each of two or more tasks waits for the others: a throttle that swallows a wake-up would let them wait for ever.
#[test]
fn w3_as_many_tasks_run_at_once_as_there_are_workers() {
    let _watchdog = watch("waits::w3_as_many_tasks_run_at_once_as_there_are_workers", DEADLINE);
    for workers in [2, 3, 8] {
        let pool = ZeroPool::with_workers(workers);
        let all = Barrier::new(workers);
        let meet = |_: &()| {
            all.wait();
        };
        for round in 0..300 {
            let params = vec![(); workers];
            if round % 2 == 0 {
                // By timed waits, which run no task: all are the workers'.
                assert!(pool.submit_batch_uniform(meet, &params).wait_timeout(Duration::MAX));
            } else {
                let futures: Vec<_> = params.iter().map(|param| pool.submit_task(meet, param)).collect();
                assert!(futures.iter().all(|future| future.wait_timeout(Duration::MAX)));
            }
        }
    }
}

#[test]
fn w1_sixty_four_threads_submit_at_once() {
    let _watchdog = watch("waits::w1_sixty_four_threads_submit_at_once", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let (all, done) = (Barrier::new(64), AtomicUsize::new(0));
    let task = |_: &()| {
        done.fetch_add(1, Ordering::Relaxed);
    };
    thread::scope(|threads| {
        for number in 0..64 {
            let (pool, all) = (&pool, &all);
            threads.spawn(move || {
                all.wait();
                for round in 0..200 {
                    let future = pool.submit_batch_uniform(task, &[(); 3]);
                    match (number + round) % 3 {
                        0 => future.wait(),
                        1 => drop(future),
                        _ => assert!(future.wait_timeout(Duration::MAX)),
                    }
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 64 * 200 * 3);
}

/// Unparks a thread again and again until it is told to stop.
fn pester(thread: &Thread, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        thread.unpark();
        thread::yield_now();
    }
}

#[test]
fn l3_a_waiter_that_others_unpark_waits_on() {
    let _watchdog = watch("waits::l3_a_waiter_that_others_unpark_waits_on", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let (stop, waiter) = (AtomicBool::new(false), thread::current());
    thread::scope(|threads| {
        threads.spawn(|| pester(&waiter, &stop));
        for round in 0..300 {
            waiter.unpark();
            let (begun, done) = (Signal::new(), AtomicBool::new(false));
            let task = |begun: &Signal| {
                begun.give();
                thread::sleep(Duration::from_micros(100));
                done.store(true, Ordering::Relaxed);
            };
            let future = pool.submit_task(task, &begun);
            // The worker has it, so the wait has to sleep.
            begun.wait();
            if round % 2 == 0 {
                future.wait()
            } else {
                assert!(future.wait_timeout(Duration::MAX))
            }
            assert!(done.load(Ordering::Relaxed), "the wait returned too early");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Tasks give their thread's handle away, so that idle workers are unparked by strangers, and use up tokens themselves.
#[test]
fn e2_a_worker_that_others_unpark_sleeps_on() {
    let _watchdog = watch("waits::e2_a_worker_that_others_unpark_sleeps_on", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let (stop, worker) = (AtomicBool::new(false), Mutex::new(None));
    let give_away = |worker: &Mutex<Option<Thread>>| {
        *worker.lock().expect("nobody panics under the lock") = Some(thread::current());
    };
    assert!(pool.submit_task(give_away, &worker).wait_timeout(Duration::MAX));
    let worker = worker.into_inner().expect("as above").expect("the worker put it there");
    thread::scope(|threads| {
        threads.spawn(|| pester(&worker, &stop));
        for _ in 0..1_000 {
            let all = Barrier::new(2);
            let meet = |all: &&Barrier| {
                thread::park_timeout(Duration::from_micros(1));
                all.wait();
            };
            assert!(pool.submit_batch_uniform(meet, &[&all; 2]).wait_timeout(Duration::MAX));
        }
        drop(pool);
        stop.store(true, Ordering::Relaxed);
    });
}
