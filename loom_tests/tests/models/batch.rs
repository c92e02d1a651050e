//! Models of a batch: claims, completion, the panic slot, and the end of its node.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::{Acquire, Release};
use loom::thread::JoinHandle;
use zero_pool_loom::batch::{Claim, Handle, Outcome};
use zero_pool_loom::idle::Woken;
use zero_pool_loom::injector::Injector;
use zero_pool_loom::worker::{self, participate};

use crate::fixture::{
    Gate, Tasks, await_workers, dismiss, end, finish, finish_and_sweep, help, injector, parked, sleep, spawn,
    work_once,
};
use crate::support::{Bound, ORACLES, THREE};

/// A worker and the waiter claim from one batch: every task runs once, and the caller's memory outlives the last.
fn b1_a_worker_and_the_waiter_share() {
    let injector = injector(0);
    let tasks = Tasks::new(2);
    let handle = injector.publish(tasks.batch());
    let worker = spawn(&injector, work_once);
    finish(&injector, handle);
    tasks.collect();
    end(worker);
}

/// A waiter sweeps while the first of two tasks waits for the second to run: what is half claimed stays in the queue.
fn b1_a_sweep_leaves_what_is_unclaimed() {
    let injector = injector(0);
    let gate = Gate::new();
    let tasks = Tasks::with(2, move |index| if index == 0 { gate.pass() } else { gate.open() });
    let behind = [1; 2].map(Tasks::new);
    injector.release(injector.publish(tasks.batch()));
    let worker = spawn(&injector, work_once);
    for tasks in &behind {
        finish_and_sweep(&injector, injector.publish(tasks.batch()));
    }
    while work_once(&injector) {}
    end(worker);
    tasks.collect();
    behind.iter().for_each(|tasks| tasks.collect());
}

/// The waiter runs its own node dry while others unlink it: nobody may see the node after it was retired, and the
/// next batch is found.
fn b3_a_waiter_helps_while_others_unlink() {
    let injector = injector(0);
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

/// The waiter unlinks its own node, and others before it, while a worker stands there.
fn b3_a_waiter_unlinks_its_own() {
    let injector = injector(0);
    let tasks = [1; 2].map(Tasks::new);
    let [first, behind] = tasks.each_ref().map(|tasks| injector.publish(tasks.batch()));
    let worker = spawn(&injector, work_once);
    finish_and_sweep(&injector, first);
    end(worker);
    finish_and_sweep(&injector, behind);
    tasks.iter().for_each(|tasks| tasks.collect());
}

/// Two workers look at a node while its last task ends and its handle goes: who comes late reads only the claim word.
fn b3_a_late_visitor_finds_no_work() {
    let injector = injector(0);
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
    let injector = injector(0);
    let (first, second) = (Tasks::new(2), Tasks::new(1));
    let handles = [injector.publish(first.planned(1)), injector.publish(second.planned(1))];
    let other = spawn(&injector, work_once);
    let mine = work_once(&injector);
    assert!(mine | end(other));
    handles.into_iter().for_each(|handle| finish(&injector, handle));
    first.collect();
    second.collect();
}

/// Two workers claim at once from a batch that admits one: the second gets the batch behind.
fn b4_a_capped_batch_admits_one() {
    let injector = injector(0);
    let (first, second) = (Tasks::new(2), Tasks::new(1));
    let handles = [first.planned(1), second.planned(1)].map(|batch| injector.publish(batch));
    let take = |injector: &Injector| injector.take().expect("a batch for each");
    let other = spawn(&injector, take);
    let claims = [take(&injector), end(other)];
    let of_first = |claim: &&Claim| std::ptr::eq(claim.batch(), handles[0].batch());
    assert_eq!(claims.iter().filter(of_first).count(), 1, "B4: one helper");
    claims.into_iter().for_each(|claim| participate(&injector, claim));
    handles.into_iter().for_each(|handle| finish(&injector, handle));
    first.collect();
    second.collect();
}

/// A worker parks while a batch that admits no more is unfinished: it is not woken for what it cannot have.
fn b4_a_full_batch_wakes_nobody() {
    let injector = injector(1);
    let tasks = Tasks::new(2);
    let handle = injector.publish(tasks.planned(1));
    let claim = injector.take().expect("it admits one");
    let worker = spawn(&injector, |injector| {
        // SAFETY: the seat is taken once.
        let announced = injector.announce(unsafe { injector.seat(0) }, None);
        announced.is_none_or(|announced| matches!(sleep(injector, announced), Woken::Closed))
    });
    participate(&injector, claim);
    await_workers(&injector, handle);
    tasks.collect();
    let undisturbed = dismiss(&injector, [worker]);
    assert_eq!(undisturbed, [true], "woken for a batch that admits no more");
}

/// A panic's payload: plain content, which is read when it is dropped, so that only the slot can order the two.
struct Content {
    index: UnsafeCell<usize>,
    /// Of `std`, as a count that orders nothing.
    drops: Arc<AtomicUsize>,
}

// SAFETY: loom runs every modelled thread on one thread of the system.
unsafe impl Send for Content {}

impl Content {
    fn read(&self) -> usize {
        // SAFETY: loom checks that the write came before.
        self.index.with(|index| unsafe { *index })
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        assert_ne!(self.read(), usize::MAX);
        self.drops.fetch_add(1, Relaxed);
    }
}

/// Tasks that panic, and how many of their payloads were dropped.
fn panicking(tasks: usize) -> (Arc<Tasks>, Arc<AtomicUsize>) {
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&drops);
    let tasks = Tasks::with(tasks, move |index| {
        let content = UnsafeCell::new(usize::MAX);
        // SAFETY: nobody else has it.
        content.with_mut(|content| unsafe { *content = index });
        let drops = Arc::clone(&counted);
        resume_unwind(Box::new(Content { index: content, drops }))
    });
    (tasks, drops)
}

