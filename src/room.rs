//! Making room: a thread of a busy pool steps aside for a worker that was woken and does not come.
//!
//! A woken worker runs where the system puts it. If it finds no processor idle at that moment, that may be behind a thread of the
//! same pool, which goes from task to task and gives nothing away, and there the worker stands for a slice of the scheduler,
//! milliseconds, while other processors fall idle. Nobody else is woken meanwhile, as the late one
//! [looks](crate::idle). So who comes between two tasks and finds that a worker is late naps: the shortest sleep that there is. If
//! the worker stands behind it, it comes to run, and who has slept is put where there is room.
//!
//! ```text
//!   nobody is expected ──▶ a worker is about to be woken ──▶ it is there
//!                                │ late                       ▲
//!                                ▼                            │
//!                          one thread naps, and nobody is expected any more
//! ```
//!
//! A nap pays if there is more to do than what is done meanwhile without it. How much that is, the caller estimates from how often it came
//! between two tasks of late, and from how many tasks are left. Whose tasks are short has run them all by itself by then.
//!
//! # Invariants
//!
//! - `T5`  *Room once.* For each wake-up one thread naps at most, and none before the worker is late.
//! - `T6`  *For work alone.* Nobody naps who has less than 100 us of work in sight, or whose tasks take less than a microsecond.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | all | Relaxed | a moment that stands for itself; an old one costs a nap, or time |
//!
//! # Alternatives turned down
//!
//! - *A turn of giving way*: who yields stays on its processor, behind the worker now, and stands there for as long.
//! - *Parking*, for the late worker to wake again: if that one stands behind a stranger, nobody works.
//! - *Waking another one*: it may land there as well, and each submission would pay for it.
//!
//! Checked by: the unit tests below.

use core::cell::Cell;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Stopwatch, TURNS, each_thread, thread};

/// A worker that was woken and has a processor mostly comes within 5 to 10 us.
const LATE_NANOS: u64 = 10_000;

/// A nap of some 60 us pays for this much work.
const WORTH_NANOS: u64 = 100_000;

/// Tasks that take less than that are run by who submits them before a worker gets at them.
const SHORT_NANOS: u64 = 1_000;

/// Where one pool expects a worker.
#[derive(Debug)]
pub struct Room {
    clock: Stopwatch,
    /// When a worker was woken that is not there yet, by the clock; zero if there is none, or somebody has napped for it.
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
    /// Counts one more since the last wake-up; returns what is known then, and the time if it is to be looked at, ever more seldom.
    fn count(self, woken: u64, now: impl FnOnce() -> u64) -> (Self, Option<u64>) {
        if self.woken != woken {
            let now = now();
            return (Self { woken, first: now, count: 1 }, None);
        }
        let count = self.count + 1;
        (Self { count, ..self }, count.is_power_of_two().then(now))
    }

    /// Tells whether now a nap pays, if there is so many times as much to do as between two visits (T5, T6).
    fn are_worth_a_nap(self, now: u64, left: impl FnOnce() -> u64) -> bool {
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
            self.woken.store(self.clock.nanos().max(1), Ordering::Relaxed);
        }
    }

    /// Notes that the worker is there.
    pub fn arrive(&self) {
        if TURNS != 0 {
            // ORDERING: Relaxed; as above.
            self.woken.store(0, Ordering::Relaxed);
        }
    }

    /// Tells whether a worker is expected.
    #[inline]
    pub fn is_expected(&self) -> bool {
        // ORDERING: Relaxed; as above. Under loom nobody is.
        TURNS != 0 && self.woken.load(Ordering::Relaxed) > 0
    }

    /// Naps if a worker is late and so many times as much is left to do as between two visits; tells whether it did. For who comes
    /// between two tasks, with nothing in its hands that others wait for.
    #[inline]
    pub fn make(&self, left: impl FnOnce() -> u64) -> bool {
        self.is_expected() && self.make_if_late(left)
    }

    #[cold]
    fn make_if_late(&self, left: impl FnOnce() -> u64) -> bool {
        // ORDERING: Relaxed; as above.
        let woken = self.woken.load(Ordering::Relaxed);
        let (visits, now) = VISITS.with(Cell::get).count(woken, || self.clock.nanos());
        VISITS.with(|all| all.set(visits));
        let is_ours = now.is_some_and(|now| visits.are_worth_a_nap(now, left))
            // T5. ORDERING: Relaxed; as above.
            && self.woken.compare_exchange(woken, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_ours {
            thread::nap();
        }
        is_ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A room where a worker is late, after one visit.
    fn late() -> Room {
        let room = Room::new();
        room.woken.store(1, Ordering::Relaxed);
        assert!(!room.make(|| u64::MAX), "the first visit tells nothing");
        while room.clock.nanos() <= 2 * LATE_NANOS {}
        room
    }

    #[test]
    fn t5_one_nap_is_made_for_a_late_worker() {
        let room = late();
        assert!(room.make(|| u64::MAX));
        assert!((0..8).all(|_| !room.make(|| u64::MAX)), "once");
    }

    #[test]
    fn t5_no_nap_is_made_for_who_is_there() {
        let room = late();
        room.arrive();
        assert!(!room.make(|| u64::MAX));
    }

    #[test]
    fn t5_no_nap_is_made_for_who_is_on_the_way() {
        let visits = Visits { woken: 1_000, first: 1_000, count: 2 };
        let is_worth_it = |now| visits.are_worth_a_nap(now, || u64::MAX);
        assert!(!is_worth_it(1_000 + LATE_NANOS) && is_worth_it(1_001 + LATE_NANOS));
    }

    #[test]
    fn t6_no_nap_is_made_for_little_work() {
        let room = late();
        assert!(!room.make(|| 0), "nothing is left");
        // Ten tasks in 40 us, and so 4 us for each.
        let visits = Visits { woken: 1_000, first: 10_000, count: 11 };
        let is_worth_it = |left| visits.are_worth_a_nap(50_000, || left);
        assert!(!is_worth_it(24) && is_worth_it(25));
    }

    #[test]
    fn t6_no_nap_is_made_for_short_tasks() {
        let is_worth_it = |each: u64| {
            let visits = Visits { woken: 1_000, first: 100_000, count: 2 };
            visits.are_worth_a_nap(100_000 + each, || u64::MAX)
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
