//! Models of the whole: the smallest pools, with their threads, futures and shutdown.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::{Arc, Once};
use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use zero_pool_loom::injector::Injector;
use zero_pool_loom::reclaim::assert_unpinned;
use zero_pool_loom::worker;
use zero_pool_loom::{TaskFuture, ZeroPool};

use crate::fixture::{Tasks, await_workers, dismiss, end, parked, spawn, work_from, work_once};
use crate::support::{Bound, FOUR, ORACLES, THREE};

/// A result that a task writes and its caller reads: loom reports the missing edge between them, if there is one.
struct Slot {
    runs: AtomicUsize,
    result: UnsafeCell<usize>,
}

// SAFETY: loom reports accesses to the result that nothing orders, and runs all threads on one thread of the system.
unsafe impl Sync for Slot {}

impl Slot {
    fn new() -> Self {
        Self { runs: AtomicUsize::new(0), result: UnsafeCell::new(0) }
    }

    fn fill(&self) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        // SAFETY: loom checks that nobody else runs this task.
        self.result.with_mut(|result| unsafe { *result = 7 });
    }

    /// Reads the result of the one run, and fails if the task may still write it.
    fn check(&self) {
        assert_eq!(self.runs.load(Ordering::Relaxed), 1, "the task ran not once");
        // SAFETY: loom checks that the task's write came before.
        self.result.with_mut(|result| assert_eq!(unsafe { *result }, 7));
    }
}

fn submit<'a>(pool: &ZeroPool, slot: &'a Slot) -> TaskFuture<'a> {
    pool.submit_task(Slot::fill, slot)
}

/// One worker from its birth to its death: it parks, is woken or not needed, and is closed down, while its only task is
/// run by it or by who waits.
fn p1_one_worker_one_task() {
    let slot = Slot::new();
    let pool = ZeroPool::with_workers(1);
    submit(&pool, &slot).wait();
    slot.check();
}

/// Two batches, a worker that may take either, and a waiter for the second, who must not run the first.
fn p1_a_waiter_runs_its_own() {
    let injector = Arc::new(Injector::new(1));
    let worker = parked(&injector, 0);
    let main = thread::current().id();
    let foreign =
        Tasks::with(1, move |_| assert_ne!(thread::current().id(), main, "P1: a waiter ran foreign work"));
    let own = Tasks::new(1);
    injector.release(injector.publish(foreign.batch()));
    let handle = injector.publish(own.batch());
    let worker = spawn(&injector, move |injector| work_from(injector, worker, usize::MAX));
    worker::wait_as_guest(&injector, &handle);
    injector.release(handle);
    own.collect();
    dismiss(&injector, [worker]);
    foreign.collect();
}

/// Two workers and a batch that nobody waits for before the close: both look, one runs it, and both leave while the other
/// may still be at the node.
fn p3_two_workers_leave_while_the_other_claims() {
    let injector = Arc::new(Injector::new(2));
    let workers = [0, 1].map(|worker| parked(&injector, worker));
    let tasks = Tasks::new(1);
    injector.release(injector.publish(tasks.batch()));
    let workers =
        workers.map(|worker| spawn(&injector, move |injector| work_from(injector, worker, usize::MAX)));
    dismiss(&injector, workers);
    tasks.collect();
}

/// A task that panics on a worker while its handle goes: neither the task nor the drop of its payload, which one of them
/// does, finds its thread pinned.
fn r4_nobody_is_pinned_in_foreign_code() {
    struct Foreign;
    impl Drop for Foreign {
        fn drop(&mut self) {
            assert_unpinned();
        }
    }
    let injector = Arc::new(Injector::new(0));
    let tasks = Tasks::with(1, |_| {
        assert_unpinned();
        resume_unwind(Box::new(Foreign))
    });
    let handle = injector.publish(tasks.batch());
    let worker = spawn(&injector, work_once);
    injector.release(handle);
    assert!(end(worker));
    tasks.collect();
}

/// A future that is dropped while a worker runs its task: what the task wrote must be there after the drop.
fn p4_a_dropped_future_waits() {
    let slot = Slot::new();
    let pool = ZeroPool::with_workers(1);
    drop(submit(&pool, &slot));
    slot.check();
}

/// Keeps the panic of a late waiter off the hook, whose printing needs more stack than a modelled thread has.
fn expect_late_waiters() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            let late = info
                .payload()
                .downcast_ref::<&str>()
                .is_some_and(|text| text.contains("another waiter has its payload"));
            if !late {
                before(info);
            }
        }));
    });
}

