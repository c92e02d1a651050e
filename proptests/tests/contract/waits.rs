//! Who may wait for whom, and under what.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use zero_pool::{JoinHandle, ZeroPool};

use super::support::{Busy, Signal, add, assert_all_work, deadline, message, occupy, occupy_one};

/// Counts its calls through all kinds of waits, one inside of the other; returns how many there are to be.
fn nest(pool: &Arc<ZeroPool>, calls: &Arc<AtomicUsize>, depth: usize) -> usize {
    calls.fetch_add(1, Ordering::Relaxed);
    if depth == 0 {
        return 1;
    }
    let below = || nest(pool, calls, depth - 1);
    let below = match depth % 5 {
        0 => pool.map(&[(); 3], |()| below()).into_iter().sum(),
        1 => {
            let (a, b) = pool.join(below, below);
            a + b
        }
        2 => {
            let sum = AtomicUsize::new(0);
            pool.scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| add(&sum, below()));
                }
            });
            sum.into_inner()
        }
        3 => {
            let (pool_again, calls_again) = (Arc::clone(pool), Arc::clone(calls));
            pool.spawn(move || nest(&pool_again, &calls_again, depth - 1)).join().expect("no panic")
        }
        _ => {
            let sum = AtomicUsize::new(0);
            pool.for_each_index(0..2, |_| add(&sum, below()));
            sum.into_inner()
        }
    };
    1 + below
}

#[test]
fn waits_nest_in_every_way() {
    deadline!();
    for workers in [1, 2, 3] {
        let pool = Arc::new(ZeroPool::with_workers(workers));
        let calls = Arc::new(AtomicUsize::new(0));
        let expected = nest(&pool, &calls, 10);
        assert_eq!(calls.load(Ordering::Relaxed), expected);
        // The same from inside, on as many threads as there are workers.
        let inside = || {
            let (pool, calls) = (Arc::clone(&pool), Arc::clone(&calls));
            move || nest(&pool, &calls, 8)
        };
        let handles: Vec<_> = (0..workers).map(|_| pool.spawn(inside())).collect();
        let expected =
            expected + handles.into_iter().map(|handle| handle.join().expect("no panic")).sum::<usize>();
        assert_eq!(calls.load(Ordering::Relaxed), expected);
    }
}

/// Every way of waiting for tasks.
fn wait_in_all_ways(pool: &ZeroPool) {
    pool.for_each_index(0..9, |_| thread::yield_now());
    pool.for_each_mut(&mut [0; 9], |n| *n += 1);
    assert_eq!(pool.map(&[1; 9], |n| n + 1), [2; 9]);
    assert_eq!(pool.join(|| 1, || 2), (1, 2));
    pool.scope(|scope| (0..9).for_each(|_| scope.spawn(thread::yield_now)));
    assert_eq!(pool.spawn(|| 3).join().expect("no panic"), 3);
}

/// A waiter that ran foreign tasks would meet one that wants the lock which the waiter holds.
#[test]
fn a_lock_may_be_held_across_a_wait() {
    deadline!();
    for workers in [1, 2] {
        let pool = ZeroPool::with_workers(workers);
        let shared = Arc::new(Mutex::new(0));
        let add = |shared: &Arc<Mutex<usize>>| {
            let shared = Arc::clone(shared);
            move || *shared.lock().expect("no panic under it") += 1
        };
        let handles: Vec<_> = (0..200).map(|_| pool.spawn(add(&shared))).collect();
        pool.for_each_index(0..20, |_| {
            let held = shared.lock().expect("no panic under it");
            wait_in_all_ways(&pool);
            drop(held);
        });
        handles.into_iter().for_each(|handle| handle.join().expect("no panic"));
        assert_eq!(*shared.lock().expect("no panic under it"), 200);
    }
}

/// Wants a lock when it is woken.
struct Locks(Mutex<()>);

impl Wake for Locks {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().expect("no panic under it"));
    }
}

