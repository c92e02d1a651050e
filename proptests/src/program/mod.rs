//! Random programs on one injector, beside the sequential specification.
//!
//! A program is a list of [`Step`]s. It runs on one thread, on which several *participants* take turns: each may hold
//! one claim, of which it runs a range, claims the next, and at last completes, while the others do something in between.
//! After each step the injector has answered what the [specification](spec) answers, and is in its state. Every number
//! of a step is valid: a step that is not possible does what comes nearest to it, so that lists can be shrunk freely.
//!
//! A program ends by the rules: what was claimed is run and completed, what was not is claimed, handles are released.
//! Then each task ran once, no payload is left, and each node was freed once ([`census`](crate::census)).
//!
//! No program strands tasks. Real participants claim until their batch is exhausted; here they may leave earlier, as
//! long as somebody else can claim what they leave.
//!
//! # Files
//!
//! - [`job`]: the tasks.
//! - [`spec`]: the specification.
//! - [`threads`]: the same steps on real threads, where only the end can be judged.

mod job;
mod spec;
mod threads;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use zero_pool::batch::{Claim, Handle, Outcome, Plan};
use zero_pool::grain::Grain;
use zero_pool::injector::Injector;
use zero_pool::queue::Node;

use self::job::{Job, Thrown};
use self::spec::{Slot, Spec};
use crate::census::{self, Census, Counts};

pub use self::threads::run_on_threads;

/// How many participants take turns in a program.
const PARTICIPANTS: usize = 4;

/// What batches are like in a program.
#[derive(Clone, Debug)]
pub struct Shape {
    /// How many tasks they have.
    pub tasks: RangeInclusive<u64>,
    /// How many workers they admit.
    pub helpers: RangeInclusive<u32>,
    /// Every task whose index is a multiple of such a number panics, or none if it is zero.
    pub panics: RangeInclusive<u64>,
}

/// One step of a program.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "`who` is a participant, `batch` counts from the newest")]
pub enum Step {
    /// Somebody publishes a batch and keeps its handle.
    Publish { plan: Plan, panics: u64 },
    /// An idle participant joins a batch through the queue.
    Take { who: usize },
    /// An idle participant claims through a handle.
    Own { who: usize, batch: usize },
    /// A busy participant runs what it claimed, claims more, or completes, whichever is next.
    Work { who: usize, grain: Option<Grain> },
    /// A busy participant completes although tasks are left.
    Leave { who: usize },
    /// Somebody asks a handle whether the batch is finished, and for its outcome.
    Ask { batch: usize },
    /// A handle is released.
    Release { batch: usize },
}

/// Makes the steps of a program, at most `length` of them.
pub fn steps(shape: Shape, length: usize) -> impl Strategy<Value = Vec<Step>> {
    let grain = || (0..6_u64).prop_map(Grain::from_bits);
    let plan = (shape.tasks, 0..5_u32, shape.helpers, grain())
        .prop_map(|(tasks, threads, helpers, grain)| Plan { tasks, threads, helpers, grain });
    let who = || 0..PARTICIPANTS;
    let batch = || 0..8_usize;
    let step = prop_oneof![
        3 => (plan, shape.panics).prop_map(|(plan, panics)| Step::Publish { plan, panics }),
        4 => who().prop_map(|who| Step::Take { who }),
        2 => (who(), batch()).prop_map(|(who, batch)| Step::Own { who, batch }),
        8 => (who(), prop::option::weighted(0.3, grain())).prop_map(|(who, grain)| Step::Work { who, grain }),
        1 => who().prop_map(|who| Step::Leave { who }),
        2 => batch().prop_map(|batch| Step::Ask { batch }),
        2 => batch().prop_map(|batch| Step::Release { batch }),
    ];
    prop::collection::vec(step, 0..=length)
}

/// Runs a program beside the specification, and panics where they differ.
pub fn run(steps: &[Step]) {
    let census = Census::new();
    let mut world = World::new(&census);
    for &step in steps {
        world.step(step);
        world.compare();
    }
    let batches = world.end();
    census::flush();
    assert_all_dead(&census, batches);
}