/// Two tasks panic on two threads: the waiter gets one payload, whole, and the other is dropped.
fn b5_the_first_payload_reaches_the_waiter() {
    let injector = injector(0);
    let (tasks, drops) = panicking(2);
    let handle = injector.publish(tasks.batch());
    let worker = spawn(&injector, work_once);
    help(&injector, &handle);
    injector.wait(&handle);
    tasks.collect();
    let Outcome::Panicked(payload) = handle.outcome() else { panic!("B5: no payload") };
    let content = payload.downcast_ref::<Content>().expect("the payload thrown");
    assert!(content.read() < 2);
    assert_eq!(drops.load(Relaxed), 1, "B5: one payload is kept, the other dropped");
    assert!(matches!(handle.outcome(), Outcome::PanicTaken));
    injector.release(handle);
    end(worker);
    drop(payload);
    assert_eq!(drops.load(Relaxed), 2);
}

/// Two who wait for tasks of which none panics: neither is told of a panic because the other has asked.
fn b5_two_waiters_and_no_panic() {
    let injector = injector(0);
    let tasks = Tasks::new(1);
    let handle = injector.publish(tasks.batch());
    let clone = handle.clone();
    let wait = |injector: &Injector, handle: Handle| {
        worker::wait(injector, &handle);
        assert!(matches!(handle.outcome(), Outcome::Done), "B5: a panic of nobody's");
        handle.part().into_iter().for_each(|last| injector.release(last));
    };
    let other = spawn(&injector, move |injector| wait(injector, clone));
    wait(&injector, handle);
    end(other);
    tasks.collect();
}

/// A handle that goes while a task panics: the payload is dropped by one of them, once, and its content is visible.
fn b5_a_payload_nobody_waits_for() {
    let injector = injector(0);
    let (tasks, drops) = panicking(1);
    let handle = injector.publish(tasks.batch());
    let worker = spawn(&injector, work_once);
    injector.release(handle);
    assert!(end(worker));
    tasks.collect();
    assert_eq!(drops.load(Relaxed), 1, "B5: dropped once");
}

