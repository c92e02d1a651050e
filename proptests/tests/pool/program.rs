//! A little language of submissions, and its two meanings: one task after the other, and on a pool.
//!
//! A program is a list of steps. A step is a number of tasks, what each of them does, and what becomes of their future. A
//! task runs the steps of its body, and then it panics or leaves a value, which is made of its index and of the values of
//! all tasks of its body:
//!
//! ```text
//!   value(steps) = sum of value(task) over all tasks of all steps
//!   value(task)  = mark(index) + value(body), or 0 if it panics
//! ```
//!
//! [`Step::meaning`] computes that by a loop. [`run`] does the same on a pool: each step gets memory of its own for the
//! parameters and the results of its tasks, which is freed when the step is over. So a task that runs too late writes to
//! memory that is gone, one that is lost or runs twice is counted, and each result has its place.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use zero_pool::{TaskFuture, ZeroPool, zp_define_task_fn, zp_write};

/// Some tasks that do the same.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    tasks: usize,
    /// Every so many tasks one panics; zero for none.
    panics: usize,
    body: Vec<Step>,
    end: End,
}

/// What becomes of a step's future.
#[derive(Clone, Copy, Debug)]
enum End {
    /// There is none, as the step is a loop over a range that begins here.
    Loop(usize),
    /// It is waited for.
    Wait,
    /// It is dropped.
    Drop,
    /// Another thread waits for it.
    Move,
    /// So many clones are waited for, each on a thread of its own, and another clone is dropped.
    Clones(usize),
    /// It is waited for in turns of no time and of a little, and then in earnest.
    Turns,
    /// It is asked until it says that it is complete, and then dropped.
    Ask,
}

/// What a task throws.
#[derive(Debug)]
struct Planned {
    step: *const Step,
    index: usize,
}

// SAFETY: the pointer is compared, and never dereferenced.
unsafe impl Send for Planned {}

/// What the value of a task has of its own.
fn mark(index: usize) -> u64 {
    (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::wrapping_add)
}

/// What a program means.
pub(crate) fn meaning(steps: &[Step]) -> u64 {
    sum(steps.iter().map(Step::meaning))
}

/// Runs a program on a pool, and returns its value.
pub(crate) fn run(pool: &ZeroPool, steps: &[Step]) -> u64 {
    sum(steps.iter().map(|step| step.run(pool)))
}

impl Step {
    fn panics_at(&self, index: usize) -> bool {
        self.panics > 0 && index % self.panics == self.panics - 1
    }

    fn panics_somewhere(&self) -> bool {
        (0..self.tasks).any(|index| self.panics_at(index))
    }

    fn meaning(&self) -> u64 {
        let body = meaning(&self.body);
        let alive = (0..self.tasks).filter(|&index| !self.panics_at(index));
        sum(alive.map(|index| mark(index).wrapping_add(body)))
    }

    /// Runs one task.
    fn task(&self, pool: &ZeroPool, index: usize) -> u64 {
        let body = run(pool, &self.body);
        if self.panics_at(index) {
            // Without the panic hook, which would print each of many.
            resume_unwind(Box::new(Planned { step: self, index }));
        }
        mark(index).wrapping_add(body)
    }

    /// Runs all tasks.
    fn run(&self, pool: &ZeroPool) -> u64 {
        match self.end {
            End::Loop(start) => self.run_as_loop(pool, start),
            _ => self.run_as_batch(pool),
        }
    }

    fn run_as_loop(&self, pool: &ZeroPool, start: usize) -> u64 {
        let mut results = vec![0; self.tasks];
        let params = self.params(pool, &mut results);
        let shared = Shared(&params);
        let body = |index: usize| task(shared.get(index - start));
        let ended = catch_unwind(AssertUnwindSafe(|| pool.for_each_index(start..start + self.tasks, body)));
        assert_eq!(self.payloads([ended]), usize::from(self.panics_somewhere()));
        collect(params, results)
    }

    fn run_as_batch(&self, pool: &ZeroPool) -> u64 {
        let mut results = vec![0; self.tasks];
        let params = self.params(pool, &mut results);
        self.end(pool.submit_batch_uniform(task, &params));
        collect(params, results)
    }

    fn params<'a>(&'a self, pool: &'a ZeroPool, results: &mut [u64]) -> Vec<Param<'a>> {
        let param = |(index, result): (usize, &mut u64)| Param {
            pool,
            step: self,
            index,
            runs: AtomicUsize::new(0),
            result,
        };
        results.iter_mut().enumerate().map(param).collect()
    }

    /// Does with the future what is to be done.
    fn end(&self, future: TaskFuture<'_>) {
        let panics = usize::from(self.panics_somewhere());
        match self.end {
            End::Drop => drop(future),
            End::Ask => {
                while !future.is_complete() {
                    thread::yield_now();
                }
            }
            End::Clones(clones) => assert_eq!(self.payloads(wait_for_clones(future, clones)), panics),
            End::Loop(_) | End::Wait => assert_eq!(self.payloads([wait(future)]), panics),
            End::Move => {
                let ended = thread::scope(|threads| threads.spawn(|| wait(future)).join());
                assert_eq!(self.payloads([ended.expect("panics are caught")]), panics);
            }
            End::Turns => {
                while !future.wait_timeout(Duration::ZERO) && !future.wait_timeout(Duration::from_micros(50))
                {
                }
                assert!(future.is_complete());
                assert_eq!(self.payloads([wait(future)]), panics);
            }
        }
    }

