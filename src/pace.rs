//! How long a looking worker stays away from the queue between two looks.
//!
//! Each look takes lines of the cache away from who submits and who waits: the queue's ends, and nodes. For tasks of a few
//! nanoseconds, which their submitter runs by itself as fast as a worker gets at them, that is the whole cost. So a worker looks after 1
//! turn of [giving way](crate::turns), then 2, 4, 8 and 16, and goes to sleep if there was nothing. If others have submitted something
//! meanwhile and run it by themselves, it goes on, after 32 turns, and then after a nap, again and again: it is not needed, and leaves the
//! processor alone.
//!
//! ```text
//!   woken ─▶ look ─1─▶ look ─2─▶ look ─4─▶ look ─8─▶ look ─16─▶ look ─▶ sleep      nothing was submitted meanwhile
//!                                                                └─32─▶ look ─nap─▶ look ─nap─▶ ..      something was
//! ```
//!
//! A *spell* of work is what a worker runs between a look that found something and the next one that did not. If its participations were
//! short, the worker does not park after it: it becomes the looking one, and whoever submits meanwhile need not pop it. It
//! stays away twice as long as it last did if others ran some of what was submitted. If it had all to itself, somebody may wait who
//! runs nothing, and it looks after one turn. After a spell of longer tasks it parks and gives way in that state, where a join sees that it
//! may come, and the next look follows the next wake-up at once.
//!
//! # Invariants
//!
//! - `T3`  *Looks end.* If nothing is submitted, a worker that looks asks for a sleep after 31 turns, or after one series of its pace.
//! - `T4`  *Never far.* Between two looks of a looking worker lie 32 turns at most, 10 to 16 us, or a nap, some 60 us on Linux.
//!
//! # Alternatives turned down
//!
//! *64 turns in place of the nap*: as quick, and a whole processor for nothing while tiny batches are submitted and waited for.
//!
//! Checked by: the unit tests below, and the shuttle worlds, where spells take a random time.

use core::mem;

use crate::sync::{Stopwatch, TURNS};

/// A participation that takes this long on average is worth a worker's way to it.
const SHORT_NANOS: u64 = 1_000;

/// After a series of two to this power of turns a worker goes on only for what was submitted meanwhile.
const LAST: u32 = if TURNS == 0 { 0 } else { TURNS.ilog2() };

/// In place of a series of two to this power of turns a worker naps, and none is longer.
const SLOWEST: u32 = LAST + 2;

/// What a worker does up to its next look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// It gives way so many times.
    Turns(u32),
    /// It sleeps for as short as the system can.
    Nap,
}

/// How one worker looks.
#[derive(Debug)]
pub struct Pace {
    /// The next series has two to this power of turns.
    log: u32,
    /// The newest batch as of the last look in vain.
    newest: u32,
    spell: Option<Spell>,
    /// How many participations the last spell had, if they were short.
    ran: Option<u64>,
}

/// What a worker has run since it found something.
#[derive(Debug)]
struct Spell {
    watch: Stopwatch,
    participations: u64,
}

impl Pace {
    /// Begins with a look after one turn.
    #[allow(clippy::new_without_default, reason = "it is made in one place")]
    pub const fn new() -> Self {
        Self { log: 0, newest: 0, spell: None, ran: None }
    }

    /// Tells how to stay away from the queue up to the next look.
    pub fn away(&self) -> Away {
        match self.log {
            // Under loom there are no turns.
            _ if TURNS == 0 => Away::Turns(0),
            SLOWEST => Away::Nap,
            log => Away::Turns(1 << log),
        }
    }

    /// Begins a spell of work.
    pub fn begin(&mut self) {
        self.spell = Some(Spell { watch: Stopwatch::start(), participations: 0 });
    }

    /// Counts a participation.
    pub fn count(&mut self) {
        self.spell.iter_mut().for_each(|spell| spell.participations += 1);
    }

    /// Ends the spell if there was one; tells whether its participations were short.
    pub fn end(&mut self) -> bool {
        self.spell.take().is_some_and(|spell| self.judge(spell.participations, spell.watch.nanos()))
    }

