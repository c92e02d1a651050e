//! Models of the latch and its sleepers.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, Ordering};
use zero_pool_loom::latch::{Completion, Hold, Latch, Lot, Sleeper};

use crate::fixture::{end, spawn};
use crate::support::{Bound, FOUR, NO_RECLAIMER, THREE};

/// A latch with its lot, and a plain cell per task for the result.
struct Fixture {
    latch: Latch,
    lot: Lot,
    results: Vec<UnsafeCell<u32>>,
}

impl Fixture {
    fn new(tasks: u64) -> Arc<Self> {
        let results = (0..tasks).map(|_| UnsafeCell::new(0)).collect();
        Arc::new(Self { latch: Latch::new(tasks), lot: Lot::new(), results })
    }

    /// Writes a task's result and completes it, as a worker does.
    fn complete(&self, task: usize) -> Completion {
        // SAFETY: each task is completed by one thread.
        self.results[task].with_mut(|result| unsafe { *result = 7 });
        let completion = self.latch.complete(1);
        if completion.wake {
            self.lot.wake(self.latch.key(), Sleeper::wake);
        }
        completion
    }

    /// Reads all results, which a wait has ordered before this.
    fn results(&self) -> u32 {
        // SAFETY: loom checks that no write is concurrent.
        self.results.iter().map(|result| result.with(|result| unsafe { *result })).sum()
    }

    fn sleepers(&self) -> usize {
        let mut left = 0;
        self.lot.wake(self.latch.key(), |_| left += 1);
        left
    }
}

/// Two completions and the release of two holds: one of the four is the last, and what all of them did to the node
/// comes before. Each writes a cell of the node first; the last one writes them all.
fn n2_the_last_of_four_sees_what_all_did() {
    let fixture = Fixture::new(2);
    let touched = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0), UnsafeCell::new(0)]);
    let party = |at: usize, step: fn(&Fixture) -> bool| {
        let touched = Arc::clone(&touched);
        move |f: &Fixture| {
            // SAFETY: a cell of our own, until the last.
            touched[at].with_mut(|cell| unsafe { *cell += 1 });
            let last = step(f);
            if last {
                // SAFETY: N2: everybody else has let go.
                touched.iter().for_each(|cell| cell.with_mut(|cell| unsafe { *cell += 1 }));
            }
            usize::from(last)
        }
    };
    let queue = spawn(&fixture, party(0, |f| f.latch.release(Hold::Queue).last));
    let worker = spawn(&fixture, party(1, |f| f.latch.complete(1).last | f.latch.complete(1).last));
    let handle = party(2, |f| f.latch.release(Hold::Handle).last)(&fixture);
    assert_eq!(handle + end(queue) + end(worker), 1, "N2: one step is the last");
}

/// A sleeper that has given up sleeping, and its hold, before the last task ends: the bit that it left in the word does
/// not keep the last from knowing that it is the last.
fn n2_a_sleeper_does_not_hide_the_last() {
    let fixture = Fixture::new(1);
    assert!(!fixture.latch.release(Hold::Queue).last, "N1: a task is unfinished");
    let worker = spawn(&fixture, |f| f.complete(0).last);
    fixture.latch.wait_timeout(&fixture.lot, Duration::from_millis(1));
    let handle = fixture.latch.release(Hold::Handle).last;
    assert!(handle ^ end(worker), "N2: one step is the last");
}

/// The queue lets go beside the last completion: one of the two comes second, and knows it.
fn w5_one_of_two_comes_second() {
    let fixture = Fixture::new(1);
    let worker = spawn(&fixture, |f| f.complete(0).afloat);
    let finished = fixture.latch.release(Hold::Queue).finished;
    assert!(finished ^ end(worker), "W5: one of the two finds the other done");
}

/// Two completions against who polls: once finished, both results are there.
fn l2_finished_shows_all_results() {
    let fixture = Fixture::new(2);
    let one = spawn(&fixture, |f| f.complete(0));
    let two = spawn(&fixture, |f| f.complete(1));
    if fixture.latch.is_finished() {
        assert_eq!(fixture.results(), 14);
    }
    assert!(!end(one).last && !end(two).last);
}

/// A finisher against a waiter about to sleep: between its look and its sleep the last task ends.
fn l3_a_finisher_meets_a_waiter_about_to_sleep() {
    let fixture = Fixture::new(1);
    let worker = spawn(&fixture, |f| f.complete(0));
    fixture.latch.wait(&fixture.lot);
    assert_eq!(fixture.results(), 7);
    assert!(!end(worker).last);
    assert_eq!(fixture.sleepers(), 0);
}

