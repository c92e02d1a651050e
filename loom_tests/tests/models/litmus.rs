//! What this checker shows and what it misses: programs of a few accesses, and the exact set of their outcomes.
//!
//! A model is evidence only as far as loom explores. Each litmus is a program whose outcomes under the C11 model are
//! known, and it pins those that loom 0.7.3 shows, as published and repaired (`checker.rs`). `cargo xtask ordmut` asks for one
//! wherever a mutant survives because loom misses an outcome. A loom that shows more, or less, fails here first.
//!
//! | litmus | C11 | loom | repaired |
//! |---|---|---|---|
//! | store buffering, fences | never 0, 0 | the same | the same |
//! | store buffering, `SeqCst` accesses | never 0, 0 | shows it: such accesses count as `AcqRel` | likewise |
//! | message passing, relaxed | the stale value | the same | the same |
//! | message passing, release and acquire | never the stale value | the same | the same |
//! | load buffering, relaxed | 1, 1 | misses it | misses it |
//! | independent reads, acquire | two orders of two writes | the same | the same |
//! | independent reads, `SeqCst` fences | one order | the same | the same |
//! | two loops of load and compare-exchange | each adds once | the same | the same |
//! | failed compare-exchange, relaxed | may read a stale value | reads the latest | likewise |
//! | weak compare-exchange | may fail for no reason | never does | likewise |
//! | a load beside a load that a compare-exchange follows | may read what that writes | misses it | shows it |
//! | a write seen before the fence behind it | without that fence | misses it | shows it |
//! | an acquire fence after another thread's relaxed load | orders nothing | orders its own thread | orders nothing |
//! | a lock taken between the last write and the unlock | fails | misses it | misses it |
//! | `unpark` of a thread that does not park | orders nothing | orders what it does next | likewise |
//! | `park` and `unpark` | order | the same | the same |

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use loom::sync::atomic::{AtomicUsize, fence};
use loom::thread;

use crate::checker::Checker;
use crate::fixture::{end, spawn};
use crate::support::{Bound, NO_RECLAIMER};

/// What two threads of a litmus have read.
type Outcome = (usize, usize);

/// The outcomes seen in this process, which runs one model.
static SEEN: Mutex<BTreeSet<Outcome>> = Mutex::new(BTreeSet::new());

/// The outcomes that loom shows of each litmus.
const SHOWN: &[(&str, &[Outcome])] = &[
    ("litmus_store_buffering_with_fences", &[(0, 1), (1, 0), (1, 1)]),
    ("litmus_store_buffering_with_seqcst_accesses", &[(0, 0), (0, 1), (1, 0), (1, 1)]),
    ("litmus_message_passing_relaxed", &[(0, 0), (1, 0), (2, 0), (3, 0)]),
    ("litmus_message_passing", &[(0, 0), (1, 0), (3, 0)]),
    ("litmus_load_buffering", &[(0, 0), (0, 1), (1, 0)]),
    ("litmus_a_failed_exchange_reads_the_latest", &[(0, 0), (1, 0), (3, 0)]),
    ("litmus_a_weak_exchange_never_fails", &[(0, 0), (0, 1)]),
    ("litmus_two_exchange_loops", &[(0, 1), (1, 0)]),
    ("litmus_a_load_masks_the_load_before", &[(0, 0), (1, 0)]),
    ("litmus_a_fence_sticks_to_the_write_before", &[(0, 0), (1, 0), (3, 0)]),
    ("litmus_a_fence_acquires_for_others", &[(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (3, 0), (3, 1)]),
    ("litmus_a_lock_is_released_with_the_write_before", &[(0, 0), (1, 0), (3, 0)]),
    ("litmus_an_unpark_orders_who_does_not_park", &[(0, 0), (1, 0), (3, 0)]),
    ("litmus_a_park_orders", &[(2, 0), (3, 0)]),
];

/// Those of which the repaired checker shows more.
const SHOWN_REPAIRED: &[(&str, &[Outcome])] = &[
    ("litmus_a_load_masks_the_load_before", &[(0, 0), (1, 0), (2, 0), (3, 0)]),
    ("litmus_a_fence_sticks_to_the_write_before", &[(0, 0), (1, 0), (2, 0), (3, 0)]),
    ("litmus_a_fence_acquires_for_others", &[(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1)]),
];

/// All pairs of 0 to 3, without those for which the litmus is named.
fn pairs_but(excluded: &[Outcome]) -> BTreeSet<Outcome> {
    let all = (0..4).flat_map(|mine| (0..4).map(move |other| (mine, other)));
    all.filter(|pair| !excluded.contains(pair)).collect()
}

/// Returns what the checker shows of `litmus`; other models are none of ours.
fn shown(litmus: &str) -> Option<BTreeSet<Outcome>> {
    match litmus {
        "litmus_independent_reads" => return Some(pairs_but(&[])),
        "litmus_independent_reads_with_fences" => return Some(pairs_but(&[(2, 2)])),
        _ => {}
    }
    let repaired: &[_] = if Checker::current() == Checker::Repaired { SHOWN_REPAIRED } else { &[] };
    let (_, shown) = repaired.iter().chain(SHOWN).find(|(name, _)| *name == litmus)?;
    Some(shown.iter().copied().collect())
}

/// Fails if `litmus` did not show exactly what it should have; every other model passes.
pub fn conclude(litmus: &str) {
    if let Some(shown) = shown(litmus) {
        let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*seen, shown, "{litmus} on the checker that this run takes for {:?}", Checker::current());
    }
}

