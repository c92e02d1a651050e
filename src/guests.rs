//! A thread from outside that runs what it waits for, and the worker that stays away meanwhile.
//!
//! A pool has as many workers as threads are to be at work. Whoever ends a scope runs the tasks of it that nobody has begun, as a *guest*,
//! and if all workers are awake that is one thread too many. Where there are as many processors as workers, two of the threads then
//! share a processor: one stands behind the other for a slice of the scheduler, with a task that it has claimed, while a
//! processor falls idle that takes nothing over. Loops and joins have no such thread, as they count their caller
//! ([`batch`](crate::batch), [`pending`](crate::pending)).
//!
//! ```text
//!   all workers awake, a guest at work ──▶ one stays away: 1 ms ──▶ it runs one task ─┐
//!                        ▲                                                            │
//!                        └────────────────────────────────────────────────────────────┘
//! ```
//!
//! To stay away is to be late for the next task, no more: the worker is not parked, nobody counts on it, and what is queued is owed to
//! it as before. So a pool whose other threads are stuck in tasks that wait for each other still runs what they wait for.
//!
//! # Invariants
//!
//! - `T7`  *One stays away.* At most one worker of a pool stays away at a time, and none begins to while another one is asleep or on its way,
//!   or no guest is at work as far as is known, or the pool is closed.
//! - `T8`  *Not for long.* A stay ends after a millisecond, or with the pool, and between two a worker runs what it finds first.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | all | Relaxed | hints: an old one costs a stay, or has one thread too many at work |
//!
//! # Alternatives turned down
//!
//! - *A count of guests*, each entered and taken out: two read-modify-writes more for each scope. Of several guests the last to come is
//!   known here, until it goes.
//! - *To park*, with the wake-up left to the guest: as fast, with a protocol of its own to prove, and tasks that wait for each other are
//!   stuck if the guest and all other workers run them.
//! - *Short stays*: each end of one moves threads to other processors. With 60 to 240 us, 500 tasks of 5 us took a third longer.
//!
//! Checked by: the unit tests below.

use core::ptr;

use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use crate::sync::{TURNS, thread};

/// The guests of one pool.
#[derive(Debug)]
pub struct Guests {
    /// What the last guest to come stands for; null if it has gone.
    last: CachePadded<AtomicPtr<()>>,
    /// A worker stays away.
    away: AtomicBool,
}

impl Guests {
    /// Begins with none.
    #[allow(clippy::new_without_default, reason = "it is made in one place")]
    pub fn new() -> Self {
        Self { last: CachePadded::new(AtomicPtr::new(ptr::null_mut())), away: AtomicBool::new(false) }
    }

    /// Runs `work` on a guest's thread, on which nothing else is known by the address of `of`.
    pub fn host<T, R>(&self, of: &T, work: impl FnOnce() -> R) -> R {
        if TURNS == 0 {
            return work();
        }
        let guest = ptr::from_ref(of).cast_mut().cast();
        // ORDERING: Relaxed; a hint.
        self.last.store(guest, Ordering::Relaxed);
        let result = work();
        // ORDERING: Relaxed; as above.
        if self.last.load(Ordering::Relaxed) == guest {
            // ORDERING: Relaxed; as above. Who came in between is not known any more.
            self.last.store(ptr::null_mut(), Ordering::Relaxed);
        }
        result
    }

    /// Tells whether one is at work, as far as is known.
    #[inline]
    pub fn are_at_work(&self) -> bool {
        // ORDERING: Relaxed; a hint. Under loom nobody stays away for them.
        TURNS != 0 && !self.last.load(Ordering::Relaxed).is_null()
    }

    /// Stays away, if a guest is at work, all workers are there by what `is_full` says, and no other one stays away (T7); tells whether it did.
    /// `leave` is called before.
    #[inline]
    pub fn make_room(&self, is_full: impl FnOnce() -> bool, leave: impl FnOnce()) -> bool {
        // ORDERING: Relaxed; T7 by the swap.
        let is_ours = self.are_at_work() && is_full() && !self.away.swap(true, Ordering::Relaxed);
        if is_ours {
            leave();
            thread::stay_away();
            // ORDERING: Relaxed; as above.
            self.away.store(false, Ordering::Relaxed);
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
    fn t7_nobody_stays_away_without_a_guest() {
        let guests = Guests::new();
        assert!(!guests.make_room(unexpected, unexpected));
        guests.host(&7, || assert!(guests.are_at_work()));
        assert!(!guests.are_at_work() && !guests.make_room(unexpected, unexpected), "it has gone");
    }

    #[test]
    fn t7_nobody_stays_away_while_a_worker_is_missing() {
        let guests = Guests::new();
        guests.host(&7, || assert!(!guests.make_room(|| false, unexpected)));
    }

    #[test]
    fn t7_one_worker_stays_away_for_a_guest() {
        let guests = Guests::new();
        let mut left = 0;
        let stays = |left: &mut i32| {
            guests.make_room(
                || true,
                || {
                    *left += 1;
                    assert!(!guests.make_room(|| true, unexpected), "one is away");
                },
            )
        };
        guests.host(&7, || assert!(stays(&mut left) && stays(&mut left)));
        assert_eq!(left, 2);
    }

    #[test]
    fn t7_the_last_guest_to_come_is_known() {
        let guests = Guests::new();
        guests.host(&1, || {
            guests.host(&2, || assert!(guests.are_at_work()));
            assert!(!guests.are_at_work(), "the one before is forgotten");
        });
    }

    #[test]
    fn t8_a_stay_ends() {
        let guests = Guests::new();
        let watch = Stopwatch::start();
        let stays = || guests.host(&7, || guests.make_room(|| true, || {}));
        assert!(stays());
        assert!(stays(), "it is back");
        // A busy machine may make them longer, and a token that this thread has left, shorter.
        assert!(watch.nanos() < 10_000_000_000, "they take milliseconds");
    }
}
