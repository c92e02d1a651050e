//! An injector, what the specification knows of it, and the comparison of both.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use zero_pool::batch::{Claim, Handle, Outcome, Plan};
use zero_pool::grain::Grain;
use zero_pool::injector::Injector;
use zero_pool::queue::Node;

use super::job::{self, Job, Thrown};
use super::spec::{self, Slot, Spec};
use super::{PARTICIPANTS, Step};
use crate::census::Census;

/// How a participation began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Through the queue.
    Queue,
    /// Through a handle, uncounted.
    Handle,
    /// Through a handle, as a guest.
    Visit,
}

/// A participation.
struct Busy {
    batch: usize,
    claim: Claim,
    /// All that was claimed.
    tasks: u64,
    by: By,
    /// It has run nothing yet.
    fresh: bool,
}

/// An injector, and what is known of it.
pub(super) struct World<'a> {
    census: &'a Census,
    injector: Injector,
    spec: Spec,
    jobs: Vec<Arc<Job>>,
    /// The clones of each batch's handle.
    handles: Vec<Vec<Handle>>,
    busy: [Option<Busy>; PARTICIPANTS],
}

impl<'a> World<'a> {
    pub(super) fn new(census: &'a Census) -> Self {
        Self {
            census,
            injector: census.enrol(|| Injector::new(0)),
            spec: Spec::default(),
            jobs: Vec::new(),
            handles: Vec::new(),
            busy: [const { None }; PARTICIPANTS],
        }
    }

    /// Does a step, or what comes nearest to it: who is busy works.
    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Publish { plan, panics } => self.publish(plan, panics),
            Step::Take { who } if self.busy[who].is_none() => self.take(who),
            Step::Own { who, batch } if self.busy[who].is_none() => {
                self.with_batch(batch, |world, at| world.own(who, at));
            }
            Step::Visit { who, batch } if self.busy[who].is_none() => {
                self.with_batch(batch, |world, at| world.visit(who, at));
            }
            Step::Take { who } | Step::Own { who, .. } | Step::Visit { who, .. } => self.work(who, None),
            Step::Work { who, grain } => self.work(who, grain),
            Step::Leave { who } => self.leave(who),
            Step::Ask { batch } => self.with_batch(batch, Self::ask),
            Step::Clone { batch } => self.with_batch(batch, Self::clone_handle),
            Step::Release { batch } => self.with_batch(batch, Self::release),
        }
    }

    /// Does something with a batch, counted from the newest, if there is one at all.
    fn with_batch(&mut self, from_newest: usize, then: impl FnOnce(&mut Self, usize)) {
        if let Some(from_newest) = from_newest.checked_rem(self.jobs.len()) {
            then(self, self.jobs.len() - 1 - from_newest);
        }
    }

    fn publish(&mut self, plan: Plan, panics: u64) {
        let job = Job::new(plan, panics);
        // SAFETY: the world keeps the job until the injector is gone.
        let batch = self.census.enrol(|| unsafe { job.batch() });
        self.handles.push(vec![self.injector.publish(batch)]);
        self.jobs.push(job);
        self.spec.push(plan);
    }

    fn take(&mut self, who: usize) {
        let (took, expected) = (self.injector.take(), self.spec.take());
        let range = expected.as_ref().map(|(_, range)| range.clone());
        assert_eq!(took.as_ref().map(Claim::range), range, "Q1, Q5: a worker took tasks from {expected:?}");
        if let Some((claim, (batch, range))) = took.zip(expected) {
            self.begin(who, By::Queue, batch, claim, range);
        }
    }

    fn own(&mut self, who: usize, batch: usize) {
        let Some(handle) = self.handles[batch].first() else {
            return;
        };
        let (claimed, expected) = (handle.claim(), self.spec.batches[batch].own());
        assert_eq!(
            claimed.as_ref().map(Claim::range),
            expected,
            "B1: claimed through batch {batch}'s handle"
        );
        if let Some((claim, range)) = claimed.zip(expected) {
            self.begin(who, By::Handle, batch, claim, range);
        }
    }

    fn visit(&mut self, who: usize, batch: usize) {
        let Some(handle) = self.handles[batch].first() else {
            return;
        };
        let (claimed, expected) = (handle.join(), self.spec.batches[batch].join());
        assert_eq!(claimed.as_ref().map(Claim::range), expected, "B4: a guest joined batch {batch}");
        if let Some((claim, range)) = claimed.zip(expected) {
            self.begin(who, By::Visit, batch, claim, range);
        }
    }

    fn begin(&mut self, who: usize, by: By, batch: usize, claim: Claim, range: Range<u64>) {
        self.busy[who] = Some(Busy { batch, claim, tasks: range.end - range.start, by, fresh: true });
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
        if std::mem::take(&mut busy.fresh) && busy.by != By::Handle {
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
            let has_handle = !self.handles[busy.batch].is_empty();
            busy.claim.range().is_empty() && !spec.strands(spec.active - 1, has_handle)
        });
        match self.busy[who].take_if(|_| may_leave) {
            Some(busy) => self.complete(busy),
            None => self.work(who, None),
        }
    }

    fn ask(&mut self, batch: usize) {
        let Some(handle) = self.handles[batch].last() else {
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

    fn clone_handle(&mut self, batch: usize) {
        let clone = self.handles[batch].first().cloned();
        self.handles[batch].extend(clone);
    }

    fn release(&mut self, batch: usize) {
        let (handles, spec) = (&mut self.handles[batch], &mut self.spec.batches[batch]);
        let is_last = handles.len() == 1;
        if is_last && spec.strands(spec.active, false) {
            return;
        }
        let Some(handle) = handles.pop() else { return };
        let last = handle.part();
        assert_eq!(last.is_some(), is_last, "B6: batch {batch} has {} more handles", handles.len());
        if let Some(last) = last {
            self.injector.release(last);
            spec.slot = Slot::Taken;
        }
    }

    /// Compares the state of every batch with the specification, as far as it can be seen.
    pub(super) fn compare(&self) {
        for (at, (spec, job)) in self.spec.batches.iter().zip(&self.jobs).enumerate() {
            let kept = u32::from(matches!(spec.slot, Slot::Payload(_)));
            assert_eq!(job.payloads(), kept, "B5: payloads of batch {at} that were not dropped");
            let Some(handle) = self.handles[at].first() else {
                continue;
            };
            let batch = handle.batch();
            let seen = (batch.is_spent(), batch.is_claimable(), batch.latch().is_finished());
            let expected = (!spec.admits(), spec.admits(), spec.is_finished());
            assert_eq!(seen, expected, "batch {at}: spent and claimable (B4), finished (L2)");
        }
    }

    /// Ends the program by the rules, and returns how many batches there were.
    pub(super) fn end(mut self) -> usize {
        self.finish_all();
        while self.spec.batches.iter().any(spec::Batch::admits) {
            self.take(0);
            self.finish_all();
        }
        assert!(self.injector.take().is_none(), "Q5: everything was taken");
        for batch in 0..self.jobs.len() {
            self.own(0, batch);
            self.finish_all();
            self.ask(batch);
            while !self.handles[batch].is_empty() {
                self.release(batch);
            }
        }
        self.compare();
        // W5: it returns at once.
        self.injector.wait_for_all();
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
