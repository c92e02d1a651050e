//! What this checker shows and what it misses: programs of a few accesses, and the exact set of their outcomes.
//!
//! A model is evidence only as far as loom explores. Each litmus is a program whose outcomes under the C11 model are
//! known, and it pins those that loom 0.7.3 shows. `cargo xtask ordmut` asks for one wherever a mutant survives because
//! loom misses an outcome. A loom that shows more, or less, fails here first.
//!
//! | litmus | C11 | loom |
//! |---|---|---|
//! | store buffering, fences | never 0, 0 | the same |
//! | store buffering, `SeqCst` accesses | never 0, 0 | shows it: such accesses count as `AcqRel` |
//! | message passing, relaxed | the stale value | the same |
//! | load buffering, relaxed | 1, 1 | misses it |
//! | failed compare-exchange, relaxed | may read a stale value | reads the latest |
//! | a load beside a load that a compare-exchange follows | may read what that writes | misses it |

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use loom::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use loom::sync::atomic::{AtomicUsize, fence};
use loom::thread;

use crate::support::{Bound, NO_RECLAIMER};

/// What the two threads of a litmus have read.
type Outcome = (usize, usize);

/// The outcomes seen in this process, which runs one model.
static SEEN: Mutex<BTreeSet<Outcome>> = Mutex::new(BTreeSet::new());

/// The outcomes that loom shows of each litmus.
const SHOWN: &[(&str, &[Outcome])] = &[
    ("litmus_store_buffering_with_fences", &[(0, 1), (1, 0), (1, 1)]),
    ("litmus_store_buffering_with_seqcst_accesses", &[(0, 0), (0, 1), (1, 0), (1, 1)]),
    ("litmus_message_passing_relaxed", &[(0, 0), (1, 0), (2, 0), (3, 0)]),
    ("litmus_load_buffering", &[(0, 0), (0, 1), (1, 0)]),
    ("litmus_a_failed_exchange_reads_the_latest", &[(0, 0), (1, 0), (3, 0)]),
    ("litmus_a_load_masks_the_load_before", &[(0, 0), (1, 0)]),
];

/// Fails if `litmus` did not show exactly what it should have; every other model passes.
pub fn conclude(litmus: &str) {
    if let Some((_, shown)) = SHOWN.iter().find(|(name, _)| *name == litmus) {
        let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*seen, BTreeSet::from_iter(shown.iter().copied()), "{litmus}");
    }
}

type Shared = Arc<[AtomicUsize; 2]>;

/// Runs `other` beside `mine` on two zeroes, and notes what they return.
fn observe(mine: fn(&Shared) -> usize, other: fn(&Shared) -> usize) {
    let shared: Shared = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let thread = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || other(&shared))
    };
    let mine = mine(&shared);
    let other = thread.join().expect("the thread ends");
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.insert((mine, other));
}

/// Each thread writes one variable, fences, and reads the other: one of them sees the other's write.
fn litmus_store_buffering_with_fences() {
    fn side(shared: &Shared, own: usize) -> usize {
        shared[own].store(1, Relaxed);
        fence(SeqCst);
        shared[1 - own].load(Relaxed)
    }
    observe(|shared| side(shared, 0), |shared| side(shared, 1));
}

/// The same with `SeqCst` accesses and no fences. C11 forbids that both read 0, and loom shows it: this is why the crate
/// has fences on both sides, and no such access.
fn litmus_store_buffering_with_seqcst_accesses() {
    fn side(shared: &Shared, own: usize) -> usize {
        shared[own].store(1, SeqCst);
        shared[1 - own].load(SeqCst)
    }
    observe(|shared| side(shared, 0), |shared| side(shared, 1));
}

/// A flag that is set after the data and promises nothing: who sees it may miss the data.
fn litmus_message_passing_relaxed() {
    observe(
        |shared| {
            let flag = shared[1].load(Relaxed);
            let data = shared[0].load(Relaxed);
            2 * flag + data
        },
        |shared| {
            shared[0].store(1, Relaxed);
            shared[1].store(1, Relaxed);
            0
        },
    );
}

/// Each thread reads one variable and then writes the other. C11 allows that both read the other's write, as hardware
/// may write early; loom runs every load before what follows it.
fn litmus_load_buffering() {
    fn side(shared: &Shared, own: usize) -> usize {
        let read = shared[own].load(Relaxed);
        shared[1 - own].store(1, Relaxed);
        read
    }
    observe(|shared| side(shared, 0), |shared| side(shared, 1));
}

/// Who sees the flag may read stale data by a load, and by C11 also by a compare-exchange that fails; loom gives the
/// latter the latest value.
fn litmus_a_failed_exchange_reads_the_latest() {
    observe(
        |shared| {
            let flag = shared[1].load(Relaxed);
            let data = shared[0].compare_exchange(7, 8, Relaxed, Relaxed);
            2 * flag + data.expect_err("it is never 7")
        },
        |shared| {
            shared[0].store(1, Relaxed);
            shared[1].store(1, Relaxed);
            0
        },
    );
}

/// Who acquires the flag and reads the data, against a load and then a compare-exchange of the flag, which promises nothing
/// about the data written between them. C11 allows that the flag is seen, and the data or not. loom explores only that the
/// flag is not seen: of the past accesses to the flag it keeps the last, which is the other's load and no longer ours.
fn litmus_a_load_masks_the_load_before() {
    observe(
        |shared| {
            let flag = shared[1].load(Acquire);
            let data = shared[0].load(Relaxed);
            2 * flag + data
        },
        |shared| {
            assert_eq!(shared[1].load(Relaxed), 0);
            shared[0].store(1, Relaxed);
            shared[1].compare_exchange(0, 1, Relaxed, Relaxed).map_or(1, |_| 0)
        },
    );
}

crate::table! { "litmus":
    litmus_store_buffering_with_fences(Bound::None, NO_RECLAIMER),
    litmus_store_buffering_with_seqcst_accesses(Bound::None, NO_RECLAIMER),
    litmus_message_passing_relaxed(Bound::None, NO_RECLAIMER),
    litmus_load_buffering(Bound::None, NO_RECLAIMER),
    litmus_a_failed_exchange_reads_the_latest(Bound::None, NO_RECLAIMER),
    litmus_a_load_masks_the_load_before(Bound::None, NO_RECLAIMER),
}
