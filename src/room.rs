//! Making room: a thread of a busy pool steps aside for a worker that was woken and does not come.
//!
//! A woken worker runs where the system puts it. If it finds no processor idle at that moment, that may be behind a thread of the
//! same pool, which goes from task to task and gives nothing away, and there the worker stands for a slice of the scheduler,
//! milliseconds, while other processors fall idle. Nobody else is woken meanwhile, as the late one
//! [looks](crate::idle). So who comes between two tasks and finds that a worker is late makes room. First by a
//! [turn](crate::turns), which takes half a microsecond if the worker is on its way somewhere else, and lets it run at once if it stands
//! right behind. If it still does not come, by a nap, the shortest sleep that there is: a worker that stands
//! behind comes to run, and who has slept is put where there is room.
//!
//! ```text
//!   nobody is expected ──▶ a worker is about to be woken ────────────────────────▶ it is there
//!                                │ late                                              ▲   ▲
//!                                ▼                  late again                       │   │
//!                          one thread gives way ───────────────▶ one thread naps ────┘   │
//!                                └───────────────────────────────────────────────────────┘
//! ```
//!
//! Behind a stranger a turn is lost, and takes a slice. So there is none while the [pool rests](crate::turns) from one, and none by a thread in
//! the middle of a batch, for which others may wait; there is a nap then. Room pays if there is more to do than what is
//! done meanwhile without it. How much that is, the caller estimates from how often it came
//! between two tasks of late, by the clock on the wall, and from how many tasks are left. Whose tasks are short has run them all by itself by
//! then.
//!
//! # Invariants
//!
//! - `T5`  *Room once.* For each wake-up one thread gives way and then one naps, at most, and none before the worker is late.
//! - `T6`  *For work alone.* Nobody makes room who has less than 100 us of work in sight, or whose tasks take less than a microsecond.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | all | Relaxed | a moment that stands for itself; an old one costs a turn and a nap, or time |
//!
//! # Alternatives turned down
//!
//! - *A turn alone*: if the worker stands behind another thread of the pool, it gains nothing. *A nap alone*: 16 tasks of 10 us waited for 15 us
//!   more for a worker that stood behind their submitter, and who had napped was away for 60.
//! - *Parking*, for the late worker to wake again: if that one stands behind a stranger, nobody works.
//! - *Waking another one*: it may land there as well, and each submission would pay for it.
//!
//! Checked by: the unit tests below, `t5_*` in those of [`batch`](crate::batch), `t6_*` in those of [`worker`](crate::worker).

use core::cell::Cell;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Stopwatch, TURNS, each_thread};

/// A worker that was woken and has a processor mostly comes within 5 to 10 us.
const LATE_NANOS: u64 = 10_000;

/// Room pays for this much work: a nap takes some 60 us.
const WORTH_NANOS: u64 = 100_000;

/// Tasks that take less than that are run by who submits them before a worker gets at them.
const SHORT_NANOS: u64 = 1_000;

/// How room is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// By a turn of giving way, at this moment.
    Turn(u64),
    /// By a nap.
    Nap,
}

/// Somebody has given way for the worker that was woken, at the moment that is written.
const TURNED: u64 = 1;
/// Somebody has napped for it.
const NAPPED: u64 = 2;
const FLAGS: u64 = TURNED | NAPPED;

/// Where one pool expects a worker.
#[derive(Debug)]
pub struct Room {
    clock: Stopwatch,
    /// When a worker was woken that is not there yet, or somebody gave way for it, by the clock, with the flags in place of the last bits; zero
    /// if there is none.
    woken: AtomicU64,
}

/// How often a thread came between two tasks since a wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Visits {
    woken: u64,
    first: u64,
    count: u64,
}

impl Visits {
    /// Counts one more since the last wake-up or turn; returns what is known then, and the time if it is to be looked at, ever more seldom.
    fn count(self, woken: u64, now: impl FnOnce() -> u64) -> (Self, Option<u64>) {
        if self.woken != woken {
            let now = now();
            return (Self { woken, first: now, count: 1 }, None);
        }
        let count = self.count + 1;
        (Self { count, ..self }, count.is_power_of_two().then(now))
    }

    /// Tells whether now room pays, if there is so many times as much to do as between two visits (T5, T6).
    fn are_worth_room(self, now: u64, left: impl FnOnce() -> u64) -> bool {
        let each = now.saturating_sub(self.first) / (self.count - 1).max(1);
        let is_late = now.saturating_sub(self.woken) > LATE_NANOS;
        is_late && each >= SHORT_NANOS && each.saturating_mul(left()) >= WORTH_NANOS
    }
}

each_thread! {
    static VISITS: Cell<Visits> = Cell::new(Visits { woken: 0, first: 0, count: 0 })
}

impl Room {
    /// Begins with nobody expected.
    #[allow(clippy::new_without_default, reason = "it is made in one place")]
    pub fn new() -> Self {
        Self { clock: Stopwatch::start(), woken: AtomicU64::new(0) }
    }

    /// Notes that a worker is about to be woken, if so.
    pub fn expect(&self, is_to_be_woken: impl FnOnce() -> bool) {
        if TURNS != 0 && is_to_be_woken() {
            // ORDERING: Relaxed; a moment that stands for itself.
            self.woken.store(Self::moment(self.clock.nanos()), Ordering::Relaxed);
        }
    }

    /// Makes room for the flags; never zero.
    fn moment(nanos: u64) -> u64 {
        (nanos & !FLAGS).max(FLAGS + 1)
    }

