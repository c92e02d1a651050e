//! Lock-freedom, by experiment: a thread that stops for good hinders nobody.
//!
//! One thread, the *victim*, does one operation. The scheduler stops it before its `k`th atomic step and never lets it go
//! on, while two others submit tasks, claim them and complete them. They must all come to their end. Then the same with the
//! next `k`, until the operation is through before its `k`th step in every schedule, so that each step was one to stop at.
//!
//! ```text
//!   victim   ─ step 0 ─ step 1 ─ .. ─ step k-1 ┤ stopped, for good
//!   others   ─ submit ─ claim ─ complete ─ submit ─ claim ─ complete ─▶ through
//! ```
//!
//! Each of the others has at any time submitted as many tasks as it claimed or one more. So whenever one claims, there is a
//! task to claim, whatever the victim does: an empty answer is one to try again, and never the end.
//!
//! | the operation under test | steps |
//! |---|---|
//! | submit | publish a batch: unlink what is exhausted, link, help, wake a worker |
//! | claim | find a batch and claim a task of it |
//! | unlink | the same, with exhausted batches at the head |
//! | complete | count a task as finished, be the last and retire the node |
//! | release | give a handle up, be the last and retire the node |
//! | pool | submit to a whole pool, where two other threads submit and wait, and two workers run what they find |
//!
//! **The test can fail.** Two other queues go through it: one that swaps its tail before it links, whose victim hides the
//! tasks of the others between the two steps, and one under a lock. Both must be found out.
//!
//! What is no part of it: sleeping and waiting, which are not lock-free. A task that was claimed by a victim is finished by
//! nobody. A worker that was woken to look for work and stops in that state keeps others from being woken (W2), though
//! whoever waits for its own tasks runs them itself.

mod others;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Failed, Trial};
use shuttle::thread::{self, JoinHandle};
use zero_pool_shuttle::ZeroPool;

use crate::driver::{self, Program, SCHEDULE};
use crate::scheduler::{Name, Victim, arm, disarm, release_victim};
use others::{Fifo, Injected, Locked, SwapThenLink};

/// Schedules for each step to stop at.
const SCHEDULES: usize = 300;

/// An operation of the victim, on a queue that was prepared for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Submit,
    Claim,
    Unlink,
    Complete,
    Release,
}

/// Makes the program in which the victim does this operation. Counts how often it was stopped within it.
fn program<Q: Fifo>(operation: Operation, hits: &Arc<AtomicUsize>) -> Program {
    let hits = Arc::clone(hits);
    Arc::new(move || {
        let queue = Arc::new(Q::prepared(operation));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || (0..2).for_each(|_| round(&*queue)))
            })
            .collect();
        let victim = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.operate(operation, arm, disarm))
        };
        conclude(others, victim, &hits);
    })
}

/// Makes the program in which the victim submits to a whole pool, whose workers run the tasks of the others meanwhile.
fn pool_program(hits: &Arc<AtomicUsize>) -> Program {
    let hits = Arc::clone(hits);
    Arc::new(move || {
        let pool = Arc::new(ZeroPool::with_workers(2));
        let start = |body: fn(&ZeroPool)| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || body(&pool))
        };
        let others = (0..2).map(|_| {
            start(|pool| {
                pool.submit_task(|_: &()| (), &()).wait();
                pool.for_each_index(0..3, |_| ());
            })
        });
        let others = others.collect();
        let victim = start(|pool| {
            arm();
            let handle = pool.spawn(|| ());
            disarm();
            drop(handle);
        });
        conclude(others, victim, &hits);
    })
}

/// Waits for the others, counts whether the victim was stopped meanwhile, and lets it go on.
fn conclude(others: Vec<JoinHandle<()>>, victim: JoinHandle<()>, hits: &AtomicUsize) {
    others.into_iter().for_each(|other| other.join().expect("the other ends"));
    match release_victim() {
        Victim::Missed(why) => panic!("with the victim stopped, {why}"),
        Victim::Stopped(..) => _ = hits.fetch_add(1, Ordering::Relaxed),
        Victim::Armed(..) | Victim::Running => {}
    }
    victim.join().expect("the victim ends");
}

/// What the others do: submit a task, and run one.
fn round<Q: Fifo>(queue: &Q) {
    queue.submit();
    while !queue.run_one() {}
}

/// Yields schedules that stop before step `stop`. With priorities a thread may wait for ever for its turn, so that it is not
/// the victim alone that stands.
fn names(stop: u32, priorities: bool) -> impl FnMut(u32) -> Option<Name> + Send + 'static {
    let mut names = driver::names(0x57A1_1000 + u64::from(stop), SCHEDULES);
    move |longest| {
        let name = names(longest)?;
        Some(Name { steps: name.steps.filter(|_| priorities), stop: Some(stop), ..name })
    }
}

/// Stops the victim before each step in turn; returns at how many steps it was stopped, or the first failure.
fn sweep(
    test: &str,
    program: impl FnOnce(&Arc<AtomicUsize>) -> Program,
    priorities: bool,
) -> Result<u32, String> {
    let hits = Arc::new(AtomicUsize::new(0));
    let program = program(&hits);
    for stop in 0.. {
        driver::check(test, &program, names(stop, priorities))?;
        if std::env::var_os(SCHEDULE).is_some() || hits.swap(0, Ordering::Relaxed) == 0 {
            return Ok(stop);
        }
    }
    unreachable!("an operation ends")
}

/// The tests: each operation on the queue of the crate, and the two that must fail.
pub fn tests() -> Vec<Trial> {
    let injected = |operation| move |hits: &Arc<AtomicUsize>| program::<Injected>(operation, hits);
    vec![
        test("stall::submit", injected(Operation::Submit), 12),
        test("stall::claim", injected(Operation::Claim), 6),
        test("stall::unlink", injected(Operation::Unlink), 12),
        test("stall::complete", injected(Operation::Complete), 2),
        test("stall::release", injected(Operation::Release), 2),
        test("stall::pool", pool_program, 12),
        Trial::test(HIDDEN, || {
            // Before its second step, the link, and nowhere else.
            let program = |hits: &_| program::<SwapThenLink>(Operation::Submit, hits);
            must_fail("without end", sweep(HIDDEN, program, false))
        }),
        Trial::test(LOCKED, || {
            let program = |hits: &_| program::<Locked>(Operation::Submit, hits);
            must_fail("wait for it", sweep(LOCKED, program, false))
        }),
    ]
}

/// Makes the test of a program whose victim can be stopped at so many steps at the least.
fn test(
    name: &'static str,
    program: impl FnOnce(&Arc<AtomicUsize>) -> Program + Send + 'static,
    least: u32,
) -> Trial {
    Trial::test(name, move || {
        let steps = sweep(name, program, true)?;
        // An operation that got shorter deserves a look: perhaps it is not what is stopped any more.
        if std::env::var_os(SCHEDULE).is_none() && steps < least {
            return Err(format!("it was stopped at {steps} steps only").into());
        }
        Ok(())
    })
}

const HIDDEN: &str = "stall::swap_then_link_is_found_out";
const LOCKED: &str = "stall::a_lock_is_found_out";

/// The victim must have been missed when it stood before its second step.
fn must_fail(how: &str, result: Result<u32, String>) -> Result<(), Failed> {
    match result {
        Err(failure) if failure.contains(how) && failure.contains("@1, after") => Ok(()),
        Err(failure) => Err(format!("it failed in another way: {failure}").into()),
        Ok(steps) => Err(format!("it passed, stopped at {steps} steps").into()),
    }
}