/// Two clones of a handle, which alone hold a finished node, are parted from on two threads: one of them is the last, and
/// frees what both have looked at.
fn b6_one_of_two_clones_is_the_last() {
    let injector = injector(0);
    let (tasks, behind) = (Tasks::new(1), Tasks::new(1));
    let one = injector.publish(tasks.batch());
    injector.release(injector.publish(behind.batch()));
    while work_once(&injector) {}
    let two = one.clone();
    let part = |injector: &Injector, handle: Handle| {
        let last = handle.part();
        last.map(|last| injector.release(last)).is_some()
    };
    let other = spawn(&injector, move |injector| part(injector, two));
    let mine = part(&injector, one);
    assert!(mine ^ end(other), "B6: one handle is the last");
    tasks.collect();
    behind.collect();
}

/// A submitter that is about to link behind a node, which is exhausted, while others link there, unlink the node and
/// retire it: it is pinned, so the node stays.
fn r1_a_submitter_pins_the_last_node() {
    let injector = injector(0);
    let tasks = [1; 3].map(Tasks::new);
    finish(&injector, injector.publish(tasks[0].batch()));
    let late = {
        let batch = tasks[1].batch();
        spawn(&injector, |injector| injector.release(injector.publish(batch)))
    };
    injector.release(injector.publish(tasks[2].batch()));
    assert!(work_once(&injector));
    end(late);
    while work_once(&injector) {}
    tasks.iter().for_each(|tasks| tasks.collect());
}

/// The only task is finished by a worker who stops there, while the waiter gives its handle up and unlinks the node: what
/// the worker does afterwards must not touch it.
fn l1_a_completion_is_the_last_touch() {
    let injector = injector(0);
    let (tasks, next) = (Tasks::new(1), Tasks::new(1));
    let handle = injector.publish(tasks.batch());
    let behind = injector.publish(next.batch());
    let worker = spawn(&injector, work_once);
    await_workers(&injector, handle);
    tasks.collect();
    assert!(work_once(&injector));
    end(worker);
    next.collect();
    injector.release(behind);
}