fn note(mine: usize, other: usize) {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert((mine, other));
}

/// What the threads of a litmus share.
type Zeroes = [AtomicUsize; 3];

fn zeroes() -> Arc<Zeroes> {
    Arc::new([AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)])
}

/// Runs `other` beside `mine` on zeroes, and notes what they return.
fn observe(mine: fn(&Zeroes) -> usize, other: fn(&Zeroes) -> usize) {
    observe_beside(&[], mine, other);
}

/// The same beside more threads, which return nothing.
fn observe_beside(beside: &[fn(&Zeroes)], mine: fn(&Zeroes) -> usize, other: fn(&Zeroes) -> usize) {
    let shared = zeroes();
    let beside: Vec<_> = beside.iter().map(|&body| spawn(&shared, body)).collect();
    let other = spawn(&shared, other);
    let mine = mine(&shared);
    note(mine, end(other));
    beside.into_iter().for_each(end);
}

/// Each thread writes one variable, fences, and reads the other: one of them sees the other's write.
fn litmus_store_buffering_with_fences() {
    fn side(shared: &Zeroes, own: usize) -> usize {
        shared[own].store(1, Relaxed);
        fence(SeqCst);
        shared[1 - own].load(Relaxed)
    }
    observe(|shared| side(shared, 0), |shared| side(shared, 1));
}

/// The same with `SeqCst` accesses and no fences. C11 forbids that both read 0, and loom shows it: this is why the crate
/// has fences on both sides, and no such access.
fn litmus_store_buffering_with_seqcst_accesses() {
    fn side(shared: &Zeroes, own: usize) -> usize {
        shared[own].store(1, SeqCst);
        shared[1 - own].load(SeqCst)
    }
    observe(|shared| side(shared, 0), |shared| side(shared, 1));
}

/// A flag that is set after the data and promises nothing: who sees it may miss the data.
fn litmus_message_passing_relaxed() {
    observe(
        |shared| 2 * shared[1].load(Relaxed) + shared[0].load(Relaxed),
        |shared| {
            shared[0].store(1, Relaxed);
            shared[1].store(1, Relaxed);
            0
        },
    );
}

/// A flag that is released after the data: who acquires it has the data.
fn litmus_message_passing() {
    observe(
        |shared| 2 * shared[1].load(Acquire) + shared[0].load(Relaxed),
        |shared| {
            shared[0].store(1, Relaxed);
            shared[1].store(1, Release);
            0
        },
    );
}

/// Each thread reads one variable and then writes the other. C11 allows that both read the other's write, as hardware
/// may write early; loom runs every load before what follows it.
fn litmus_load_buffering() {
    fn side(shared: &Zeroes, own: usize) -> usize {
        let read = shared[own].load(Relaxed);
        shared[1 - own].store(1, Relaxed);
        read
    }
    observe(|shared| side(shared, 0), |shared| side(shared, 1));
}

/// What the two readers of two independent writes have in common.
fn read_both(shared: &Zeroes, first: usize, between: fn()) -> usize {
    let one = shared[first].load(Acquire);
    between();
    2 * one + shared[1 - first].load(Acquire)
}

const WRITERS: &[fn(&Zeroes)] = &[|shared| shared[0].store(1, Release), |shared| shared[1].store(1, Release)];

/// Two threads write a variable each, two others read both in different order. C11 lets the readers disagree on which was
/// written first.
fn litmus_independent_reads() {
    observe_beside(WRITERS, |shared| read_both(shared, 0, || ()), |shared| read_both(shared, 1, || ()));
}

