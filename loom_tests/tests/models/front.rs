//! Models of the sound surface: scopes, spawned closures and their wakers, joins.

use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};
use zero_pool_loom::ZeroPool;
use zero_pool_loom::batch::Pile;
use zero_pool_loom::injector::Injector;
use zero_pool_loom::pending;
use zero_pool_loom::reclaim::assert_unpinned;
use zero_pool_loom::worker::{self, participate};

use crate::fixture::{
    Tasks, conserve, dismiss, end, finish, parked, spawn, work, work_from, work_once, work_some,
};
use crate::support::{ORACLES, THREE};

/// A plain cell that a task writes and its caller reads.
struct Slot(UnsafeCell<u32>);

// SAFETY: loom reports accesses that nothing orders, and runs all threads on one thread of the system.
unsafe impl Sync for Slot {}

impl Slot {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    fn add(&self) {
        // SAFETY: loom checks that nobody else is here.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }

    fn get(&self) -> u32 {
        // SAFETY: as above.
        self.0.with_mut(|value| unsafe { *value })
    }
}

/// Two threads put handles down while a third takes them up: each is taken once, with its batch behind it.
fn b7_what_is_put_down_is_taken_up_once() {
    let injector = Arc::new(Injector::new(0));
    let pile = Arc::new(Pile::new());
    let tasks = [Tasks::new(1), Tasks::new(1)];
    let others = tasks.each_ref().map(|tasks| {
        let (batch, pile) = (tasks.batch(), Arc::clone(&pile));
        spawn(&injector, move |injector| pile.put(injector.publish(batch)))
    });
    let mut taken: Vec<_> = pile.take().collect();
    others.into_iter().for_each(end);
    taken.extend(pile.take());
    assert_eq!(taken.len(), 2, "B7: each handle once");
    while work_once(&injector) {}
    taken.into_iter().for_each(|handle| injector.release(handle));
    tasks.iter().for_each(|tasks| tasks.collect());
}

/// Runs the task beside `first`, and looks at its result. The thread counts as a worker, or it would leave one worker asleep.
fn join(injector: &Injector, tasks: &Arc<Tasks>, first: impl FnOnce()) {
    pending::become_worker(injector);
    // SAFETY: the model keeps the tasks.
    let ((), panic) = unsafe { worker::run_beside(injector, tasks.work(), first) };
    assert!(panic.is_none());
    tasks.collect();
}

/// A join whose second half is taken by the worker that it wakes, or by its caller.
fn s2_a_join_ends_after_both_halves() {
    let injector = Arc::new(Injector::new(1));
    let announced = parked(&injector, 0);
    let worker = spawn(&injector, |injector| work_from(injector, announced, usize::MAX));
    join(&injector, &Tasks::new(1), || ());
    dismiss(&injector, [worker]);
}

/// A join inside of a join, while a worker parks: the inner one publishes the outer one's half, its own, or none.
fn s2_a_join_publishes_the_oldest_half() {
    let injector = Arc::new(Injector::new(1));
    let worker = spawn(&injector, |injector| work(injector, 0));
    let (outer, inner) = (Tasks::new(1), Tasks::new(1));
    join(&injector, &outer, || join(&injector, &inner, || ()));
    dismiss(&injector, [worker]);
}

/// Who sleeps until a worker has run the inner half publishes the outer one first: here that worker runs it before.
fn s4_who_sleeps_keeps_nothing() {
    let injector = Arc::new(Injector::new(1));
    let (outer, inner) = (Tasks::new(1), Tasks::new(1));
    let handle = injector.publish(inner.batch());
    let claim = injector.take().expect("it was published");
    let worker = spawn(&injector, |injector| {
        work_some(injector, 0, 1);
        participate(injector, claim);
    });
    join(&injector, &outer, || finish(&injector, handle));
    conserve(&injector, 1);
    end(worker);
    inner.collect();
}

/// A scope whose task may be run by the worker or by the end of the scope: what it wrote is there afterwards.
fn s3_a_scope_waits_for_its_task() {
    let slot = Slot::new();
    let pool = ZeroPool::with_workers(1);
    pool.scope(|scope| scope.spawn(|| slot.add()));
    assert_eq!(slot.get(), 1);
}

/// A task that puts another batch down, on the worker or on the thread that waits for the pile, which may be ending.
fn s3_a_task_spawns_while_the_scope_ends() {
    let injector = Arc::new(Injector::new(1));
    let worker = parked(&injector, 0);
    let pile = Arc::new(Pile::new());
    let inner = Tasks::new(1);
    let outer = Tasks::with(1, {
        let (injector, pile, inner) = (Arc::clone(&injector), Arc::clone(&pile), Arc::clone(&inner));
        move |_| pile.put(injector.publish(inner.batch()))
    });
    pile.put(injector.publish(outer.batch()));
    let worker = spawn(&injector, move |injector| work_from(injector, worker, usize::MAX));
    assert!(worker::wait_for_all(&injector, &pile).is_none());
    [&outer, &inner].iter().for_each(|tasks| tasks.collect());
    dismiss(&injector, [worker]);
}

/// A result that is a plain cell: it reaches who joins, whether the worker made it or the join itself.
fn j1_a_result_reaches_who_joins() {
    let pool = ZeroPool::with_workers(1);
    let handle = pool.spawn(|| {
        let slot = Slot::new();
        slot.add();
        slot
    });
    let slot = handle.join().expect("no panic");
    assert_eq!(slot.get(), 1);
}

/// A handle that goes while the closure ends: the result is dropped once, by one of them.
fn j1_a_result_nobody_wants_is_dropped_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let pool = ZeroPool::with_workers(1);
    drop(pool.spawn({
        let counted = Counted(Arc::clone(&drops));
        move || counted
    }));
    drop(pool);
    assert_eq!(drops.load(Ordering::Relaxed), 1, "J1: dropped not once");
}

