//! The claim word, which says what is left of a batch and how many have joined: pure functions of numbers.

use core::ops::Range;

use crate::grain::{self, Grain};

const HELPER_SHIFT: u32 = Grain::BITS;
const HELPER_BITS: u32 = 20;
const INDEX_SHIFT: u32 = HELPER_SHIFT + HELPER_BITS;
/// The number of bits of a task's index.
pub(super) const INDEX_BITS: u32 = 64 - INDEX_SHIFT;
/// One helper.
pub(super) const HELPER: u64 = 1 << HELPER_SHIFT;
/// The largest count of helpers.
pub(super) const MAX_HELPERS: u32 = (1 << HELPER_BITS) - 1;

/// How the tasks of a batch are to be shared: fixed before it is linked.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of tasks.
    pub tasks: u64,
    /// Among how many threads they are shared, the caller included.
    pub threads: u32,
    /// How many workers may join.
    pub helpers: u32,
    /// The grain to begin with.
    pub grain: Grain,
}

/// The claim word, unpacked.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClaimWord(pub(super) u64);

impl ClaimWord {
    /// The index of the next task.
    pub(super) fn index(self) -> u64 {
        self.0 >> INDEX_SHIFT
    }

    fn helpers(self) -> u32 {
        (self.0 >> HELPER_SHIFT) as u32 & MAX_HELPERS
    }

    /// How many tasks are worth a claim.
    pub(super) fn grain(self) -> Grain {
        Grain::from_bits(self.0)
    }

    /// Tells whether a thread that has not joined may claim.
    pub(super) fn admits(self, plan: &Plan) -> bool {
        self.index() < plan.tasks && self.helpers() < plan.helpers
    }

    /// Returns the word after the next chunk was taken with `grain`, and the chunk.
    pub(super) fn take(self, plan: &Plan, grain: Grain) -> (Self, Range<u64>) {
        let start = self.index();
        let end = start + grain::chunk(plan.tasks - start, plan.threads, grain);
        let helpers = self.0 & (u64::from(MAX_HELPERS) << HELPER_SHIFT);
        (Self(end << INDEX_SHIFT | helpers | grain.to_bits()), start..end)
    }
}