    /// Tells whether so many participations were short if they took so long.
    fn judge(&mut self, participations: u64, nanos: u64) -> bool {
        let is_short = nanos < participations * SHORT_NANOS;
        self.ran = is_short.then_some(participations);
        if !is_short {
            self.log = 0;
        }
        is_short
    }

    /// Sets the pace after a short spell, for who goes on looking and sees this newest batch.
    pub fn catch_up(&mut self, newest: u32) {
        let submitted = newest.wrapping_sub(mem::replace(&mut self.newest, newest));
        if let Some(ran) = self.ran.take() {
            let is_helped = ran < u64::from(submitted);
            self.log = if is_helped { (self.log + 1).min(SLOWEST) } else { 0 };
        }
    }

    /// Makes the next series longer, after a look in vain that saw this newest batch; false if there is to be none (T3).
    #[allow(clippy::absurd_extreme_comparisons, reason = "shuttle and loom have no short series")]
    pub fn slow_down(&mut self, newest: u32) -> bool {
        let was_submitted = mem::replace(&mut self.newest, newest) != newest;
        let goes_on = self.log < LAST || was_submitted;
        // T4.
        self.log = (self.log + 1).min(SLOWEST);
        goes_on
    }

    /// Begins anew, before a sleep.
    pub fn start_over(&mut self) {
        self.log = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The turns of each series, and zero for a nap.
    fn turns(pace: &Pace) -> u32 {
        match pace.away() {
            Away::Turns(turns) => turns,
            Away::Nap => 0,
        }
    }

    /// Judges a spell of ten participations, while so much was submitted.
    fn judge(pace: &mut Pace, submitted: u32, nanos: u64) -> bool {
        let is_short = pace.judge(10, nanos);
        pace.catch_up(pace.newest.wrapping_add(submitted));
        is_short
    }

    /// The series of a worker that finds nothing, and whether something was submitted during each.
    fn series(pace: &mut Pace, submitted: &[bool]) -> Vec<u32> {
        let mut turns = Vec::new();
        for &was_submitted in submitted {
            turns.push(self::turns(pace));
            if !pace.slow_down(pace.newest.wrapping_add(was_submitted.into())) {
                break;
            }
        }
        turns
    }

    #[test]
    fn t3_looks_end_where_nothing_is_submitted() {
        assert_eq!(series(&mut Pace::new(), &[false; 9]), [1, 2, 4, 8, 16]);
        assert_eq!(series(&mut Pace::new(), &[true, true, false, false, false, false]), [1, 2, 4, 8, 16]);
        let (submitted, nothing) = ([true; 8], [false; 9]);
        let all = series(&mut Pace::new(), &[&submitted[..], &nothing[..]].concat());
        assert_eq!(all, [1, 2, 4, 8, 16, 32, 0, 0, 0], "the last one saw nothing submitted");
    }

    #[test]
    fn t4_short_spells_slow_a_worker_down_and_a_long_one_ends_that() {
        let mut pace = Pace::new();
        let judged = |pace: &mut Pace, nanos| (judge(pace, 11, nanos), turns(pace));
        let short: Vec<_> = (0..8).map(|_| judged(&mut pace, 9_999)).collect();
        assert_eq!(short, [2, 4, 8, 16, 32, 0, 0, 0].map(|turns| (true, turns)));
        assert_eq!(judged(&mut pace, 10_000), (false, 1), "a microsecond each");
    }

    #[test]
    fn t4_who_has_all_to_itself_is_quick() {
        let mut pace = Pace::new();
        (0..8).for_each(|_| assert!(judge(&mut pace, 11, 9_999)));
        assert_eq!(turns(&pace), 0, "others ran some of it");
        assert!(judge(&mut pace, 10, 9_999));
        assert_eq!(turns(&pace), 1, "nobody else ran any");
    }

    #[test]
    fn t4_a_spell_is_over_once() {
        let mut pace = Pace::new();
        pace.count();
        assert!(!pace.end(), "nothing was found");
        pace.begin();
        (0..1_000_000).for_each(|_| pace.count());
        assert!(pace.end(), "a million participations in less than a second");
        assert!(!pace.end(), "the spell is over");
    }
}