    /// Notes that the worker is there.
    pub fn arrive(&self) {
        if TURNS != 0 {
            // ORDERING: Relaxed; as above.
            self.woken.store(0, Ordering::Relaxed);
        }
    }

    /// Tells whether a worker is expected, and nobody has napped for it.
    #[inline]
    pub fn is_expected(&self) -> bool {
        // ORDERING: Relaxed; as above. Under loom nobody is.
        TURNS != 0 && Self::calls_for_room(self.woken.load(Ordering::Relaxed))
    }

    fn calls_for_room(word: u64) -> bool {
        word > 0 && word & NAPPED == 0
    }

    /// Tells whether the worker is still missing for whom somebody gave way at this moment.
    pub fn misses(&self, moment: u64) -> bool {
        // ORDERING: Relaxed; as above.
        self.woken.load(Ordering::Relaxed) & !NAPPED == moment
    }

    /// Tells how to make room, if a worker is late and so many times as much is left to do as between two visits. For who comes
    /// between two tasks, and `may_turn` if it has nothing in its hands that others wait for.
    pub fn step(&self, may_turn: impl FnOnce() -> bool, left: impl FnOnce() -> u64) -> Option<Step> {
        // ORDERING: Relaxed; as above.
        let word = self.woken.load(Ordering::Relaxed);
        if !Self::calls_for_room(word) {
            return None;
        }
        let (visits, now) = VISITS.with(Cell::get).count(word, || self.clock.nanos());
        VISITS.with(|all| all.set(visits));
        let now = now.filter(|now| visits.are_worth_room(*now, left))?;
        let (step, next) = if word & TURNED == 0 && may_turn() {
            let next = Self::moment(now) | TURNED;
            (Step::Turn(next), next)
        } else {
            (Step::Nap, word | NAPPED)
        };
        // T5. ORDERING: Relaxed; as above.
        self.woken.compare_exchange(word, next, Ordering::Relaxed, Ordering::Relaxed).is_ok().then_some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Visits a room where a worker is expected, and comes back when it is late.
    fn late() -> Room {
        let room = Room::new();
        room.expect(|| true);
        wait(&room);
        room
    }

    /// Makes a first visit, which tells nothing, and lets some time pass.
    fn wait(room: &Room) {
        assert_eq!(room.step(|| true, || u64::MAX), None, "the first visit tells nothing");
        let begin = room.clock.nanos();
        while room.clock.nanos() <= begin + 2 * LATE_NANOS {}
    }

    #[test]
    fn t5_room_is_made_once_for_a_late_worker() {
        let room = late();
        let Some(Step::Turn(moment)) = room.step(|| true, || u64::MAX) else { unreachable!("it is late") };
        assert!(room.misses(moment));
        wait(&room);
        assert_eq!(room.step(|| true, || u64::MAX), Some(Step::Nap), "it is late again");
        assert!((0..16).all(|_| room.step(|| true, || u64::MAX).is_none()), "once");
        assert!(room.misses(moment) && !room.is_expected(), "it has not come");
        room.arrive();
        room.expect(|| true);
        assert!(!room.misses(moment), "that is another one");
    }

    #[test]
    fn t5_who_may_not_give_way_naps() {
        let room = late();
        assert_eq!(room.step(|| false, || u64::MAX), Some(Step::Nap));
    }

    #[test]
    fn t5_no_room_is_made_for_who_is_there() {
        let room = late();
        room.arrive();
        assert!((0..16).all(|_| room.step(|| true, || u64::MAX).is_none()), "it is there");
        assert!(!room.is_expected());
    }

    #[test]
    fn t5_no_room_is_made_for_who_is_on_the_way() {
        let visits = Visits { woken: 1_000, first: 1_000, count: 2 };
        let is_worth_it = |now| visits.are_worth_room(now, || u64::MAX);
        assert!(!is_worth_it(1_000 + LATE_NANOS) && is_worth_it(1_001 + LATE_NANOS));
    }

    #[test]
    fn t6_no_room_is_made_for_little_work() {
        let room = late();
        assert_eq!(room.step(|| true, || 0), None, "nothing is left");
        // Ten tasks in 40 us, and so 4 us for each.
        let visits = Visits { woken: 1_000, first: 10_000, count: 11 };
        let is_worth_it = |left| visits.are_worth_room(50_000, || left);
        assert!(!is_worth_it(24) && is_worth_it(25));
    }

    #[test]
    fn t6_no_room_is_made_for_short_tasks() {
        let is_worth_it = |each: u64| {
            let visits = Visits { woken: 1_000, first: 100_000, count: 2 };
            visits.are_worth_room(100_000 + each, || u64::MAX)
        };
        assert!(!is_worth_it(999) && is_worth_it(1_000));
    }

    #[test]
    fn t6_visits_are_counted_since_the_wake_up() {
        let before = Visits { woken: 7, first: 100, count: 5 };
        let (visits, now) = before.count(8, || 300);
        assert_eq!((visits, now), (Visits { woken: 8, first: 300, count: 1 }, None));
        assert_eq!(visits.count(8, || 400), (Visits { count: 2, ..visits }, Some(400)));
        let looks = |count| Visits { count, ..visits }.count(8, || 500).1.is_some();
        let looked: Vec<u64> = (1..64).filter(|&count| looks(count)).collect();
        assert_eq!(looked, [1, 3, 7, 15, 31, 63]);
    }
}
