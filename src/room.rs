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
//! Whose tasks are short makes no room: by the time of a nap it has run them all by itself, as it does beside a worker that is there
//! (see [`pace`](crate::pace)).
//!
//! # Invariants
//!
//! - `T5`  *Room once.* For each wake-up one thread naps at most, and none before the worker is late.
//! - `T6`  *Short tasks go on.* A thread does not nap that has come between two tasks more than [`SHORT`] times since the wake-up.
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

/// A worker that was woken mostly comes within 5 to 15 us.
const LATE_NANOS: u64 = 20_000;

/// Tasks are short if so many are run before a worker is late: less than a microsecond each.
const SHORT: u32 = 20;

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
    count: u32,
}

impl Visits {
    /// Counts one more since the last wake-up.
    fn count(self, woken: u64) -> Self {
        Self { woken, count: if self.woken == woken { self.count.saturating_add(1) } else { 1 } }
    }

    /// Tells whether a worker that was woken so long ago is worth a nap (T5, T6).
    fn are_worth_a_nap(self, nanos: u64) -> bool {
        self.count <= SHORT && nanos > LATE_NANOS
    }
}

each_thread! {
    static VISITS: Cell<Visits> = Cell::new(Visits { woken: 0, count: 0 })
}

impl Room {
    /// Begins with nobody expected.
    #[allow(clippy::new_without_default, reason = "it is made in one place")]
    pub fn new() -> Self {
        Self { clock: Stopwatch::start(), woken: AtomicU64::new(0) }
    }

    /// Notes that a worker is about to be woken.
    pub fn expect(&self) {
        if TURNS > 0 {
            // ORDERING: Relaxed; a moment that stands for itself.
            self.woken.store(self.clock.nanos().max(1), Ordering::Relaxed);
        }
    }

    /// Notes that the worker is there.
    pub fn arrive(&self) {
        if TURNS > 0 {
            // ORDERING: Relaxed; as above.
            self.woken.store(0, Ordering::Relaxed);
        }
    }

    /// Tells whether a worker is expected.
    #[inline]
    pub fn is_expected(&self) -> bool {
        // ORDERING: Relaxed; as above. Under loom nobody is.
        TURNS > 0 && self.woken.load(Ordering::Relaxed) > 0
    }

    /// Naps if a worker is late; tells whether it did. For who comes between two tasks, with nothing in its hands that others wait for.
    #[inline]
    pub fn make(&self) -> bool {
        self.is_expected() && self.make_if_late()
    }

    #[cold]
    fn make_if_late(&self) -> bool {
        // ORDERING: Relaxed; as above.
        let woken = self.woken.load(Ordering::Relaxed);
        let visits = VISITS.with(|visits| {
            visits.set(visits.get().count(woken));
            visits.get()
        });
        let is_late = visits.are_worth_a_nap(self.clock.nanos().saturating_sub(woken));
        // T5. ORDERING: Relaxed; as above.
        let is_ours =
            is_late && self.woken.compare_exchange(woken, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_ours {
            thread::nap();
        }
        is_ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A room where a worker is late.
    fn late() -> Room {
        let room = Room::new();
        while room.clock.nanos() <= LATE_NANOS + 1 {}
        room.woken.store(1, Ordering::Relaxed);
        room
    }

    #[test]
    fn t5_one_nap_is_made_for_a_late_worker() {
        let room = late();
        assert!(room.make());
        assert!(!room.make(), "once");
    }

    #[test]
    fn t5_no_nap_is_made_for_who_is_there_or_on_the_way() {
        let room = late();
        room.arrive();
        assert!(!room.make(), "it is there");
        room.woken.store(u64::MAX, Ordering::Relaxed);
        assert!(!room.make(), "it has just been woken");
        let visits = Visits { woken: 7, count: 1 };
        assert!(visits.are_worth_a_nap(LATE_NANOS + 1) && !visits.are_worth_a_nap(LATE_NANOS));
    }

    #[test]
    fn t6_short_tasks_make_no_room() {
        let once = Visits { woken: 7, count: 5 }.count(8);
        assert_eq!(once, Visits { woken: 8, count: 1 }, "another wake-up");
        let often = (1..SHORT).fold(once, |visits, _| visits.count(8));
        assert!(often.are_worth_a_nap(u64::MAX));
        assert!(!often.count(8).are_worth_a_nap(u64::MAX));
    }
}