    /// Counts the payloads of this step's tasks among the ends of waits. The other ends are alike: all went well, or all
    /// say that another waiter has the payload.
    #[track_caller]
    fn payloads(&self, ends: impl IntoIterator<Item = thread::Result<()>>) -> usize {
        let mut payloads = 0;
        for end in ends {
            match end {
                Ok(()) => assert!(!self.panics_somewhere(), "the panic got lost"),
                Err(payload) => match payload.downcast::<Planned>() {
                    Ok(planned) => {
                        assert!(planned.step == self && self.panics_at(planned.index), "{planned:?}");
                        payloads += 1;
                    }
                    Err(other) => {
                        let text = other.downcast_ref::<&str>();
                        let known = "a task panicked, and another waiter has its payload";
                        assert_eq!(text, Some(&known), "a panic that was not planned");
                    }
                },
            }
        }
        payloads
    }
}

fn wait(future: TaskFuture<'_>) -> thread::Result<()> {
    catch_unwind(AssertUnwindSafe(|| future.wait()))
}

fn wait_for_clones(future: TaskFuture<'_>, clones: usize) -> Vec<thread::Result<()>> {
    thread::scope(|threads| {
        let clones: Vec<_> = (0..clones).map(|_| future.clone()).collect();
        let waiters: Vec<_> = clones.into_iter().map(|clone| threads.spawn(move || wait(clone))).collect();
        drop(future);
        waiters.into_iter().map(|waiter| waiter.join().expect("panics are caught")).collect()
    })
}

/// What a task reads, and where it writes.
struct Param<'a> {
    pool: &'a ZeroPool,
    step: &'a Step,
    index: usize,
    runs: AtomicUsize,
    result: *mut u64,
}

zp_define_task_fn!(task, Param<'_>, |param| {
    param.runs.fetch_add(1, Ordering::Relaxed);
    zp_write!(param.result, param.step.task(param.pool, param.index));
});

/// Lets a loop's body reach its parameters, whose raw pointers are one for each index.
#[derive(Clone, Copy)]
struct Shared<'a, 'p>(&'a [Param<'p>]);

// SAFETY: a loop calls its body once for each index, so that each result has one writer.
unsafe impl Sync for Shared<'_, '_> {}

impl<'a, 'p> Shared<'a, 'p> {
    fn get(&self, index: usize) -> &'a Param<'p> {
        &self.0[index]
    }
}

/// Checks that each task ran once, and sums up what they left.
#[track_caller]
fn collect(params: Vec<Param<'_>>, results: Vec<u64>) -> u64 {
    for param in params {
        let runs = param.runs.into_inner();
        assert_eq!(runs, 1, "task {} of {:?}", param.index, param.step);
    }
    sum(results.into_iter())
}

/// Ends that any step may have: none asks whether others got on, as inside of a task nobody else may be there to do so.
fn inner_end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => start().prop_map(End::Loop),
        4 => Just(End::Wait),
        2 => Just(End::Drop),
        1 => Just(End::Move),
        1 => (1..=3_usize).prop_map(End::Clones),
    ]
}

/// Ends of the steps outside of all tasks.
fn outer_end() -> impl Strategy<Value = End> {
    prop_oneof![3 => inner_end(), 1 => Just(End::Turns), 1 => Just(End::Ask)]
}

/// Where a range begins, with room for all tasks.
fn start() -> impl Strategy<Value = usize> {
    const ROOM: usize = 10_000;
    prop_oneof![Just(0), Just(usize::MAX - ROOM), 0..usize::MAX - ROOM]
}

fn panics() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(0), 1 => 1..=5_usize, 1 => 1..=50_usize]
}

fn step(
    tasks: impl Strategy<Value = usize>,
    body: impl Strategy<Value = Vec<Step>>,
    end: impl Strategy<Value = End>,
) -> impl Strategy<Value = Step> {
    let parts = (tasks, panics(), body, end);
    parts.prop_map(|(tasks, panics, body, end)| Step { tasks, panics, body, end })
}

/// Steps inside of tasks, with up to so many levels below them.
fn body(levels: u32) -> BoxedStrategy<Vec<Step>> {
    if levels == 0 {
        return Just(Vec::new()).boxed();
    }
    let steps = prop::collection::vec(step(0..=5_usize, body(levels - 1), inner_end()), 0..=2);
    steps.boxed()
}

/// Programs with up to so many levels of tasks inside of tasks.
pub(crate) fn programs(levels: u32) -> impl Strategy<Value = Vec<Step>> {
    let flat = step(0..=3_000_usize, body(0), outer_end());
    let deep = step(0..=20_usize, body(levels), outer_end());
    prop::collection::vec(prop_oneof![flat, deep], 0..=4)
}
