//! Panics of tasks: kept whole for one waiter, and no harm to anybody else.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proptests::watchdog::watch;
use zero_pool::ZeroPool;

use super::{DEADLINE, Signal, message};

/// The worker runs every task, as a timed wait runs none.
#[test]
fn x1_ten_thousand_panics_leave_the_one_worker_alive() {
    let _watchdog = watch("panics::x1_ten_thousand_panics_leave_the_one_worker_alive", DEADLINE);
    let pool = ZeroPool::with_workers(1);
    let worker = Mutex::new(None);
    for number in 0..10_000 {
        let task = |number: &usize| {
            let mut worker = worker.lock().expect("nobody panics under the lock");
            let first = *worker.get_or_insert(thread::current().id());
            drop(worker);
            assert_eq!(first, thread::current().id(), "another worker");
            resume_unwind(Box::new(*number));
        };
        let future = pool.submit_task(task, &number);
        assert!(future.wait_timeout(Duration::MAX));
        let payload = catch_unwind(AssertUnwindSafe(|| future.wait())).expect_err("the task panicked");
        assert_eq!(payload.downcast_ref(), Some(&number));
    }
}

#[test]
fn x1_each_task_of_a_batch_runs_though_all_panic() {
    let _watchdog = watch("panics::x1_each_task_of_a_batch_runs_though_all_panic", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let runs: Vec<_> = (0..10_000).map(|_| AtomicUsize::new(0)).collect();
    let run = |runs: &AtomicUsize| {
        runs.fetch_add(1, Ordering::Relaxed);
        resume_unwind(Box::new(()));
    };
    let future = pool.submit_batch_uniform(run, &runs);
    catch_unwind(AssertUnwindSafe(|| future.wait())).expect_err("the tasks panicked");
    assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1));
    let body = |index: usize| run(&runs[index]);
    catch_unwind(AssertUnwindSafe(|| pool.for_each_index(0..10_000, body))).expect_err("the body panicked");
    assert!(runs.into_iter().all(|runs| runs.into_inner() == 2));
}

#[test]
fn b5_the_first_wait_has_the_payload_and_later_ones_a_message() {
    const TEST: &str = "panics::b5_the_first_wait_has_the_payload_and_later_ones_a_message";
    let _watchdog = watch(TEST, DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let token = Arc::new(());
    let future = pool.submit_task(|token: &Arc<()>| panic_any((Arc::clone(token), vec![1, 2, 3])), &token);
    let clones = [future.clone(), future.clone()];
    let payload = catch_unwind(AssertUnwindSafe(|| future.wait())).expect_err("the task panicked");
    let (thrown, list) = *payload.downcast::<(Arc<()>, Vec<i32>)>().expect("the payload is whole");
    assert!(Arc::ptr_eq(&thrown, &token) && list == [1, 2, 3]);
    for clone in clones {
        assert!(clone.is_complete() && clone.wait_timeout(Duration::ZERO));
        let payload = catch_unwind(AssertUnwindSafe(|| clone.wait())).expect_err("the task panicked");
        assert_eq!(message(&*payload), "a task panicked, and another waiter has its payload");
    }
}

#[test]
fn b5_each_payload_is_dropped_once() {
    let _watchdog = watch("panics::b5_each_payload_is_dropped_once", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let token = Arc::new(());
    let throw = |token: &Arc<()>| resume_unwind(Box::new(Arc::clone(token)));
    for tasks in [1, 2, 100] {
        let tokens = vec![Arc::clone(&token); tasks];
        let dropped = pool.submit_batch_uniform(throw, &tokens);
        drop(dropped);
        assert_eq!(Arc::strong_count(&token), 1 + tasks, "the payloads are gone");
        let waited = pool.submit_batch_uniform(throw, &tokens);
        let payload = catch_unwind(AssertUnwindSafe(|| waited.wait())).expect_err("the tasks panicked");
        assert_eq!(Arc::strong_count(&token), 2 + tasks, "one payload is left, and we have it");
        drop(payload);
    }
}

#[test]
fn x3_a_panic_in_a_loop_reaches_its_caller() {
    let _watchdog = watch("panics::x3_a_panic_in_a_loop_reaches_its_caller", DEADLINE);
    for workers in [1, 2] {
        let pool = ZeroPool::with_workers(workers);
        let body = |index: usize| assert!(index != 70, "number {index}");
        let ended = catch_unwind(AssertUnwindSafe(|| pool.for_each_index(0..100, body)));
        assert_eq!(message(&*ended.expect_err("number 70 panicked")), "number 70");
    }
}

/// A payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new(()));
    }
}

#[test]
fn x3_payloads_that_panic_when_dropped_harm_nobody() {
    let _watchdog = watch("panics::x3_payloads_that_panic_when_dropped_harm_nobody", DEADLINE);
    let pool = ZeroPool::with_workers(1);
    let throw = |_: &()| resume_unwind(Box::new(Bomb));
    for tasks in [1, 2, 50] {
        let params = vec![(); tasks];
        let alone = pool.submit_batch_uniform(throw, &params);
        assert!(alone.wait_timeout(Duration::MAX), "the worker survives what it drops");
        drop(alone);
        drop(pool.submit_batch_uniform(throw, &params));
        let waited = pool.submit_batch_uniform(throw, &params);
        let payload = catch_unwind(AssertUnwindSafe(|| waited.wait())).expect_err("the tasks panicked");
        assert!(payload.is::<Bomb>());
        std::mem::forget(payload);
        let body = |_: usize| resume_unwind(Box::new(Bomb));
        let looped = catch_unwind(AssertUnwindSafe(|| pool.for_each_index(0..tasks, body)));
        std::mem::forget(looped.expect_err("the body panicked"));
    }
}

/// The last to own the pool are the payloads of its tasks: one is dropped by a worker, as another came first, and one by
/// who drops the future.
#[test]
fn p8_payloads_own_the_pool() {
    let _watchdog = watch("panics::p8_payloads_own_the_pool", DEADLINE);
    for _ in 0..100 {
        let pool = Arc::new(ZeroPool::with_workers(2));
        let owners = [1, 2, 3].map(|_| Mutex::new(Some(Arc::clone(&pool))));
        let throw = |owner: &Mutex<Option<Arc<ZeroPool>>>| {
            let owner = owner.lock().expect("nobody panics under the lock").take();
            resume_unwind(Box::new(owner));
        };
        let future = pool.submit_batch_uniform(throw, &owners);
        drop(pool);
        drop(future);
        assert!(owners.into_iter().all(|owner| owner.into_inner().expect("as above").is_none()));
    }
}

/// A panic unwinds through a frame that owns a future: its drop waits, and the parameters go after it.
#[test]
fn p4_a_future_waits_when_its_owner_unwinds() {
    let _watchdog = watch("panics::p4_a_future_waits_when_its_owner_unwinds", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let (go, runs) = (Signal::new(), AtomicUsize::new(0));
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let params = [&go; 20];
        let _future = pool.submit_batch_uniform(
            |go: &&Signal| {
                go.wait();
                runs.fetch_add(1, Ordering::Relaxed);
            },
            &params,
        );
        go.give();
        resume_unwind(Box::new("the owner"));
    }));
    assert_eq!(message(&*ended.expect_err("the owner panicked")), "the owner");
    assert_eq!(runs.into_inner(), 20);
}
