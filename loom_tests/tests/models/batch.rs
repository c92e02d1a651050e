//! Models of a batch: claims, completion, the panic slot, and the end of its node.

use std::panic::resume_unwind;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use zero_pool_loom::batch::Outcome;
use zero_pool_loom::injector::Injector;

use crate::fixture::{Tasks, await_workers, end, finish, help, spawn, work_once};
use crate::support::{Bound, ORACLES, THREE};

/// A worker and the waiter claim from one batch: every task runs once, and the caller's memory outlives the last.
fn b1_a_worker_and_the_waiter_share() {
    let injector = Arc::new(Injector::new(0));
    let tasks = Tasks::new(2);
    let handle = injector.publish(tasks.batch());
    let worker = spawn(&injector, work_once);
    finish(&injector, handle);
    tasks.collect();
    end(worker);
}

/// The waiter runs its own node dry while others unlink it: nobody may see the node after it was retired, and the
/// next batch is found.
fn b3_a_waiter_helps_while_others_unlink() {
    let injector = Arc::new(Injector::new(0));
    let tasks = Tasks::new(1);
    let next = Tasks::new(1);
    let handle = injector.publish(tasks.batch());
    let behind = injector.publish(next.batch());
    let worker = spawn(&injector, work_once);
    finish(&injector, handle);
    tasks.collect();
    end(worker);
    finish(&injector, behind);
    next.collect();
}

/// Two workers look at a node while its last task ends and its handle goes: who comes late reads only the claim word.
fn b3_a_late_visitor_finds_no_work() {
    let injector = Arc::new(Injector::new(0));
    let tasks = Tasks::new(1);
    let handle = injector.publish(tasks.batch());
    let one = spawn(&injector, work_once);
    let two = spawn(&injector, work_once);
    await_workers(&injector, handle);
    tasks.collect();
    assert!(end(one) ^ end(two));
}

/// Two workers at a batch that admits one: the second goes on to the batch behind.
fn b4_a_capped_batch_lets_others_pass() {
    let injector = Arc::new(Injector::new(0));
    let (first, second) = (Tasks::new(2), Tasks::new(1));
    let handles = [
        injector.publish(first.planned(1)),
        injector.publish(second.planned(1)),
    ];
    let other = spawn(&injector, work_once);
    let mine = work_once(&injector);
    assert!(mine | end(other));
    handles.into_iter().for_each(|handle| finish(&injector, handle));
    first.collect();
    second.collect();
}

/// Two tasks panic on two threads: the waiter gets one payload, whole, and the other is dropped.
fn b5_the_first_payload_reaches_the_waiter() {
    let injector = Arc::new(Injector::new(0));
    let tasks = Tasks::panicking(2);
    let handle = injector.publish(tasks.batch());
    let worker = spawn(&injector, work_once);
    help(&injector, &handle);
    injector.wait(&handle);
    tasks.collect();
    let Outcome::Panicked(payload) = handle.outcome() else {
        panic!("B5: no payload")
    };
    assert!(payload.downcast_ref::<usize>().is_some_and(|&index| index < 2));
    assert!(matches!(handle.outcome(), Outcome::PanicTaken));
    injector.release(handle);
    end(worker);
}

/// A handle that goes while a task panics: the payload is dropped, by one of them, with its content visible.
fn b5_a_payload_nobody_waits_for() {
    let injector = Arc::new(Injector::new(0));
    let tasks = Tasks::panicking(1);
    let handle = injector.publish(tasks.batch());
    let worker = spawn(&injector, work_once);
    injector.release(handle);
    assert!(end(worker));
    tasks.collect();
}

/// A payload that is read when it is dropped: its content must be ordered before the drop by the slot alone.
fn b5_a_payload_is_whole_when_it_is_dropped() {
    struct Content(UnsafeCell<u32>);
    // SAFETY: loom runs every modelled thread on one thread of the system.
    unsafe impl Send for Content {}
    impl Drop for Content {
        fn drop(&mut self) {
            // SAFETY: loom checks that the write came before.
            assert_eq!(self.0.with(|content| unsafe { *content }), 7);
        }
    }
    let injector = Arc::new(Injector::new(0));
    let tasks = Tasks::with(1, |_| {
        let content = UnsafeCell::new(0);
        // SAFETY: nobody else has it.
        content.with_mut(|content| unsafe { *content = 7 });
        resume_unwind(Box::new(Content(content)))
    });
    let handle = injector.publish(tasks.batch());
    let worker = spawn(&injector, work_once);
    injector.release(handle);
    assert!(end(worker));
    tasks.collect();
}

/// The queue, the handle and the last task let go of a node at once: it is retired once, and not before.
fn n1_three_holders_let_go_at_once() {
    let injector = Arc::new(Injector::new(0));
    let (tasks, next) = (Tasks::new(1), Tasks::new(1));
    let handle = injector.publish(tasks.batch());
    let worker = spawn(&injector, work_once);
    let behind = injector.publish(next.batch());
    injector.release(handle);
    end(worker);
    while work_once(&injector) {}
    tasks.collect();
    next.collect();
    injector.release(behind);
}

crate::table! { "batch":
    b1_a_worker_and_the_waiter_share(THREE, ORACLES),
    b3_a_waiter_helps_while_others_unlink(THREE, ORACLES),
    b3_a_late_visitor_finds_no_work(THREE, ORACLES),
    b4_a_capped_batch_lets_others_pass(THREE, ORACLES),
    b5_the_first_payload_reaches_the_waiter(THREE, ORACLES),
    b5_a_payload_nobody_waits_for(Bound::None, ORACLES),
    b5_a_payload_is_whole_when_it_is_dropped(Bound::None, ORACLES),
    n1_three_holders_let_go_at_once(THREE, ORACLES),
}
