//! The sequential specification: a FIFO of batches, in plain numbers.
//!
//! It says what a claim answers, whom a batch admits, when a batch is finished, and which payload its waiter gets. It
//! shares with the crate only [`chunk`], which is a function of numbers and has properties of its own.

use std::ops::Range;

use zero_pool::batch::Plan;
use zero_pool::grain::{Grain, chunk};

/// What is in a batch's panic slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing yet.
    Empty,
    /// What this task threw.
    Payload(u64),
    /// Nothing, and nothing any more.
    Taken,
}

/// One batch.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) plan: Plan,
    grain: Grain,
    /// The oldest task that is not claimed.
    next: u64,
    /// Workers that joined so far.
    joined: u32,
    /// Participations that are not complete.
    pub(super) active: u32,
    finished: u64,
    pub(super) slot: Slot,
}

impl Batch {
    fn new(plan: Plan) -> Self {
        Self { plan, grain: plan.grain, next: 0, joined: 0, active: 0, finished: 0, slot: Slot::Empty }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.next == self.plan.tasks
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished == self.plan.tasks
    }

    /// Tells whether a worker may join.
    pub(super) fn admits(&self) -> bool {
        !self.is_exhausted() && self.joined < self.plan.helpers
    }

    fn claim(&mut self) -> Range<u64> {
        let start = self.next;
        self.next += chunk(self.plan.tasks - start, self.plan.threads, self.grain);
        start..self.next
    }

    /// A participation begins through the handle.
    pub(super) fn own(&mut self) -> Option<Range<u64>> {
        if self.is_exhausted() {
            return None;
        }
        self.active += 1;
        Some(self.claim())
    }

    /// A participation goes on.
    pub(super) fn advance(&mut self, grain: Option<Grain>) -> Option<Range<u64>> {
        if self.is_exhausted() {
            return None;
        }
        self.grain = grain.unwrap_or(self.grain);
        Some(self.claim())
    }

    /// A participation ends, in which so many tasks were run.
    pub(super) fn complete(&mut self, tasks: u64) {
        self.active -= 1;
        self.finished += tasks;
    }

    /// A task threw.
    pub(super) fn throw(&mut self, task: u64) {
        if self.slot == Slot::Empty {
            self.slot = Slot::Payload(task);
        }
    }

    /// Tells whether tasks would be left for ever: nobody is active who goes on claiming, no worker is admitted, and
    /// there is no handle to claim through.
    pub(super) fn strands(&self, active: u32, has_handle: bool) -> bool {
        !self.is_exhausted() && active == 0 && !self.admits() && !has_handle
    }
}

/// All batches, oldest first.
#[derive(Debug, Default)]
pub(super) struct Spec {
    pub(super) batches: Vec<Batch>,
}

impl Spec {
    pub(super) fn push(&mut self, plan: Plan) {
        self.batches.push(Batch::new(plan));
    }

    /// A worker joins the oldest batch that admits one.
    pub(super) fn take(&mut self) -> Option<(usize, Range<u64>)> {
        let at = self.batches.iter().position(Batch::admits)?;
        let batch = &mut self.batches[at];
        batch.joined += 1;
        batch.active += 1;
        Some((at, batch.claim()))
    }
}