/// Asserts that the nodes of so many batches, and the sentinel, were freed once each.
fn assert_all_dead(census: &Census, batches: usize) {
    assert_eq!(census.counts(), Counts::all_dead(batches + 1), "N2: nodes are freed once, and none is left");
}

/// A participation.
struct Busy {
    batch: usize,
    claim: Claim,
    /// All that was claimed.
    tasks: u64,
    /// It came through the queue and has run nothing yet.
    joins: bool,
}

/// An injector, and what is known of it.
struct World<'a> {
    census: &'a Census,
    injector: Injector,
    spec: Spec,
    jobs: Vec<Arc<Job>>,
    handles: Vec<Option<Handle>>,
    busy: [Option<Busy>; PARTICIPANTS],
}

impl<'a> World<'a> {
    fn new(census: &'a Census) -> Self {
        Self {
            census,
            injector: census.enrol(|| Injector::new(0)),
            spec: Spec::default(),
            jobs: Vec::new(),
            handles: Vec::new(),
            busy: [const { None }; PARTICIPANTS],
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish { plan, panics } => self.publish(plan, panics),
            Step::Take { who } if self.busy[who].is_none() => self.take(who),
            Step::Own { who, batch } if self.busy[who].is_none() => self.own(who, batch),
            Step::Take { who } | Step::Own { who, .. } => self.work(who, None),
            Step::Work { who, grain } => self.work(who, grain),
            Step::Leave { who } => self.leave(who),
            Step::Ask { batch } => self.with_handle(batch, Self::ask),
            Step::Release { batch } => self.with_handle(batch, Self::release),
        }
    }

    /// Does something with the handle of a batch, counted from the newest, if there is a batch at all.
    fn with_handle(&mut self, from_newest: usize, then: impl FnOnce(&mut Self, usize)) {
        if let Some(from_newest) = from_newest.checked_rem(self.jobs.len()) {
            then(self, self.jobs.len() - 1 - from_newest);
        }
    }

    fn publish(&mut self, plan: Plan, panics: u64) {
        let job = Job::new(plan, panics);
        // SAFETY: the world keeps the job until the injector is gone.
        let batch = self.census.enrol(|| unsafe { job.batch() });
        self.handles.push(Some(self.injector.publish(batch)));
        self.jobs.push(job);
        self.spec.push(plan);
    }

    fn take(&mut self, who: usize) {
        let (took, expected) = (self.injector.take(), self.spec.take());
        let ranges = (took.as_ref().map(Claim::range), expected.as_ref().map(|(_, range)| range.clone()));
        assert_eq!(ranges.0, ranges.1, "Q1, Q5: a worker took tasks from {expected:?}");
        if let Some((claim, (batch, range))) = took.zip(expected) {
            self.busy[who] = Some(Busy { batch, claim, tasks: range.end - range.start, joins: true });
        }
    }

    fn own(&mut self, who: usize, from_newest: usize) {
        self.with_handle(from_newest, |world, batch| {
            let Some(handle) = &world.handles[batch] else {
                return;
            };
            let (claimed, expected) = (handle.claim(), world.spec.batches[batch].own());
            assert_eq!(
                claimed.as_ref().map(Claim::range),
                expected,
                "B1: claimed through batch {batch}'s handle"
            );
            if let Some((claim, range)) = claimed.zip(expected) {
                world.busy[who] = Some(Busy { batch, claim, tasks: range.end - range.start, joins: false });
            }
        });
    }

    fn work(&mut self, who: usize, grain: Option<Grain>) {
        let Some(mut busy) = self.busy[who].take() else {
            return;
        };
        let spec = &mut self.spec.batches[busy.batch];
        if !busy.claim.range().is_empty() {
            self.run(&mut busy);
        } else if let Some(range) = spec.advance(grain) {
            assert!(busy.claim.advance(grain), "B1: batch {} has the tasks {range:?}", busy.batch);
            assert_eq!(busy.claim.range(), range, "B1: batch {}, after {grain:?}", busy.batch);
            busy.tasks += range.end - range.start;
        } else {
            assert!(!busy.claim.advance(grain), "B2: batch {} is exhausted", busy.batch);
            return self.complete(busy);
        }
        self.busy[who] = Some(busy);
    }

