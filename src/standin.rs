//! A thread from outside that stands in for a worker, and the worker that sits out meanwhile.
//!
//! A pool has as many workers as threads are to be at work. Whoever ends a scope runs the tasks of it that nobody has begun, and if all
//! workers are awake that is one thread too many. Where there are as many processors as workers, two of the threads then
//! share a processor, one behind the other with a task that it has claimed, and the other processor falls idle and takes none of them
//! over. Loops and joins have no such thread, as they count their caller ([`batch`](crate::batch), [`pending`](crate::pending)).
//!
//! ```text
//!   all workers awake, a stand-in comes ──▶ one sits out: 1 ms ──▶ it runs one task ─┐
//!                        ▲                                                           │
//!                        └───────────────────────────────────────────────────────────┘
//! ```
//!
//! Who sits out is late for the next task, no more: it is not parked, and no wake-up is owed to it. And it sits out once for each time
//! that a stand-in comes between two tasks. So where the other threads are stuck in tasks, for as long as they like, the last one runs
//! what is queued.
//!
//! # Invariants
//!
//! - `T7`  *One sits out.* At most one worker of a pool sits out at a time, and, as far as it can know, none begins to while another one
//!   is parked or on its way, or the pool is closed.
//! - `T8`  *Not for long.* A worker sits out for a millisecond, as the system counts it, or less, and once for each task of a stand-in.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | all | Relaxed | hints: an old one costs a millisecond of one worker, or has one thread too many at work |
//!
//! # Alternatives turned down
//!
//! - *A count of stand-ins*, each entered and taken out: two read-modify-writes more for each scope, and one that is stuck in a task holds a
//!   worker up for as long.
//! - *To park*, with the wake-up left to the stand-in: as fast, with a protocol of its own to prove, and tasks that wait for each other are
//!   stuck if it and all other workers run them.
//! - *Shorter times*: with 250 us 16 tasks of 10 us took up to a quarter longer.
//!
//! Checked by: the unit tests below, and those of [`injector`](crate::injector) and of `src/scope.rs`.

use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{TURNS, thread};

/// Those who stand in for the workers of one pool.
#[derive(Debug)]
pub struct StandIns {
    /// One came between two tasks since a worker sat out.
    came: CachePadded<AtomicBool>,
    /// A worker sits out.
    sits_out: CachePadded<AtomicBool>,
}

impl StandIns {
    /// Begins with none.
    #[allow(clippy::new_without_default, reason = "it is made in one place")]
    pub fn new() -> Self {
        let no = || CachePadded::new(AtomicBool::new(false));
        Self { came: no(), sits_out: no() }
    }

    /// Notes that one is about to run a task.
    #[inline]
    pub fn come(&self) {
        if TURNS != 0 && !self.have_come() {
            // ORDERING: Relaxed; a hint.
            self.came.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that one has run all that it could. Another one that is at work comes again with its next task.
    #[inline]
    pub fn go(&self) {
        if self.have_come() {
            // ORDERING: Relaxed; a hint.
            self.came.store(false, Ordering::Relaxed);
        }
    }

    /// Tells whether one came between two tasks since a worker sat out.
    #[inline]
    fn have_come(&self) -> bool {
        // ORDERING: Relaxed; a hint. Under loom none comes.
        TURNS != 0 && self.came.load(Ordering::Relaxed)
    }

    /// Tells whether one is at work, as far as is known: it came since, or a worker sits out for it.
    #[inline]
    pub fn are_at_work(&self) -> bool {
        // ORDERING: Relaxed; a hint.
        self.have_come() || TURNS != 0 && self.sits_out.load(Ordering::Relaxed)
    }

    /// Sits out, if a stand-in has come, all workers are there by what `is_full` says, and no other one sits out (T7); tells whether it
    /// did. `leave` is called before.
    #[inline]
    pub fn sit_out(&self, is_full: impl FnOnce() -> bool, leave: impl FnOnce()) -> bool {
        // ORDERING: Relaxed; T7 by the swap.
        let is_ours = self.have_come() && is_full() && !self.sits_out.swap(true, Ordering::Relaxed);
        if is_ours {
            // T8.
            self.go();
            leave();
            thread::sit_out();
            // ORDERING: Relaxed; as above.
            self.sits_out.store(false, Ordering::Relaxed);
        }
        is_ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Stopwatch;

    fn unexpected<T>() -> T {
        unreachable!("it is not asked for")
    }

    #[test]
    fn t7_nobody_sits_out_without_a_stand_in() {
        let stand_ins = StandIns::new();
        assert!(!stand_ins.sit_out(unexpected, unexpected));
        stand_ins.come();
        assert!(stand_ins.are_at_work(), "one has come");
        stand_ins.go();
        assert!(!stand_ins.sit_out(unexpected, unexpected), "it has gone");
    }

    #[test]
    fn t7_nobody_sits_out_while_a_worker_is_missing() {
        let stand_ins = StandIns::new();
        stand_ins.come();
        assert!(!stand_ins.sit_out(|| false, unexpected));
        assert!(stand_ins.are_at_work(), "it is still there");
    }

    #[test]
    fn t7_one_worker_sits_out_for_a_stand_in() {
        let stand_ins = StandIns::new();
        let mut left = 0;
        for _ in 0..2 {
            stand_ins.come();
            let leave = || {
                left += 1;
                assert!(stand_ins.are_at_work(), "one sits out for it");
                stand_ins.come();
                assert!(!stand_ins.sit_out(|| true, || unreachable!("another one does")));
            };
            assert!(stand_ins.sit_out(|| true, leave));
        }
        assert_eq!(left, 2);
    }

    #[test]
    fn t8_who_sits_out_is_back_soon() {
        let stand_ins = StandIns::new();
        let watch = Stopwatch::start();
        for _ in 0..2 {
            stand_ins.come();
            assert!(stand_ins.sit_out(|| true, || {}), "it is back");
        }
        // A busy machine may make it longer, and a token that this thread has left, shorter.
        assert!(watch.nanos() < 10_000_000_000, "it takes milliseconds");
    }

    #[test]
    fn t8_a_stand_in_that_is_stuck_holds_nobody_up() {
        let stand_ins = StandIns::new();
        stand_ins.come();
        assert!(stand_ins.sit_out(|| true, || {}));
        assert!(!stand_ins.sit_out(|| unreachable!("it has not come again"), unexpected));
    }
}
