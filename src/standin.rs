//! A thread from outside that stands in for a worker, and the worker that sits out meanwhile.
//!
//! A pool has as many workers as threads are to be at work. Whoever ends a scope runs the tasks of it that nobody has begun, and if all
//! workers are awake that is one thread too many. Where there are as many processors as workers, two of the threads then
//! share a processor: one stands behind the other for a slice of the scheduler, with a task that it has claimed, while a
//! processor falls idle that takes nothing over. Loops and joins have no such thread, as they count their caller
//! ([`batch`](crate::batch), [`pending`](crate::pending)).
//!
//! ```text
//!   all workers awake, a stand-in at work ──▶ one sits out: 1 ms ──▶ it runs one task ─┐
//!                        ▲                                                             │
//!                        └─────────────────────────────────────────────────────────────┘
//! ```
//!
//! Who sits out is late for the next task, no more: it is not parked, so that no wake-up is owed to it, and it still takes one task after
//! another. So a pool whose other threads are stuck in tasks that wait for what is queued gets there, a millisecond for each task.
//!
//! # Invariants
//!
//! - `T7`  *One sits out.* At most one worker of a pool sits out at a time, and none begins to while another one is parked or on its way,
//!   or no stand-in is at work as far as is known, or the pool is closed.
//! - `T8`  *Not for long.* A worker sits out for a millisecond at a time, or less, and between two times it runs what it finds first.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | all | Relaxed | hints: an old one costs a millisecond of one worker, or has one thread too many at work |
//!
//! # Alternatives turned down
//!
//! - *A count of stand-ins*, each entered and taken out: two read-modify-writes more for each scope. Of several the last to come is
//!   known here, until it goes.
//! - *To park*, with the wake-up left to the stand-in: as fast, with a protocol of its own to prove, and tasks that wait for each other are
//!   stuck if it and all other workers run them.
//! - *Shorter times*: with 250 us 16 tasks of 10 us took up to a quarter longer.
//!
//! Checked by: the unit tests below, and those of [`injector`](crate::injector) and of `src/scope.rs`.

use core::ptr;

use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use crate::sync::{TURNS, thread};

/// Those who stand in for the workers of one pool.
#[derive(Debug)]
pub struct StandIns {
    /// What the last one to come is known by; null if it has gone.
    last: CachePadded<AtomicPtr<()>>,
    /// A worker sits out.
    sits_out: AtomicBool,
}

impl StandIns {
    /// Begins with none.
    #[allow(clippy::new_without_default, reason = "it is made in one place")]
    pub fn new() -> Self {
        Self { last: CachePadded::new(AtomicPtr::new(ptr::null_mut())), sits_out: AtomicBool::new(false) }
    }

    /// Runs the work of a stand-in, who is known by the address of what it does it for.
    pub fn work<T, R>(&self, of: &T, work: impl FnOnce() -> R) -> R {
        if TURNS == 0 {
            return work();
        }
        let this = ptr::from_ref(of).cast_mut().cast();
        // ORDERING: Relaxed; a hint.
        self.last.store(this, Ordering::Relaxed);
        let result = work();
        // ORDERING: Relaxed; as above.
        if self.last.load(Ordering::Relaxed) == this {
            // ORDERING: Relaxed; as above. Who came in between is not known any more.
            self.last.store(ptr::null_mut(), Ordering::Relaxed);
        }
        result
    }

    /// Tells whether one is at work, as far as is known.
    #[inline]
    pub fn are_at_work(&self) -> bool {
        // ORDERING: Relaxed; a hint. Under loom nobody sits out for them.
        TURNS != 0 && !self.last.load(Ordering::Relaxed).is_null()
    }

    /// Sits out, if a stand-in is at work, all workers are there by what `is_full` says, and no other one sits out (T7); tells whether it
    /// did. `leave` is called before.
    #[inline]
    pub fn sit_out(&self, is_full: impl FnOnce() -> bool, leave: impl FnOnce()) -> bool {
        // ORDERING: Relaxed; T7 by the swap.
        let is_ours = self.are_at_work() && is_full() && !self.sits_out.swap(true, Ordering::Relaxed);
        if is_ours {
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
        stand_ins.work(&7, || assert!(stand_ins.are_at_work()));
        assert!(!stand_ins.are_at_work() && !stand_ins.sit_out(unexpected, unexpected), "it has gone");
    }

    #[test]
    fn t7_nobody_sits_out_while_a_worker_is_missing() {
        let stand_ins = StandIns::new();
        stand_ins.work(&7, || assert!(!stand_ins.sit_out(|| false, unexpected)));
    }

    #[test]
    fn t7_one_worker_sits_out_for_a_stand_in() {
        let stand_ins = StandIns::new();
        let mut left = 0;
        let sits_out = |left: &mut i32| {
            stand_ins.sit_out(
                || true,
                || {
                    *left += 1;
                    assert!(!stand_ins.sit_out(|| true, || unreachable!("one sits out")));
                },
            )
        };
        stand_ins.work(&7, || assert!(sits_out(&mut left) && sits_out(&mut left)));
        assert_eq!(left, 2);
    }

    #[test]
    fn t7_the_last_stand_in_to_come_is_known() {
        let stand_ins = StandIns::new();
        stand_ins.work(&1, || {
            stand_ins.work(&2, || assert!(stand_ins.are_at_work()));
            assert!(!stand_ins.are_at_work(), "the one before is forgotten");
        });
    }

    #[test]
    fn t8_who_sits_out_is_back_soon() {
        let stand_ins = StandIns::new();
        let watch = Stopwatch::start();
        let sits_out = || stand_ins.work(&7, || stand_ins.sit_out(|| true, || {}));
        assert!(sits_out());
        assert!(sits_out(), "it is back");
        // A busy machine may make them longer, and a token that this thread has left, shorter.
        assert!(watch.nanos() < 10_000_000_000, "they take milliseconds");
    }
}
