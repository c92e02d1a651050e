//! Programs on real threads: the steps of several lists at once, on one injector.
//!
//! What a step answers depends on the other threads, so only what is true in the end is judged: each task ran once, no
//! batch was joined by more threads than it admits, a batch with a panic gave out one payload, and each node was freed
//! once. (In which order tasks were claimed is judged by the [histories](crate::history).)
//!
//! Handles go from thread to thread over a *board*: a clone is put there, and a visitor takes one from there.
//!
//! A participation goes on until its batch is exhausted, as nobody knows here who else could claim what it leaves. Before
//! a thread waits it ends its own participations, or two threads could wait for each other.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use zero_pool::batch::{Claim, Handle, Plan};
use zero_pool::injector::Injector;

use super::job::{self, Job};
use super::{PARTICIPANTS, Step, assert_all_dead};
use crate::census::{self, Census};

/// A batch, and a handle if it was not given up.
struct Published {
    job: Arc<Job>,
    handle: Option<Handle>,
}

/// What the threads share.
struct Shared<'a> {
    census: &'a Census,
    injector: Injector,
    board: Mutex<Vec<Published>>,
    start: Barrier,
}

/// Runs each list of steps on a thread of its own, so many times.
pub fn run_on_threads(programs: &[Vec<Step>], times: usize) {
    let census = Census::new();
    let shared = Shared {
        census: &census,
        injector: census.enrol(|| Injector::new(0)),
        board: Mutex::default(),
        start: Barrier::new(programs.len()),
    };
    let shared_by = &shared;
    let batches: Vec<_> = thread::scope(|scope| {
        let spawn = |steps| scope.spawn(move || Runner::new(shared_by).run(steps, times));
        let threads: Vec<_> = programs.iter().map(Vec::as_slice).map(spawn).collect();
        // A join, unlike the end of the scope, waits for the thread's registration to be dropped.
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread of a program ends")).collect()
    });
    let count = batches.len();
    shared.end(batches);
    census::flush();
    assert_all_dead(&census, count);
}

impl Shared<'_> {
    /// Runs a participation to its end.
    fn participate(&self, mut claim: Claim, is_counted: bool) {
        if is_counted {
            job::run_joined(&mut claim);
        } else {
            claim.run();
        }
        while claim.advance(None) {
            claim.run();
        }
        self.injector.complete(claim);
    }

    /// Claims through a handle until the batch is exhausted.
    fn help(&self, handle: &Handle) {
        if let Some(claim) = handle.claim() {
            self.participate(claim, false);
        }
    }

    /// Takes part in a batch as its caller does, sleeps until the others have finished, and asks for the outcome.
    fn wait(&self, handle: &Handle, job: &Job) {
        self.help(handle);
        self.injector.wait(handle);
        job.end();
        job.told(handle.outcome());
    }

    /// Gives a handle up. A batch that admits nobody is run first, as nobody else could.
    fn give_up(&self, handle: Handle, job: &Job) {
        if job.admits_nobody() {
            self.help(&handle);
        }
        if let Some(last) = handle.part() {
            self.injector.release(last);
        }
    }

    /// Claims what is left, gives up what is held, and judges.
    fn end(self, batches: Vec<Published>) {
        while let Some(claim) = self.injector.take() {
            self.participate(claim, true);
        }
        let board = std::mem::take(&mut *self.board.lock().expect("nobody panicked"));
        let mut jobs = Vec::new();
        for Published { job, handle } in board.into_iter().chain(batches) {
            if let Some(handle) = handle {
                self.wait(&handle, &job);
                self.give_up(handle, &job);
            }
            jobs.push(job);
        }
        // W5: it returns at once.
        self.injector.wait_for_all();
        jobs.iter().for_each(|job| job.assert_ended_well());
    }
}

/// One thread of a program.
struct Runner<'a> {
    shared: &'a Shared<'a>,
    batches: Vec<Published>,
    busy: [Option<Claim>; PARTICIPANTS],
}

impl<'a> Runner<'a> {
    fn new(shared: &'a Shared<'a>) -> Self {
        Self { shared, batches: Vec::new(), busy: [const { None }; PARTICIPANTS] }
    }

    /// Runs the steps so many times, ends its own participations, and returns what it published.
    fn run(mut self, steps: &[Step], times: usize) -> Vec<Published> {
        self.shared.start.wait();
        for _ in 0..times {
            steps.iter().for_each(|&step| self.step(step));
            self.finish_all();
        }
        self.batches
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish { plan, panics } => self.publish(plan, panics),
            Step::Take { who } if self.busy[who].is_none() => self.take(who),
            Step::Take { who } | Step::Work { who, .. } | Step::Leave { who } => self.work(who),
            Step::Visit { .. } => self.visit(),
            Step::Own { batch, .. } => {
                self.with_handle(batch, |runner, handle, _| runner.shared.help(handle))
            }
            Step::Ask { batch } => {
                self.finish_all();
                self.with_handle(batch, |runner, handle, job| runner.shared.wait(handle, job));
            }
            Step::Clone { batch } => self.with_handle(batch, |runner, handle, job| {
                let clone = Published { job: Arc::clone(job), handle: Some(handle.clone()) };
                runner.shared.board.lock().expect("nobody panicked").push(clone);
            }),
            Step::Release { batch } => self.release(batch),
        }
    }

    /// Returns the place of a batch of this thread, counted from the newest.
    fn place(&self, from_newest: usize) -> Option<usize> {
        let from_newest = from_newest.checked_rem(self.batches.len())?;
        Some(self.batches.len() - 1 - from_newest)
    }

    /// Does something with the handle of a batch, if that is there.
    fn with_handle(&self, from_newest: usize, then: impl FnOnce(&Self, &Handle, &Arc<Job>)) {
        let batch = self.place(from_newest).map(|at| &self.batches[at]);
        if let Some(Published { job, handle: Some(handle) }) = batch {
            then(self, handle, job);
        }
    }

    fn publish(&mut self, plan: Plan, panics: u64) {
        let job = Job::new(plan, panics);
        // SAFETY: the job is kept until the injector is gone.
        let batch = self.shared.census.enrol(|| unsafe { job.batch() });
        let handle = Some(self.shared.injector.publish(batch));
        self.batches.push(Published { job, handle });
    }

    fn take(&mut self, who: usize) {
        self.busy[who] = self.shared.injector.take();
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
                self.shared.injector.complete(claim);
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

    /// Takes somebody's handle from the board, joins the batch as a guest, and waits for it.
    fn visit(&mut self) {
        let found = self.shared.board.lock().expect("nobody panicked").pop();
        let Some(Published { job, handle: Some(handle) }) = found else {
            return;
        };
        self.finish_all();
        if let Some(claim) = handle.join() {
            self.shared.participate(claim, true);
        }
        self.shared.wait(&handle, &job);
        self.shared.give_up(handle, &job);
    }

    fn release(&mut self, from_newest: usize) {
        let Some(at) = self.place(from_newest) else { return };
        let Published { job, handle } = &mut self.batches[at];
        if let Some(handle) = handle.take() {
            self.shared.give_up(handle, job);
        }
    }
}
