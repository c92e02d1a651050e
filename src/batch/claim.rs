//! A thread's work on one batch, from its first claim to its completion.

use core::ops::Range;
use core::ptr::NonNull;

use super::{Afloat, Batch, depot};
use crate::grain::Grain;
use crate::latch::Lot;
use crate::queue::Tally;
use crate::reclaim::Domain;
use crate::unwind;

/// A participation: tasks that were claimed and are not completed. They keep the node (N1) and the work (B3).
#[must_use = "claimed tasks are run and completed, or their waiters hang"]
#[derive(Debug)]
pub struct Claim {
    batch: NonNull<Batch>,
    /// Claimed and not started.
    range: Range<u64>,
    /// All that was claimed, to be completed at once.
    tasks: u64,
}

// SAFETY: a claim is a shared reference to a batch, kept valid by its unfinished tasks.
unsafe impl Send for Claim {}

impl Claim {
    pub(super) fn of(batch: &Batch, range: Range<u64>) -> Self {
        Self { batch: NonNull::from(batch), tasks: range.end - range.start, range }
    }

    /// Returns the batch.
    pub fn batch(&self) -> &Batch {
        // SAFETY: N1: our unfinished tasks keep the node.
        let batch = unsafe { self.batch.as_ref() };
        batch.canary.touch();
        batch
    }

    /// Returns the tasks that were claimed last and not run yet.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Returns how many tasks were claimed in all.
    pub fn tasks(&self) -> u64 {
        self.tasks
    }

    /// Runs the tasks that were claimed last. A panic is kept for the waiter.
    pub fn run(&mut self) {
        let range = core::mem::replace(&mut self.range, 0..0);
        let (run, context) = (self.batch().work.run, self.batch().context());
        // SAFETY: B3: we claimed the range, once, and its tasks are unfinished; indexes came from a `usize`.
        let panic = unsafe { run(context, range.start as usize..range.end as usize) };
        if let Some(payload) = panic {
            self.batch().keep_panic(payload);
        }
    }

    /// Returns how many tasks of the batch nobody has claimed, as far as the caller can see.
    pub fn left(&self) -> u64 {
        self.batch().unclaimed()
    }

    /// Claims the next range, with a new grain if one was measured; false when the batch is exhausted.
    ///
    /// The last range has been run.
    pub fn advance(&mut self, grain: Option<Grain>) -> bool {
        debug_assert!(self.range.is_empty(), "B1: the range before was run");
        let Some(range) = self.batch().claim_more(grain) else { return false };
        self.tasks += range.end - range.start;
        self.range = range;
        true
    }

    /// Counts all that was claimed as finished, and wakes who waited for it.
    pub(super) fn complete(self, domain: &Domain, lot: &Lot, afloat: &Afloat) {
        debug_assert!(self.range.is_empty(), "B1: what was claimed was run");
        let batch = self.batch();
        let key = batch.latch.key();
        // L1: from here on the node is somebody else's, unless we were the last.
        let completion = batch.latch.complete(self.tasks);
        if completion.last {
            // N2: the subtraction was the last.
            depot::give_up(self.batch, || domain.pin());
        }
        if completion.wake {
            lot.wake(key, |sleeper| unwind::quietly(|| sleeper.wake()));
        }
        if completion.afloat {
            afloat.end(1);
        }
    }
}