/// The queue, the handle and the last task let go of a node at once: it is retired once, and not before.
fn n1_three_holders_let_go_at_once() {
    let injector = injector(0);
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

/// Takes part as a guest. It does not wait, as more accesses to the latch would hide this one from loom.
fn visit(injector: &Injector, handle: &Handle) {
    if let Some(claim) = handle.join() {
        participate(injector, claim);
    }
}

/// The last look of a worker that leaves, against a guest who claims: if the worker finds the batch taken, whoever waits
/// for the worker and then for all waits for that guest.
fn w5_a_last_look_meets_a_guest() {
    let injector = injector(0);
    let tasks = Tasks::new(1);
    let handle = injector.publish(tasks.batch());
    let leaving = {
        let tasks = Arc::clone(&tasks);
        spawn(&injector, move |injector| {
            while work_once(injector) {}
            injector.wait_for_all();
            tasks.collect();
        })
    };
    visit(&injector, &handle);
    end(leaving);
    injector.release(handle);
}

/// The same when the last look does not even see the batch, since the worker unlinked it when it parked.
fn w5_a_guest_whose_batch_is_unlinked() {
    let injector = injector(1);
    let (tasks, behind) = (Tasks::new(1), Tasks::new(1));
    let handle = injector.publish(tasks.batch());
    finish(&injector, injector.publish(behind.batch()));
    let leaving = {
        let tasks = Arc::clone(&tasks);
        spawn(&injector, move |injector| {
            let announced = parked(injector, 0);
            injector.close();
            drop(injector.sleep(announced));
            while work_once(injector) {}
            injector.wait_for_all();
            tasks.collect();
        })
    };
    visit(&injector, &handle);
    end(leaving);
    injector.release(handle);
}

/// A waiter unlinks a batch whose task a guest has, while the pool goes: where one looks into the queue and the other at the count,
/// the batch is in one of the two.
fn w5_a_sweep_beside_the_drain() {
    let injector = injector(0);
    let (tasks, behind) = (Tasks::new(1), Tasks::new(1));
    let handle = injector.publish(tasks.batch());
    let claim = handle.join().expect("nobody else is here");
    let swept = injector.publish(behind.batch());
    help(&injector, &swept);
    injector.release(handle);
    let guest = spawn(&injector, move |injector| participate(injector, claim));
    let sweeper = sweep_beside(&injector, swept);
    injector.wait_for_all();
    tasks.collect();
    end(guest);
    injector.release(end(sweeper));
    behind.collect();
}

/// A thread that unlinks what is spent, and returns the handle.
fn sweep_beside(injector: &Arc<Injector>, handle: Handle) -> JoinHandle<Handle> {
    spawn(injector, move |injector| {
        injector.sweep_after(&handle);
        handle
    })
}

/// Who claims the one task that is there knows that another has been published, by another thread. So there is a task at all times, and
/// who is refused by the claimed batch finds the next one.
fn q5_who_claims_knew_of_another_batch() {
    let injector = injector(0);
    let [first, last] = [1; 2].map(Tasks::new);
    let oldest = injector.publish(first.batch());
    let is_published = Arc::new(AtomicBool::new(false));
    let publisher = {
        let (last, is_published) = (Arc::clone(&last), Arc::clone(&is_published));
        spawn(&injector, move |injector| {
            let newest = injector.publish(last.batch());
            is_published.store(true, Release);
            newest
        })
    };
    let claimer = spawn(&injector, move |injector| {
        if is_published.load(Acquire) {
            help(injector, &oldest);
        }
        oldest
    });
    assert!(work_once(&injector), "Q5: EMPTY, and there was a task at all times");
    [end(claimer), end(publisher)].into_iter().for_each(|handle| finish(&injector, handle));
    [first, last].iter().for_each(|tasks| tasks.collect());
}

/// Who claims the one task that is there has published another. So there is a task at all times, and who does not meet the claimed batch
/// any more, as another one has found it spent, and unlinked it, finds that.
fn q5_who_finds_a_batch_unlinked() {
    let injector = injector(0);
    let tasks = [1; 3].map(Tasks::new);
    let [oldest, behind] = [0, 1].map(|at: usize| injector.publish(tasks[at].batch()));
    help(&injector, &behind);
    let newest = Arc::clone(&tasks[2]);
    let other = spawn(&injector, move |injector| {
        let newest = injector.publish(newest.batch());
        help(injector, &oldest);
        [oldest, newest]
    });
    let sweeper = sweep_beside(&injector, behind);
    assert!(work_once(&injector), "Q5: EMPTY, and there was a task at all times");
    injector.release(end(sweeper));
    end(other).into_iter().for_each(|handle| finish(&injector, handle));
    tasks.iter().for_each(|tasks| tasks.collect());
}

crate::table! { "batch":
    q5_who_claims_knew_of_another_batch(THREE, ORACLES),
    q5_who_finds_a_batch_unlinked(THREE, ORACLES),
    b1_a_worker_and_the_waiter_share(Bound::None, ORACLES),
    b1_a_sweep_leaves_what_is_unclaimed(THREE, ORACLES),
    b3_a_waiter_helps_while_others_unlink(Bound::None, ORACLES),
    b3_a_waiter_unlinks_its_own(THREE, ORACLES),
    b3_a_late_visitor_finds_no_work(THREE, ORACLES),
    w5_a_sweep_beside_the_drain(THREE, ORACLES),
    b4_a_capped_batch_lets_others_pass(Bound::None, ORACLES),
    b4_a_capped_batch_admits_one(THREE, ORACLES),
    b4_a_full_batch_wakes_nobody(Bound::None, ORACLES),
    b5_the_first_payload_reaches_the_waiter(Bound::None, ORACLES),
    b5_a_payload_nobody_waits_for(Bound::None, ORACLES),
    b5_two_waiters_and_no_panic(THREE, ORACLES),
    b6_one_of_two_clones_is_the_last(Bound::None, ORACLES),
    r1_a_submitter_pins_the_last_node(THREE, ORACLES),
    l1_a_completion_is_the_last_touch(THREE, ORACLES),
    n1_three_holders_let_go_at_once(Bound::None, ORACLES),
    w5_a_last_look_meets_a_guest(THREE, ORACLES),
    w5_a_guest_whose_batch_is_unlinked(THREE, ORACLES),
}
