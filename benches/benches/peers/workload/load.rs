//! What tasks do: nothing but leave a mark, or work of a known length with a result that is known beforehand.

use core::hint::black_box;

use benches::work::{branches, chain};

use crate::peer::Task;

/// What each task of a row does.
pub(crate) trait Load: Sync {
    /// The parameters of a task, as of the seed's surface.
    type Params: Task;

    /// Returns the result of the task of this index.
    fn run(&self, index: usize, epoch: u64) -> u64;

    /// Returns what it should be.
    fn expected(&self, index: usize, epoch: u64) -> u64;

    /// Makes the parameters of a task that writes to `result`.
    fn params(&self, index: usize, epoch: u64, result: *mut u64) -> Self::Params;
}

/// A task that leaves a mark. The index goes through `black_box`, so that a loop over such tasks is a loop of calls, and
/// no compiler turns it into a fill.
#[derive(Clone, Copy)]
pub(crate) struct Empty;

pub(crate) struct EmptyParams {
    pub(crate) mark: u64,
    pub(crate) result: *mut u64,
}

// SAFETY: the pointer is for the one who runs the task.
unsafe impl Sync for EmptyParams {}

impl Task for EmptyParams {
    fn run(&self) {
        zero_pool::zp_write!(self.result, black_box(self.mark));
    }
}

impl Load for Empty {
    type Params = EmptyParams;

    fn run(&self, index: usize, epoch: u64) -> u64 {
        black_box(index as u64) ^ epoch
    }

    fn expected(&self, index: usize, epoch: u64) -> u64 {
        index as u64 ^ epoch
    }

    fn params(&self, index: usize, epoch: u64, result: *mut u64) -> EmptyParams {
        EmptyParams { mark: self.expected(index, epoch), result }
    }
}

/// The seed's indexed computation: a sum that compilers turn into a formula, whatever the number of terms. It is kept as
/// it is, and what it measures is the dispatch.
#[derive(Clone, Copy)]
pub(crate) struct Indexed;

/// So many terms has the seed's sum.
const TERMS: u64 = 100;

fn sum(terms: u64, start: u64) -> u64 {
    (0..black_box(terms)).fold(start, |sum, i| sum.wrapping_add(i.wrapping_mul(17).wrapping_add(23)))
}

pub(crate) struct IndexedParams {
    terms: u64,
    start: u64,
    result: *mut u64,
}

// SAFETY: as above.
unsafe impl Sync for IndexedParams {}

impl Task for IndexedParams {
    fn run(&self) {
        zero_pool::zp_write!(self.result, sum(self.terms, self.start));
    }
}

impl Load for Indexed {
    type Params = IndexedParams;

    fn run(&self, index: usize, epoch: u64) -> u64 {
        sum(TERMS, index as u64 ^ epoch)
    }

    fn expected(&self, index: usize, epoch: u64) -> u64 {
        let start = index as u64 ^ epoch;
        start.wrapping_add(17 * (TERMS * (TERMS - 1) / 2) + 23 * TERMS)
    }

    fn params(&self, index: usize, epoch: u64, result: *mut u64) -> IndexedParams {
        IndexedParams { terms: TERMS, start: index as u64 ^ epoch, result }
    }
}

/// Steps of work, so many for each task. The results do not depend on the epoch and are worked out once.
pub(crate) struct Steps {
    step: fn(u64, u64) -> u64,
    lengths: Vec<u64>,
    expected: Vec<u64>,
}

impl Steps {
    /// Steps that depend on each other: exact lengths.
    pub(crate) fn chain(lengths: Vec<u64>) -> Self {
        Self::new(chain, lengths)
    }

    /// Steps with branches: the heavy computation of the seed.
    pub(crate) fn branches(lengths: Vec<u64>) -> Self {
        Self::new(branches, lengths)
    }

    fn new(step: fn(u64, u64) -> u64, lengths: Vec<u64>) -> Self {
        let expected = lengths.iter().zip(0..).map(|(steps, seed)| step(seed, *steps)).collect();
        Self { step, lengths, expected }
    }
}

pub(crate) struct StepsParams {
    step: fn(u64, u64) -> u64,
    seed: u64,
    steps: u64,
    result: *mut u64,
}

// SAFETY: as above.
unsafe impl Sync for StepsParams {}

impl Task for StepsParams {
    fn run(&self) {
        zero_pool::zp_write!(self.result, (self.step)(self.seed, self.steps));
    }
}

impl Load for Steps {
    type Params = StepsParams;

    fn run(&self, index: usize, _epoch: u64) -> u64 {
        (self.step)(index as u64, self.lengths[index])
    }

    fn expected(&self, index: usize, _epoch: u64) -> u64 {
        self.expected[index]
    }

    fn params(&self, index: usize, _epoch: u64, result: *mut u64) -> StepsParams {
        StepsParams { step: self.step, seed: index as u64, steps: self.lengths[index], result }
    }
}
