//! The tasks of a program's batch: they count their runs, and panic where they are told to.
//!
//! A job is the memory that its batch works on. The program keeps every job to its end, so that a task that runs too
//! late, after its waiter took the memory back, is a count and not a crash.

use std::cell::Cell;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use zero_pool::batch::{Batch, Claim, Plan, Work};
use zero_pool::unwind::{self, Payload};

thread_local! {
    /// Whether the next range that this thread runs is the first of a worker's participation.
    static JOINING: Cell<bool> = const { Cell::new(false) };
}

/// The tasks of one batch.
#[derive(Debug)]
pub(super) struct Job {
    plan: Plan,
    /// Every task whose index is a multiple of this panics; none does if it is zero.
    panics: u64,
    runs: Vec<AtomicU32>,
    /// Runs after the end.
    late: AtomicU32,
    ended: AtomicBool,
    joined: AtomicU32,
    asked: AtomicBool,
    payloads: Arc<Payloads>,
}

/// How many payloads were thrown, and how many of them are left.
#[derive(Debug, Default)]
struct Payloads {
    thrown: AtomicU32,
    alive: AtomicU32,
}

/// What a task throws.
#[derive(Debug)]
pub(super) struct Thrown {
    /// The task.
    pub(super) task: u64,
    payloads: Arc<Payloads>,
}

impl Drop for Thrown {
    fn drop(&mut self) {
        self.payloads.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Job {
    pub(super) fn new(plan: Plan, panics: u64) -> Arc<Self> {
        Arc::new(Self {
            plan,
            panics,
            runs: (0..plan.tasks).map(|_| AtomicU32::new(0)).collect(),
            late: AtomicU32::new(0),
            ended: AtomicBool::new(false),
            joined: AtomicU32::new(0),
            asked: AtomicBool::new(false),
            payloads: Arc::default(),
        })
    }

    /// Makes the batch.
    ///
    /// # Safety
    ///
    /// - The job outlives every use of the batch.
    pub(super) unsafe fn batch(self: &Arc<Self>) -> Box<Batch> {
        let work = Work { run, context: Arc::as_ptr(self).cast() };
        // SAFETY: a job is atomics, and runs whatever range it is given on whatever thread; it lives long enough, as
        // the caller owes.
        unsafe { Batch::new(work, self.plan) }
    }

    /// Tells whether a task panics.
    pub(super) fn panics(&self, task: u64) -> bool {
        self.panics != 0 && task.is_multiple_of(self.panics)
    }

    /// The waiter takes the memory back.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Tells whether nobody was told of a panic before.
    pub(super) fn first_outcome(&self) -> bool {
        !self.asked.swap(true, Ordering::Relaxed)
    }

    fn run(&self, task: usize) {
        if self.ended.load(Ordering::Relaxed) {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
        self.runs[task].fetch_add(1, Ordering::Relaxed);
        let task = task as u64;
        if self.panics(task) {
            self.payloads.thrown.fetch_add(1, Ordering::Relaxed);
            self.payloads.alive.fetch_add(1, Ordering::Relaxed);
            let payloads = Arc::clone(&self.payloads);
            // Without the panic hook, which would print.
            resume_unwind(Box::new(Thrown { task, payloads }));
        }
    }

    /// Tells how often the tasks of a range ran, if all ran equally often.
    pub(super) fn runs(&self, range: Range<u64>) -> Option<u32> {
        let mut runs = self.runs[range.start as usize..range.end as usize].iter();
        let first = runs.next()?.load(Ordering::Relaxed);
        runs.all(|runs| runs.load(Ordering::Relaxed) == first).then_some(first)
    }

    /// Counts the payloads that exist.
    pub(super) fn payloads(&self) -> u32 {
        self.payloads.alive.load(Ordering::Relaxed)
    }

    /// Asserts what is true of a job at the end of every program.
    pub(super) fn assert_ended_well(&self) {
        let Plan { tasks, helpers, .. } = self.plan;
        assert_eq!(self.runs(0..tasks), Some(1), "B1: some task ran not once: {:?}", self.runs);
        let joined = self.joined.load(Ordering::Relaxed);
        assert!(joined <= helpers, "B4: {joined} workers joined, and {helpers} were admitted");
        assert_eq!(self.late.load(Ordering::Relaxed), 0, "B3: tasks ran after the wait");
        let panicking = (0..tasks).filter(|&task| self.panics(task)).count();
        assert_eq!(self.payloads.thrown.load(Ordering::Relaxed) as usize, panicking, "X1: panics");
        assert_eq!(self.payloads(), 0, "B5: payloads are left");
    }
}

/// Runs the first range of a worker's participation, and counts the worker.
pub(super) fn run_joined(claim: &mut Claim) {
    JOINING.set(true);
    claim.run();
    JOINING.set(false);
}

/// Runs tasks of the job behind `context`.
///
/// # Safety
///
/// - `context` is the address of a job that is alive.
unsafe fn run(context: *const (), range: Range<usize>) -> Option<Payload> {
    // SAFETY: passed on to the caller.
    let job = unsafe { &*context.cast::<Job>() };
    if JOINING.take() {
        job.joined.fetch_add(1, Ordering::Relaxed);
    }
    unwind::run_each(range, |task| job.run(task))
}