/// A join whose time may be over, and which is tried again without a limit.
fn j1_a_panic_after_a_timeout() {
    let pool = ZeroPool::with_workers(1);
    let handle = pool.spawn(|| -> u32 { resume_unwind(Box::new(42_u8)) });
    let result = handle.join_timeout(Duration::from_millis(1)).unwrap_or_else(|handle| handle.join());
    assert_eq!(result.expect_err("it panicked").downcast_ref(), Some(&42_u8));
}

/// What a waker of a thread that blocks on a future does.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        assert_unpinned();
        *self.rung.lock().expect("no panic at the bell") = true;
        self.changed.notify_one();
    }
}

/// Awaits a handle with nothing but its waker: if that is not called, the thread sleeps for ever.
fn j2_a_pending_handle_is_woken() {
    let pool = ZeroPool::with_workers(1);
    let mut handle = pin!(pool.spawn(|| 7));
    let bell = Arc::new(Bell { rung: Mutex::new(false), changed: Condvar::new() });
    let waker = Waker::from(Arc::clone(&bell));
    let result = loop {
        if let Poll::Ready(result) = handle.as_mut().poll(&mut Context::from_waker(&waker)) {
            break result;
        }
        let mut rung = bell.rung.lock().expect("no panic at the bell");
        while !*rung {
            rung = bell.changed.wait(rung).expect("no panic at the bell");
        }
        *rung = false;
    };
    assert_eq!(result.expect("no panic"), 7);
}

crate::table! { "front":
    b7_what_is_put_down_is_taken_up_once(THREE, ORACLES),
    s2_a_join_ends_after_both_halves(THREE, ORACLES),
    s2_a_join_publishes_the_oldest_half(THREE, ORACLES),
    s4_who_sleeps_keeps_nothing(THREE, ORACLES),
    s3_a_scope_waits_for_its_task(THREE, ORACLES),
    s3_a_task_spawns_while_the_scope_ends(THREE, ORACLES),
    j1_a_result_reaches_who_joins(THREE, ORACLES),
    j1_a_result_nobody_wants_is_dropped_once(THREE, ORACLES),
    j1_a_panic_after_a_timeout(THREE, ORACLES),
    j2_a_pending_handle_is_woken(THREE, ORACLES),
}
