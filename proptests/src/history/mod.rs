//! Histories: what threads did to one queue of batches, when they called and when they were answered.
//!
//! A history is *linearizable* if every operation can be given one instant between its call and its answer such that
//! the operations, in the order of these instants, are a run of the sequential specification:
//!
//! | operation | in the specification | answer |
//! |---|---|---|
//! | [`Event::Push`] | appends a batch of some tasks | |
//! | [`Event::Take`] | claims the next range of the oldest batch that is not exhausted | the batch and the range |
//! | [`Event::Empty`] | a take while every batch is exhausted | that there is nothing |
//! | [`Event::Own`] | claims the next range of the given batch: a waiter of its own batch, or a worker in its participation | the range |
//! | [`Event::Exhausted`] | such a claim while that batch is exhausted | that there is nothing |
//!
//! How long a range is the specification leaves open (that is `grain`'s business); that ranges come in ascending
//! order without a gap it does not. The caps on helpers are out of the picture: whoever records a history sets none.
//!
//! # Files
//!
//! - [`check`]: judges big histories in O(n log n), with a proof that its bad patterns are all there are.
//! - [`windows`]: what that judge computes first: in which stretch of time each operation can have happened.
//! - [`search`]: judges tiny histories by trying everything. It shares nothing with the judge but the types here.
//! - [`generate`]: random histories, valid by construction, and violations planted into them.
//! - [`record`]: runs real threads on a real queue, and writes down what they did.
//! - [`fifo`]: the queues that this is done with: the crate's own, and one that must be refused.
//!
//! # Stamps
//!
//! Stamps are numbers of one clock that all threads share. Operation `a` *precedes* `b` if `a` was answered at a
//! smaller stamp than `b` was called. **Equal stamps overlap**: a clock that cannot tell two instants apart accuses
//! nobody. So a coarse clock weakens the judge and never makes it wrong.

pub mod check;
pub mod fifo;
pub mod generate;
pub mod record;
pub mod search;
pub mod windows;

pub use check::{End, Kind, Violation, judge};

/// Names a batch of a history.
pub type BatchId = u32;

/// Instants of the history's clock.
pub type Stamp = u64;

/// What was done, and the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A batch of `tasks` tasks was published.
    Push {
        /// The new batch.
        batch: BatchId,
        /// The number of its tasks.
        tasks: u32,
    },
    /// A claim through the queue.
    Take(Range),
    /// A claim through the queue that found nothing.
    Empty,
    /// A claim through a handle or within a participation.
    Own(Range),
    /// A claim through a handle or within a participation that found the batch exhausted.
    Exhausted {
        /// The batch.
        batch: BatchId,
    },
}

/// The tasks of one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The batch.
    pub batch: BatchId,
    /// The first task.
    pub start: u32,
    /// The task after the last.
    pub end: u32,
}

impl Event {
    /// Returns the tasks that were claimed, if any were.
    pub fn claim(self) -> Option<Range> {
        match self {
            Self::Take(range) | Self::Own(range) => Some(range),
            _ => None,
        }
    }
}

/// One operation of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// What was done.
    pub event: Event,
    /// A stamp from before the first step of the operation.
    pub called: Stamp,
    /// A stamp from after its last step.
    pub answered: Stamp,
}

impl Op {
    /// Tells whether this operation was over before `other` began.
    pub fn precedes(&self, other: &Self) -> bool {
        self.answered < other.called
    }
}

/// Counts, among the operations that `left` selects, those that overlap at least one that `right` selects.
pub fn overlapping(history: &[Op], left: impl Fn(Event) -> bool, right: impl Fn(Event) -> bool) -> usize {
    let of = |stamp: fn(&Op) -> Stamp| {
        let mut stamps: Vec<_> = history.iter().filter(|op| right(op.event)).map(stamp).collect();
        stamps.sort_unstable();
        stamps
    };
    let (calls, answers) = (of(|op| op.called), of(|op| op.answered));
    let overlaps = |op: &&Op| {
        let begun = calls.partition_point(|&called| called <= op.answered);
        let over = answers.partition_point(|&answered| answered < op.called);
        begun > over
    };
    history.iter().filter(|op| left(op.event)).filter(overlaps).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_overlaps_are_counted_once_per_operation() {
        let push = |called, answered| Op { event: Event::Push { batch: 0, tasks: 1 }, called, answered };
        let empty = |called, answered| Op { event: Event::Empty, called, answered };
        let history =
            [push(0, 4), empty(4, 5), empty(5, 6), empty(2, 20), push(19, 21), push(30, 31), empty(0, 1)];
        let (is_push, is_empty) = (|e| matches!(e, Event::Push { .. }), |e| e == Event::Empty);
        assert_eq!(
            overlapping(&history, is_empty, is_push),
            3,
            "an equal stamp overlaps, a later one does not"
        );
        assert_eq!(overlapping(&history, is_push, is_empty), 2, "each push counts once");
        assert_eq!(overlapping(&history, is_push, |_| false), 0);
    }
}