/// The waker of a poll wants the lock that the join is called under, and the join runs the closure itself.
#[test]
fn a_lock_may_be_held_across_a_join_of_what_was_polled() {
    deadline!();
    let pool = ZeroPool::with_workers(1);
    let busy = occupy(&pool);
    let locks = Arc::new(Locks(Mutex::new(())));
    let mut handle = pool.spawn(|| 3);
    let waker = Waker::from(Arc::clone(&locks));
    assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
    let held = locks.0.lock().expect("no panic under it");
    assert_eq!(handle.join().expect("no panic"), 3);
    drop(held);
    drop(busy);
}

thread_local! {
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

/// A task that runs on a worker, keeps the other one busy, queues foreign tasks while its caller waits for it, and takes its
/// time. On the caller's thread, it waits until that has begun.
struct Slow {
    pool: Arc<ZeroPool>,
    begun: Signal,
    busy: Mutex<Option<Busy>>,
    foreign: Mutex<Vec<JoinHandle<()>>>,
}

impl Slow {
    fn run(&self) {
        if WAITS.get() {
            return self.begun.wait();
        }
        *self.busy.lock().expect("no panic under it") = Some(occupy_one(&self.pool));
        let foreign = || assert!(!WAITS.get(), "a foreign task runs inside of a wait");
        let handles = (0..20).map(|_| self.pool.spawn(foreign));
        self.foreign.lock().expect("no panic under it").extend(handles);
        self.begun.give();
        thread::sleep(Duration::from_millis(3));
    }
}

#[test]
fn a_wait_runs_its_own_tasks_alone() {
    deadline!();
    let waits: [fn(&Arc<Slow>); 4] = [
        |slow| slow.pool.for_each_index(0..2, |_| slow.run()),
        |slow| {
            let offer = || {
                // The half that is kept is offered by each join of its thread.
                while !slow.begun.is_given() {
                    slow.pool.join(thread::yield_now, || ());
                }
            };
            slow.pool.join(offer, || slow.run());
        },
        |slow| {
            slow.pool.scope(|scope| {
                scope.spawn(|| slow.run());
                slow.run();
            });
        },
        |slow| {
            let again = Arc::clone(slow);
            let handle = slow.pool.spawn(move || again.run());
            slow.run();
            handle.join().expect("no panic");
        },
    ];
    for wait in waits {
        let pool = Arc::new(ZeroPool::with_workers(2));
        // Nobody but the caller can run foreign tasks.
        let (begun, busy, foreign) = (Signal::default(), Mutex::default(), Mutex::default());
        let slow = Arc::new(Slow { pool, begun, busy, foreign });
        WAITS.set(true);
        wait(&slow);
        WAITS.set(false);
        drop(slow.busy.lock().expect("no panic under it").take());
        for handle in slow.foreign.lock().expect("no panic under it").drain(..) {
            handle.join().expect("none ran inside of the wait");
        }
    }
}

/// So they cannot wait for each other. That this is a hang is why it is not shown here.
#[test]
fn tasks_of_a_loop_may_run_one_after_another() {
    deadline!();
    let pool = ZeroPool::with_workers(1);
    let order = Mutex::new(Vec::new());
    pool.for_each_index(0..100, |index| {
        order.lock().expect("no panic").push((thread::current().id(), index))
    });
    let expected: Vec<_> = (0..100).map(|index| (thread::current().id(), index)).collect();
    assert_eq!(order.into_inner().expect("no panic"), expected);
}

/// Closures start in the order of their spawns, unless a join runs one before its time. So they may wait for what was
/// spawned before, if the joins come from outside.
#[test]
fn a_closure_may_wait_for_one_spawned_before() {
    deadline!();
    for workers in [1, 2, 4] {
        let pool = ZeroPool::with_workers(workers);
        let (mut last, first) = mpsc::channel();
        let mut handles = vec![pool.spawn(move || first.recv().expect("it is sent"))];
        last.send(()).expect("it is received");
        for _ in 0..100 {
            let (send, receive) = mpsc::channel();
            let before = std::mem::replace(&mut last, send);
            handles.push(pool.spawn(move || {
                // The one before has ended when its receiver is gone.
                while before.send(()).is_ok() {
                    thread::yield_now();
                }
                drop(receive);
            }));
        }
        assert!(handles.pop().is_some_and(|handle| handle.join_timeout(Duration::MAX).is_ok()));
    }
}

#[test]
fn as_many_closures_run_at_once_as_there_are_workers() {
    deadline!();
    for workers in [1, 3, 16] {
        let pool = ZeroPool::with_workers(workers);
        for _ in 0..20 {
            assert_all_work(&pool);
        }
    }
}

/// A handle that a closure gets after it was spawned with it.
type Later = Arc<Mutex<Option<JoinHandle<()>>>>;

fn spawn_with_its_handle(pool: &ZeroPool, body: impl FnOnce(JoinHandle<()>) + Send + 'static) {
    let later = Later::default();
    let inside = Arc::clone(&later);
    let mut lent = later.lock().expect("no panic under it");
    *lent = Some(pool.spawn(move || {
        let own = inside.lock().expect("no panic under it").take();
        body(own.expect("it is there"));
    }));
}

#[test]
fn a_closure_that_joins_itself_panics() {
    deadline!();
    let pool = ZeroPool::with_workers(1);
    let (send, receive) = mpsc::channel();
    spawn_with_its_handle(&pool, move |own| {
        let payload = super::support::thrown(|| drop(own.join()));
        send.send(message(&*payload).to_owned()).expect("the test waits");
    });
    assert_eq!(receive.recv(), Ok("a task waits for the batch that it belongs to".to_owned()));
    assert_all_work(&pool);
}

#[test]
fn a_timed_wait_for_oneself_ends_with_its_time() {
    deadline!();
    let pool = ZeroPool::with_workers(1);
    let (send, receive) = mpsc::channel();
    spawn_with_its_handle(&pool, move |own| {
        let in_vain = own.join_timeout(Duration::from_millis(5)).is_err();
        send.send(in_vain).expect("the test waits");
    });
    assert_eq!(receive.recv(), Ok(true));
}

/// The price of being on time, and of not blocking: on a worker such a wait may wait for what that worker is to run.
#[test]
fn timed_and_asynchronous_waits_run_nothing() {
    deadline!();
    let pool = ZeroPool::with_workers(1);
    let busy = occupy(&pool);
    let ran = Arc::new(AtomicBool::new(false));
    let mut handle = pool.spawn({
        let ran = Arc::clone(&ran);
        move || ran.store(true, Ordering::Relaxed)
    });
    for _ in 0..10 {
        handle = handle.join_timeout(Duration::from_millis(1)).expect_err("nobody runs it");
        assert!(!handle.is_finished());
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(std::pin::Pin::new(&mut handle).poll(&mut context), Poll::Pending));
    }
    assert!(!ran.load(Ordering::Relaxed));
    // A join does run it, here.
    handle.join().expect("no panic");
    assert!(ran.load(Ordering::Relaxed));
    drop(busy);
}

#[test]
fn workers_of_one_pool_wait_for_another() {
    deadline!();
    let [outer, inner] = [1, 2].map(ZeroPool::with_workers).map(Arc::new);
    let handles: Vec<_> = (0..20)
        .map(|_| {
            let (outer_again, inner) = (Arc::clone(&outer), Arc::clone(&inner));
            outer.spawn(move || {
                inner.for_each_index(0..4, |_| wait_in_all_ways(&outer_again));
                wait_in_all_ways(&inner);
            })
        })
        .collect();
    handles.into_iter().for_each(|handle| handle.join().expect("no panic"));
}

#[test]
fn one_pool_serves_many_threads() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| (0..50).for_each(|_| wait_in_all_ways(&pool)));
        }
    });
}