/// A panic on the worker or on the waiter: the first to wait gets the payload, and a later one the message.
fn p4_a_panic_reaches_the_first_waiter() {
    expect_late_waiters();
    let pool = ZeroPool::with_workers(1);
    let first = pool.submit_task(|_: &()| resume_unwind(Box::new(42_u32)), &());
    let second = first.clone();
    let caught = |future: TaskFuture<'_>| {
        let payload = catch_unwind(AssertUnwindSafe(|| future.wait())).expect_err("the task panicked");
        payload.downcast_ref::<u32>().copied()
    };
    assert_eq!(caught(first), Some(42));
    assert_eq!(caught(second), None, "B5: the payload was given out once");
}

/// A shutdown while a guest waits and may run the task itself: when the workers have ended and no guest is left, the task
/// has ended.
fn p5_a_guest_is_awaited_by_the_drop() {
    let injector = Arc::new(Injector::new(1));
    let worker = parked(&injector, 0);
    let tasks = Tasks::new(1);
    let handle = injector.publish(tasks.batch());
    let worker = spawn(&injector, move |injector| work_from(injector, worker, usize::MAX));
    let guest = spawn(&injector, |injector| {
        worker::wait_as_guest(injector, &handle);
        injector.release(handle);
    });
    dismiss(&injector, [worker]);
    injector.wait_for_all();
    tasks.collect();
    end(guest);
}

/// A future that outlives its pool: a timed waiter must find it complete after the pool is gone.
fn p5_a_timed_waiter_outlives_the_pool() {
    let slot = Slot::new();
    let pool = ZeroPool::with_workers(1);
    let future = submit(&pool, &slot);
    let early = future.wait_timeout(Duration::from_millis(1));
    assert!(!early || slot.runs.load(Ordering::Relaxed) == 1);
    drop(pool);
    assert!(future.wait_timeout(Duration::ZERO), "P7: not complete after the drop");
    slot.check();
}

/// A task that submits and waits on the only worker: the wait ends although no other worker is there.
fn p1_a_nested_wait_on_one_worker() {
    let injector = Arc::new(Injector::new(1));
    let worker = parked(&injector, 0);
    let inner = Tasks::new(1);
    let outer = Tasks::with(1, {
        let (injector, inner) = (Arc::clone(&injector), Arc::clone(&inner));
        move |_| {
            let handle = injector.publish(inner.batch());
            worker::wait_as_guest(&injector, &handle);
            injector.release(handle);
            inner.collect();
        }
    });
    let handle = injector.publish(outer.batch());
    let worker = spawn(&injector, move |injector| work_from(injector, worker, usize::MAX));
    await_workers(&injector, handle);
    outer.collect();
    dismiss(&injector, [worker]);
}

/// The last owner of a pool goes inside of one of its tasks, which the worker or the waiter may run: nobody joins itself.
fn p8_a_pool_dropped_by_its_own_task() {
    let pool = ZeroPool::with_workers(1);
    let owner = Mutex::new(None);
    let future = pool.submit_task(
        |owner: &Mutex<Option<ZeroPool>>| {
            let pool = owner.lock().expect("no panic").take();
            drop(pool);
        },
        &owner,
    );
    *owner.lock().expect("no panic") = Some(pool);
    future.wait();
}

/// A detached task and a drop of the pool: accepted means run.
fn p7_a_detached_task_is_run() {
    let slot = Arc::new(Slot::new());
    let pool = ZeroPool::with_workers(1);
    // SAFETY: as above.
    let shared: &'static Slot = unsafe { &*Arc::as_ptr(&slot) };
    submit(&pool, shared).detach();
    drop(pool);
    slot.check();
}

crate::table! { "pool":
    r4_nobody_is_pinned_in_foreign_code(Bound::None, ORACLES),
    p1_one_worker_one_task(FOUR, ORACLES),
    p1_a_waiter_runs_its_own(FOUR, ORACLES),
    p1_a_nested_wait_on_one_worker(FOUR, ORACLES),
    p3_two_workers_leave_while_the_other_claims(THREE, ORACLES),
    p4_a_dropped_future_waits(FOUR, ORACLES),
    p4_a_panic_reaches_the_first_waiter(FOUR, ORACLES),
    p5_a_guest_is_awaited_by_the_drop(THREE, ORACLES),
    p5_a_timed_waiter_outlives_the_pool(FOUR, ORACLES),
    p7_a_detached_task_is_run(FOUR, ORACLES),
    p8_a_pool_dropped_by_its_own_task(FOUR, ORACLES),
}