/// The first of two completions finds a sleeper already: only the second may wake, and it must.
fn l3_only_the_finishing_completion_wakes() {
    let fixture = Fixture::new(2);
    let worker = spawn(&fixture, |f| [f.complete(0).wake, f.complete(1).wake]);
    fixture.latch.wait(&fixture.lot);
    assert_eq!(fixture.results(), 14);
    assert!(!end(worker)[0]);
}

/// A wake-up that was meant for an earlier latch at the same address: the waiter goes back to sleep until its own tasks
/// are finished.
fn l3_a_wake_up_for_an_earlier_latch() {
    let fixture = Fixture::new(1);
    let late = spawn(&fixture, |f| f.lot.wake(f.latch.key(), Sleeper::wake));
    let worker = spawn(&fixture, |f| f.complete(0));
    fixture.latch.wait(&fixture.lot);
    assert!(fixture.latch.is_finished());
    assert_eq!(fixture.results(), 7);
    end(late);
    assert!(!end(worker).last);
}

/// Two waiters on one latch: the finisher wakes both.
fn l4_all_waiters_return() {
    let fixture = Fixture::new(1);
    let waiter = spawn(&fixture, |f| {
        f.latch.wait(&f.lot);
        f.results()
    });
    let worker = spawn(&fixture, |f| f.complete(0));
    fixture.latch.wait(&fixture.lot);
    assert_eq!((fixture.results(), end(waiter)), (7, 7));
    assert!(!end(worker).last);
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// A waker that is entered while the last task ends: it is called, or its entry is refused.
fn l4_a_waker_is_called_or_refused() {
    let fixture = Fixture::new(1);
    let worker = spawn(&fixture, |f| f.complete(0));
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    let entered = fixture.lot.enter(&fixture.latch, Sleeper::Task(waker)).is_some();
    assert!(!end(worker).last);
    assert_eq!(flag.0.load(Ordering::Acquire), entered);
    assert!(fixture.latch.is_finished());
}

/// A waiter whose time is over, alone with the finisher: it has taken its entry back, or the finisher took it.
fn l5_a_timeout_leaves_no_entry() {
    let fixture = Fixture::new(1);
    let worker = spawn(&fixture, |f| f.complete(0));
    fixture.latch.wait_timeout(&fixture.lot, Duration::from_millis(1));
    assert_eq!(fixture.sleepers(), 0, "L5: an entry was left behind");
    assert!(!end(worker).last);
}

/// A waiter whose time is over against the finisher who has seen it, and a second one who waits for good: the first
/// leaves no entry behind and tells the truth, the second returns.
fn l5_a_timeout_beside_a_waiter() {
    let fixture = Fixture::new(1);
    let timed = spawn(&fixture, |f| {
        let finished = f.latch.wait_timeout(&f.lot, Duration::from_millis(1));
        assert!(!finished || f.results() == 7, "L5: finished, without the result");
    });
    let worker = spawn(&fixture, |f| f.complete(0));
    fixture.latch.wait(&fixture.lot);
    end(timed);
    assert!(!end(worker).last);
    assert_eq!(fixture.sleepers(), 0, "L5: an entry was left behind");
}

crate::table! { "latch":
    n2_the_last_of_four_sees_what_all_did(Bound::None, NO_RECLAIMER),
    n2_a_sleeper_does_not_hide_the_last(Bound::None, NO_RECLAIMER),
    w5_one_of_two_comes_second(Bound::None, NO_RECLAIMER),
    l2_finished_shows_all_results(Bound::None, NO_RECLAIMER),
    l3_a_finisher_meets_a_waiter_about_to_sleep(Bound::None, NO_RECLAIMER),
    l3_only_the_finishing_completion_wakes(Bound::None, NO_RECLAIMER),
    l3_a_wake_up_for_an_earlier_latch(THREE, NO_RECLAIMER),
    l4_all_waiters_return(FOUR, NO_RECLAIMER),
    l4_a_waker_is_called_or_refused(Bound::None, NO_RECLAIMER),
    l5_a_timeout_leaves_no_entry(Bound::None, NO_RECLAIMER),
    l5_a_timeout_beside_a_waiter(FOUR, NO_RECLAIMER),
}
