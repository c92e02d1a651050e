//! How many batches have left the queue and are not finished: those who want all that was submitted to end wait for the queue,
//! and then for these.
//!
//! Tasks run on workers, who can be joined, and on threads that wait for them, who are strangers to the pool. While a batch
//! stands in the queue, whoever looks there finds it; a batch is counted here from *before* its unlinking until its end, unless it
//! was finished by then, as most are. So the pool's drop needs no count of those who wait, which would cost each of them two
//! read-modify-writes on a word that all meet at.
//!
//! | step | who |
//! |---|---|
//! | begin | who is about to unlink a run with unfinished batches, for those |
//! | end | the same, for those that were finished meanwhile, or if another one unlinked the run |
//! | end | the finishing completion that finds the queue's hold gone |
//!
//! # Invariants
//!
//! - `W5`  *Unfinished is seen.* A batch that is not finished stands in the queue or is counted. Who has seen the queue drained and
//!   then the count at zero has seen all tasks finished.
//!
//! The latch of the batch decides who counts it out: its queue's hold and its tasks are in one word, and of the two that take
//! the holds away and finish the tasks one comes second.
//!
//! Checked by: `w5_*`, `p5_*` in `loom_tests`, `proptests/tests/batch.rs`.

use crate::latch::{Latch, Lot, Sleeper};
use crate::queue::Tally;

/// The batches of one pool that are unfinished and not in its queue.
#[derive(Debug)]
pub struct Afloat {
    count: Latch,
    lot: Lot,
}

impl Afloat {
    /// Blocks until there are none.
    pub fn wait(&self) {
        self.count.wait(&self.lot);
    }
}

impl Default for Afloat {
    fn default() -> Self {
        Self { count: Latch::idle(), lot: Lot::new() }
    }
}

impl Tally for Afloat {
    fn begin(&self, nodes: u64) {
        self.count.begin(nodes);
    }

    fn end(&self, nodes: u64) {
        if self.count.complete(nodes).wake {
            self.lot.wake(self.count.key(), Sleeper::wake);
        }
    }
}