    fn run(&mut self, busy: &mut Busy) {
        let (job, spec) = (&self.jobs[busy.batch], &mut self.spec.batches[busy.batch]);
        let range = busy.claim.range();
        assert_eq!(job.runs(range.clone()), Some(0), "B1: tasks {range:?} of batch {} ran early", busy.batch);
        if std::mem::take(&mut busy.joins) {
            job::run_joined(&mut busy.claim);
        } else {
            busy.claim.run();
        }
        assert_eq!(
            job.runs(range.clone()),
            Some(1),
            "B1: tasks {range:?} of batch {} ran not once",
            busy.batch
        );
        range.filter(|&task| job.panics(task)).for_each(|task| spec.throw(task));
    }

    fn complete(&mut self, busy: Busy) {
        self.injector.complete(busy.claim);
        self.spec.batches[busy.batch].complete(busy.tasks);
    }

    fn leave(&mut self, who: usize) {
        let may_leave = self.busy[who].as_ref().is_some_and(|busy| {
            let spec = &self.spec.batches[busy.batch];
            busy.claim.range().is_empty()
                && !spec.strands(spec.active - 1, self.handles[busy.batch].is_some())
        });
        match self.busy[who].take_if(|_| may_leave) {
            Some(busy) => self.complete(busy),
            None => self.work(who, None),
        }
    }

    fn ask(&mut self, batch: usize) {
        let Some(handle) = &self.handles[batch] else {
            return;
        };
        let spec = &mut self.spec.batches[batch];
        let finished = self.injector.wait_timeout(handle, Duration::ZERO);
        assert_eq!(finished, spec.is_finished(), "L5: a timed wait tells whether batch {batch} is finished");
        if !finished {
            return;
        }
        self.injector.wait(handle);
        self.jobs[batch].end();
        let outcome = match handle.outcome() {
            Outcome::Done => Slot::Empty,
            Outcome::Panicked(payload) => {
                Slot::Payload(payload.downcast::<Thrown>().expect("thrown by a task").task)
            }
            Outcome::PanicTaken => Slot::Taken,
        };
        assert_eq!(outcome, spec.slot, "B5: the outcome of batch {batch}");
        if outcome != Slot::Empty {
            spec.slot = Slot::Taken;
        }
    }

    fn release(&mut self, batch: usize) {
        let spec = &mut self.spec.batches[batch];
        if spec.strands(spec.active, false) {
            return;
        }
        if let Some(handle) = self.handles[batch].take() {
            self.injector.release(handle);
            spec.slot = Slot::Taken;
        }
    }

    /// Compares the state of every batch with the specification, as far as it can be seen.
    fn compare(&self) {
        for (at, (spec, job)) in self.spec.batches.iter().zip(&self.jobs).enumerate() {
            let kept = u32::from(matches!(spec.slot, Slot::Payload(_)));
            assert_eq!(job.payloads(), kept, "B5: payloads of batch {at} that were not dropped");
            let Some(handle) = &self.handles[at] else { continue };
            let batch = handle.batch();
            let seen = (batch.is_exhausted(), batch.is_claimable(), batch.latch().is_finished());
            let expected = (spec.is_exhausted(), spec.admits(), spec.is_finished());
            assert_eq!(seen, expected, "batch {at}: exhausted (B1), claimable (B4), finished (L2)");
        }
    }

    /// Ends the program by the rules, and returns how many batches there were.
    fn end(mut self) -> usize {
        self.finish_all();
        while self.spec.batches.iter().any(spec::Batch::admits) {
            self.take(0);
            self.finish_all();
        }
        assert!(self.injector.take().is_none(), "Q5: everything was taken");
        for batch in 0..self.jobs.len() {
            self.own(0, self.jobs.len() - 1 - batch);
            self.finish_all();
            self.ask(batch);
            self.release(batch);
        }
        self.compare();
        self.jobs.iter().for_each(|job| job.assert_ended_well());
        self.jobs.len()
    }

    fn finish_all(&mut self) {
        for who in 0..PARTICIPANTS {
            while self.busy[who].is_some() {
                self.work(who, None);
            }
        }
    }
}
