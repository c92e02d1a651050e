//! Programs on real threads: the steps of several lists at once, on one injector.
//!
//! What a step answers depends on the other threads, so only what is true in the end is judged: each task ran once, no
//! batch was joined by more workers than it admits, a batch with a panic gave out one payload, and each node was freed
//! once. (In which order tasks were claimed is judged by the [histories](crate::history).)
//!
//! A handle stays with the thread that published. A participation goes on until its batch is exhausted, as nobody knows
//! here who else could claim what it leaves. Before a thread waits it ends its own participations, or two threads could
//! wait for each other.

use std::sync::{Arc, Barrier};
use std::thread;

use zero_pool::batch::{Claim, Handle, Outcome, Plan};
use zero_pool::injector::Injector;

use super::job::{self, Job, Thrown};
use super::{PARTICIPANTS, Step, assert_all_dead};
use crate::census::{self, Census};

/// Runs each list of steps on a thread of its own, so many times.
pub fn run_on_threads(programs: &[Vec<Step>], times: usize) {
    let census = Census::new();
    let injector = census.enrol(|| Injector::new(0));
    let start = Barrier::new(programs.len());
    let batches = thread::scope(|scope| {
        let runner = |steps| {
            let mut runner = Runner::new(&census, &injector);
            start.wait();
            (0..times).for_each(|_| runner.run(steps));
            runner.batches
        };
        let threads: Vec<_> = programs.iter().map(|steps| scope.spawn(move || runner(steps))).collect();
        // A join, unlike the end of the scope, waits for the thread's registration to be dropped.
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a thread of a program ends"))
            .collect::<Vec<_>>()
    });
    let count = batches.len();
    end(injector, batches);
    census::flush();
    assert_all_dead(&census, count);
}

/// A batch, and its handle if that was not released.
struct Published {
    job: Arc<Job>,
    plan: Plan,
    handle: Option<Handle>,
}

/// Claims what is left, releases what is held, and judges.
fn end(injector: Injector, batches: Vec<Published>) {
    while let Some(claim) = injector.take() {
        participate(&injector, claim, true);
    }
    for Published { job, handle, .. } in batches {
        if let Some(handle) = handle {
            help(&injector, &handle);
            await_outcome(&injector, &handle, &job);
            injector.release(handle);
        }
        job.assert_ended_well();
    }
}

/// Runs a participation to its end.
fn participate(injector: &Injector, mut claim: Claim, joins: bool) {
    if joins {
        job::run_joined(&mut claim);
    } else {
        claim.run();
    }
    while claim.advance(None) {
        claim.run();
    }
    injector.complete(claim);
}

/// Claims through a handle until the batch is exhausted.
fn help(injector: &Injector, handle: &Handle) {
    if let Some(claim) = handle.claim() {
        participate(injector, claim, false);
    }
}

/// Waits for a batch, and compares its outcome with what its tasks did.
fn await_outcome(injector: &Injector, handle: &Handle, job: &Job) {
    injector.wait(handle);
    job.end();
    match handle.outcome() {
        Outcome::Done => assert!(!job.panics(0), "B5: task 0 panicked, and nobody heard of it"),
        Outcome::Panicked(payload) => {
            let thrown = payload.downcast::<Thrown>().expect("thrown by a task");
            assert!(job.panics(thrown.task), "B5: a payload of another batch: {thrown:?}");
            assert!(job.first_outcome(), "B5: a second payload was given out");
        }
        Outcome::PanicTaken => assert!(!job.first_outcome(), "B5: the payload is gone, and nobody had it"),
    }
}

/// One thread of a program.
struct Runner<'a> {
    census: &'a Census,
    injector: &'a Injector,
    batches: Vec<Published>,
    busy: [Option<Claim>; PARTICIPANTS],
}

impl<'a> Runner<'a> {
    fn new(census: &'a Census, injector: &'a Injector) -> Self {
        Self { census, injector, batches: Vec::new(), busy: [const { None }; PARTICIPANTS] }
    }

    /// Runs the steps, and then ends its own participations.
    fn run(&mut self, steps: &[Step]) {
        steps.iter().for_each(|&step| self.step(step));
        self.finish_all();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish { plan, panics } => self.publish(plan, panics),
            Step::Take { who } if self.busy[who].is_none() => self.take(who),
            Step::Own { batch, .. } => self.with_handle(batch, |runner, at| {
                if let Some(handle) = &runner.batches[at].handle {
                    help(runner.injector, handle);
                }
            }),
            Step::Take { who } | Step::Work { who, .. } | Step::Leave { who } => self.work(who),
            Step::Ask { batch } => self.with_handle(batch, Self::ask),
            Step::Release { batch } => self.with_handle(batch, Self::release),
        }
    }

    fn with_handle(&mut self, from_newest: usize, then: impl FnOnce(&mut Self, usize)) {
        if let Some(from_newest) = from_newest.checked_rem(self.batches.len()) {
            then(self, self.batches.len() - 1 - from_newest);
        }
    }

    fn publish(&mut self, plan: Plan, panics: u64) {
        let job = Job::new(plan, panics);
        // SAFETY: the job is kept until the injector is gone.
        let batch = self.census.enrol(|| unsafe { job.batch() });
        let handle = Some(self.injector.publish(batch));
        self.batches.push(Published { job, plan, handle });
    }

    fn take(&mut self, who: usize) {
        self.busy[who] = self.injector.take();
        if let Some(claim) = &mut self.busy[who] {
            job::run_joined(claim);
        }
    }

    /// Runs the next range of a participation, or completes it.
    fn work(&mut self, who: usize) {
        if let Some(mut claim) = self.busy[who].take() {
            if claim.advance(None) {
                claim.run();
                self.busy[who] = Some(claim);
            } else {
                self.injector.complete(claim);
            }
        }
    }

    fn finish_all(&mut self) {
        for who in 0..PARTICIPANTS {
            while self.busy[who].is_some() {
                self.work(who);
            }
        }
    }

    /// Waits for a batch as its caller does: takes part, then sleeps until the others have finished.
    fn ask(&mut self, at: usize) {
        self.finish_all();
        let Published { job, handle, .. } = &self.batches[at];
        if let Some(handle) = handle {
            help(self.injector, handle);
            await_outcome(self.injector, handle, job);
        }
    }

    /// Releases a handle. A batch that admits nobody is run first, as nobody else could.
    fn release(&mut self, at: usize) {
        let Published { plan, handle, .. } = &mut self.batches[at];
        if let Some(handle) = handle.take() {
            if plan.helpers == 0 {
                help(self.injector, &handle);
            }
            self.injector.release(handle);
        }
    }
}