/// The same with a `SeqCst` fence between the reads: the readers agree.
fn litmus_independent_reads_with_fences() {
    observe_beside(
        WRITERS,
        |shared| read_both(shared, 0, || fence(SeqCst)),
        |shared| read_both(shared, 1, || fence(SeqCst)),
    );
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

/// A weak compare-exchange that nobody disturbs. By C11 it may fail.
fn litmus_a_weak_exchange_never_fails() {
    observe(
        |shared| usize::from(shared[0].compare_exchange_weak(0, 1, Relaxed, Relaxed).is_err()),
        |shared| shared[0].load(Relaxed),
    );
}

/// Two threads that add one by a loop of load and compare-exchange: none of the two is lost.
fn litmus_two_exchange_loops() {
    fn add(shared: &Zeroes) -> usize {
        loop {
            let old = shared[0].load(Relaxed);
            if shared[0].compare_exchange_weak(old, old + 1, Relaxed, Relaxed).is_ok() {
                return old;
            }
        }
    }
    observe(add, add);
}

/// Who acquires the flag and reads the data, against a load and then a compare-exchange of the flag, which promises nothing
/// about the data written between them. C11 allows that the flag is seen, and the data or not. loom as published explores
/// only that the flag is not seen: of the past accesses to the flag it keeps the last, which is the other's load and no
/// longer ours.
fn litmus_a_load_masks_the_load_before() {
    observe(
        |shared| 2 * shared[1].load(Acquire) + shared[0].load(Relaxed),
        |shared| {
            assert_eq!(shared[1].load(Relaxed), 0);
            shared[0].store(1, Relaxed);
            shared[1].compare_exchange(0, 1, Relaxed, Relaxed).map_or(1, |_| 0)
        },
    );
}

/// A flag is seen before the writer's fence, which so may come last and lets the reader miss the data. In loom as published a
/// fence is no step of its own: it happens at once with the access before it.
fn litmus_a_fence_sticks_to_the_write_before() {
    observe(
        |shared| {
            let flag = shared[1].load(Relaxed);
            fence(SeqCst);
            2 * flag + shared[0].load(Relaxed)
        },
        |shared| {
            shared[0].store(1, Relaxed);
            shared[1].store(1, Relaxed);
            fence(SeqCst);
            0
        },
    );
}

/// Data and a flag are written; a second thread sees the flag, relaxed, and releases a flag of its own; a third acquires
/// that and has an acquire fence. Only a load of its own would make that fence acquire the first flag, so the data may be
/// missed. loom as published counts the load of the second thread.
fn litmus_a_fence_acquires_for_others() {
    let writer: fn(&Zeroes) = |shared| {
        shared[0].store(1, Relaxed);
        shared[1].store(1, Release);
    };
    observe_beside(
        &[writer],
        |shared| {
            let flag = shared[2].load(Acquire);
            fence(Acquire);
            2 * flag + shared[0].load(Relaxed)
        },
        |shared| {
            let flag = shared[1].load(Relaxed);
            shared[2].store(1, Release);
            flag
        },
    );
}

/// A write is seen, and then its writer still has the lock. In loom an unlock is no step of its own either.
fn litmus_a_lock_is_released_with_the_write_before() {
    let shared = Arc::new((zeroes(), loom::sync::Mutex::new(())));
    let other = spawn(&shared, |(zeroes, lock)| {
        let held = lock.lock().expect("no panic");
        zeroes[0].store(1, Relaxed);
        drop(held);
    });
    let seen = shared.0[0].load(Relaxed);
    let free = usize::from(shared.1.try_lock().is_ok());
    end(other);
    note(2 * seen + free, 0);
}

/// An `unpark` between two writes, of a thread that does not park: it may see the second and miss the first. In loom the
/// thread knows of the first from then on.
fn litmus_an_unpark_orders_who_does_not_park() {
    let shared = zeroes();
    let other = spawn(&shared, |shared| 2 * shared[1].load(Relaxed) + shared[0].load(Relaxed));
    shared[0].store(1, Relaxed);
    other.thread().unpark();
    shared[1].store(1, Relaxed);
    note(end(other), 0);
}

/// A thread that parks until it is unparked sees what was written before. It reads first, so that there is a race.
fn litmus_a_park_orders() {
    let shared = zeroes();
    let other = spawn(&shared, |shared| {
        let early = shared[0].load(Relaxed);
        thread::park();
        2 * shared[0].load(Relaxed) + early
    });
    shared[0].store(1, Relaxed);
    other.thread().unpark();
    note(end(other), 0);
}

crate::table! { "litmus":
    litmus_store_buffering_with_fences(Bound::None, NO_RECLAIMER),
    litmus_store_buffering_with_seqcst_accesses(Bound::None, NO_RECLAIMER),
    litmus_message_passing_relaxed(Bound::None, NO_RECLAIMER),
    litmus_message_passing(Bound::None, NO_RECLAIMER),
    litmus_load_buffering(Bound::None, NO_RECLAIMER),
    litmus_independent_reads(Bound::None, NO_RECLAIMER),
    litmus_independent_reads_with_fences(Bound::None, NO_RECLAIMER),
    litmus_a_failed_exchange_reads_the_latest(Bound::None, NO_RECLAIMER),
    litmus_a_weak_exchange_never_fails(Bound::None, NO_RECLAIMER),
    litmus_two_exchange_loops(Bound::None, NO_RECLAIMER),
    litmus_a_load_masks_the_load_before(Bound::None, NO_RECLAIMER),
    litmus_a_fence_sticks_to_the_write_before(Bound::None, NO_RECLAIMER),
    litmus_a_fence_acquires_for_others(Bound::None, NO_RECLAIMER),
    litmus_a_lock_is_released_with_the_write_before(Bound::None, NO_RECLAIMER),
    litmus_an_unpark_orders_who_does_not_park(Bound::None, NO_RECLAIMER),
    litmus_a_park_orders(Bound::None, NO_RECLAIMER),
}
