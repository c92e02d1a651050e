//! Giving way: to offer one's processor to others a few times before one sleeps, or once for a [worker that is late](crate::room).
//!
//! Most of what a thread waits for comes sooner than the system could put it to sleep and wake it again. A turn is one
//! `sched_yield`: half a microsecond if nobody else wants the processor. If somebody does, the turn is *lost*: who gave way is
//! behind everybody for a whole slice of the scheduler, milliseconds, while a thread that sleeps is put in front when it is woken.
//! So after a lost turn the whole pool rests, and its threads sleep at once; the same after a [looking worker's nap](crate::pace) that took
//! 2 ms. A waiter's turn was not lost if others have run batches behind
//! its own meanwhile: it would have waited for one after another of them, and each of these waits would have cost a wake. A turn for a late
//! worker was not lost if that one came.
//!
//! ```text
//!   turns ─▶ a lost one: 4 ms ─▶ rest: 1 ms ─▶ a lost one ─▶ 2 ms ─▶ .. 256 ms        on a busy machine
//!   turns ─▶ a lost one: 4 ms ─▶ rest: 1 ms ─▶ turns ─▶ turns ..                      two threads of the pool had met
//! ```
//!
//! # Invariants
//!
//! - `T1`  *A rest is kept.* While a pool rests nobody begins to give way in it.
//! - `T2`  *Losses do not go on.* A rest is twice as long as the last one unless turns were won meanwhile, up to 64 times the lost
//!   turn. So where all turns are lost, they take a 65th of the time in the end.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | all | Relaxed | numbers that stand for themselves; an old one costs time |
//!
//! # Alternatives turned down
//!
//! *Giving way whatever it costs*: beside one busy thread, tasks of 5 us that nobody waited for took 4 ms instead of 10 us. *A rest of
//! one sleep*: every other one still did. *A first rest of 64 times the lost turn*: threads of one pool meet on a processor now and
//! then, most of all when it starts, and a quarter of a second without turns is too dear for that.
//!
//! Checked by: the unit tests below.

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Stopwatch, thread};

/// A turn that took longer is lost: several times a wake, and a small part of a slice.
const LOST_NANOS: u64 = 50_000;

/// The same of a nap, which takes some 60 us on Linux.
const LOST_NAP_NANOS: u64 = 2_000_000;

/// A rest takes an eighth of the lost turn, doubled this often at the most.
const MOST: u32 = 9;

/// The turns of one pool.
#[derive(Debug)]
pub struct Turns {
    clock: Stopwatch,
    /// When the rest ends, by the clock.
    rest: AtomicU64,
    /// How often the next rest is doubled, but for once.
    doublings: AtomicU32,
}

impl Turns {
    /// Begins without a rest.
    #[allow(clippy::new_without_default, reason = "it is made in one place")]
    pub fn new() -> Self {
        Self { clock: Stopwatch::start(), rest: AtomicU64::new(0), doublings: AtomicU32::new(0) }
    }

    /// Gives the processor away so many times, or until `is_over`. After a turn that took long `is_loss` tells whether it was lost. False:
    /// there is nothing to be hoped of turns now.
    pub fn give_way(
        &self,
        times: u32,
        mut is_over: impl FnMut() -> bool,
        is_loss: impl Fn() -> bool,
    ) -> bool {
        // T1.
        if times == 0 || self.rests() {
            return false;
        }
        for _ in 0..times {
            let watch = Stopwatch::start();
            thread::give_way();
            let nanos = watch.nanos();
            if self.has_lost(nanos, &is_loss) {
                return false;
            }
            if is_over() {
                break;
            }
        }
        self.win();
        true
    }

    /// Sleeps for as short as the system can. False: there is nothing to be hoped of that now.
    pub fn nap(&self) -> bool {
        // T1.
        if self.rests() {
            return false;
        }
        let watch = Stopwatch::start();
        thread::nap();
        let nanos = watch.nanos();
        let is_lost = nanos > LOST_NAP_NANOS;
        if is_lost {
            self.lose(nanos);
        }
        !is_lost
    }

    /// Tells whether a turn that took so long was lost, and then begins a rest.
    fn has_lost(&self, nanos: u64, is_loss: impl Fn() -> bool) -> bool {
        let is_lost = nanos > LOST_NANOS && is_loss();
        if is_lost {
            self.lose(nanos);
        }
        is_lost
    }

    /// Tells whether a turn was lost of late.
    pub fn rests(&self) -> bool {
        // ORDERING: Relaxed; a moment that stands for itself.
        self.clock.nanos() < self.rest.load(Ordering::Relaxed)
    }

    /// Makes the next rest shorter, after turns that were not lost.
    fn win(&self) {
        // ORDERING: Relaxed; as above.
        let doublings = self.doublings.load(Ordering::Relaxed);
        if doublings > 0 {
            // ORDERING: Relaxed; as above. Of two that win at once one may be forgotten.
            self.doublings.store(doublings - 1, Ordering::Relaxed);
        }
    }

    /// Begins a rest for a turn that took so long (T2).
    pub(crate) fn lose(&self, nanos: u64) {
        // ORDERING: Relaxed; as above.
        let doublings = (self.doublings.load(Ordering::Relaxed) + 1).min(MOST);
        // ORDERING: Relaxed; as above. Of two that lose at once one may be forgotten.
        self.doublings.store(doublings, Ordering::Relaxed);
        let end = self.clock.nanos().saturating_add((nanos / 8).saturating_mul(1 << doublings));
        // ORDERING: Relaxed; as above.
        self.rest.store(end, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_turns_end_when_it_is_over() {
        let (turns, mut looks) = (Turns::new(), 0);
        // A machine that others use may take a turn away.
        let all = turns.give_way(
            3,
            || {
                looks += 1;
                looks == 2
            },
            || true,
        );
        assert!(looks == 2 || !all && looks < 2, "{looks} looks");
        assert!(!turns.give_way(0, || unreachable!("no turn is taken"), || true));
    }

    #[test]
    fn t1_nobody_gives_way_while_the_pool_rests() {
        let turns = Turns::new();
        turns.lose(1_000_000_000_000);
        assert!(!turns.give_way(3, || unreachable!("the pool rests for minutes"), || true));
        assert!(!turns.nap(), "nor naps");
        turns.lose(0);
        assert!(!turns.rests(), "the rest is over");
    }

    #[test]
    fn t1_a_turn_that_others_used_is_not_lost() {
        let turns = Turns::new();
        assert!(!turns.has_lost(LOST_NANOS, || unreachable!("it was short")));
        assert!(!turns.has_lost(1_000_000_000_000, || false) && !turns.rests());
        assert!(turns.has_lost(1_000_000_000_000, || true) && turns.rests());
    }

    #[test]
    fn t2_rests_double_up_to_64_times_the_lost_turn() {
        let turns = Turns::new();
        let lost = 1_000_000_000_000;
        let rest = |turns: &Turns| {
            let before = turns.clock.nanos();
            turns.lose(lost);
            // What the clock went on meanwhile is next to nothing.
            (turns.rest.load(Ordering::Relaxed) - before).div_euclid(lost / 8)
        };
        let rests: Vec<u64> = (0..11).map(|_| rest(&turns)).collect();
        assert_eq!(rests, [2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512]);
        (0..3).for_each(|_| turns.win());
        assert_eq!(rest(&turns), 128, "three were won, and one was lost again");
        (0..20).for_each(|_| turns.win());
        assert_eq!(rest(&turns), 2);
    }
}
