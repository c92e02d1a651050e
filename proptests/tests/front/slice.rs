//! Loops over slices and ranges.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptests::watchdog::watch;

use super::*;

/// The length of a loop, and the numbers at which it panics.
fn loops() -> impl Strategy<Value = (usize, BTreeSet<usize>)> {
    let len = prop_oneof![0..5_usize, 0..400_usize];
    (len, prop_oneof![Just(BTreeSet::new()), btree_set(0..400_usize, 1..9)])
        .prop_map(|(len, bad)| (len, bad.into_iter().filter(|&at| at < len).collect()))
}

/// Fails unless a call ended with one of the planned panics, or well if there were none.
#[track_caller]
fn assert_ended<T>(ended: Result<T, usize>, bad: &BTreeSet<usize>) {
    match ended {
        Ok(_) => assert!(bad.is_empty(), "a panic was lost: {bad:?}"),
        Err(number) => assert!(bad.contains(&number), "{number}"),
    }
}

/// Maps, with results that are entered and carry a load.
#[track_caller]
fn assert_maps<T: Send + Sync + Clone>(pool: &ZeroPool, len: usize, bad: &BTreeSet<usize>, load: &T) {
    let ledger = Ledger::new(len);
    let places: Vec<_> = (0..len).collect();
    let body = |&at: &usize| if bad.contains(&at) { throw(at) } else { ledger.enter(at, load.clone()) };
    let mapped = number_of(|| pool.map(&places, body));
    if let Ok(results) = &mapped {
        assert!(results.iter().map(|result| result.number).eq(0..len));
        let dropped = |[_, dropped]: &[AtomicUsize; 2]| dropped.load(Ordering::Relaxed) > 0;
        assert!(!ledger.0.iter().any(dropped), "S1: dropped too soon");
    }
    assert_ended(mapped, bad);
    for at in 0..len {
        assert_eq!(ledger.made_and_dropped(at), usize::from(!bad.contains(&at)), "S1: number {at}");
    }
}

#[derive(Clone)]
#[repr(align(128))]
struct Aligned;

proptest! {
    #![proptest_config(proptests::config!(300))]

    #[test]
    fn s1_a_map_keeps_the_order_and_drops_what_a_panic_leaves(
        workers in workers(),
        place in places(),
        (len, bad) in loops(),
    ) {
        let _watchdog = watch("slice::s1_a_map_keeps_the_order_and_drops_what_a_panic_leaves", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        place.call(&pool, || {
            assert_maps(&pool, len, &bad, &());
            assert_maps(&pool, len, &bad, &Aligned);
            assert_maps(&pool, len, &bad, &[7_u64; 40]);
        });
    }

    /// Results that take no room are made and dropped as often as others.
    #[test]
    fn s1_results_of_no_size_are_dropped_once(workers in workers(), (len, bad) in loops()) {
        let _watchdog = watch("slice::s1_results_of_no_size_are_dropped_once", DEADLINE);
        static ALIVE: AtomicUsize = AtomicUsize::new(0);
        struct Nothing;
        impl Drop for Nothing {
            fn drop(&mut self) {
                ALIVE.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let places: Vec<_> = (0..len).collect();
        let mapped = number_of(|| {
            ZeroPool::with_workers(workers).map(&places, |&at| {
                if bad.contains(&at) {
                    throw(at);
                }
                ALIVE.fetch_add(1, Ordering::Relaxed);
                Nothing
            })
        });
        prop_assert_eq!(ALIVE.load(Ordering::Relaxed), if mapped.is_ok() { len } else { 0 });
        assert_ended(mapped, &bad);
        prop_assert_eq!(ALIVE.load(Ordering::Relaxed), 0);
    }

    /// What is replaced is dropped once, and what a panic left as it was is not dropped before its time.
    #[test]
    fn s1_a_map_into_leaves_what_panicked_as_it_was(
        workers in workers(),
        place in places(),
        (len, bad) in loops(),
    ) {
        let _watchdog = watch("slice::s1_a_map_into_leaves_what_panicked_as_it_was", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        let places: Vec<_> = (0..len).collect();
        place.call(&pool, || {
            let ledger = Ledger::new(2 * len);
            let mut out: Vec<_> = (0..len).map(|at| ledger.enter(at, ())).collect();
            let body = |&at: &usize| if bad.contains(&at) { throw(at) } else { ledger.enter(len + at, ()) };
            assert_ended(number_of(|| pool.map_into(&places, &mut out, body)), &bad);
            for (at, result) in out.iter().enumerate() {
                assert_eq!(result.number, if bad.contains(&at) { at } else { len + at });
            }
            drop(out);
            for at in 0..len {
                assert_eq!(ledger.made_and_dropped(at), 1);
                assert_eq!(ledger.made_and_dropped(len + at), usize::from(!bad.contains(&at)));
            }
        });
    }

    /// Every element is visited once, and those after a panic, too.
    #[test]
    fn s1_loops_over_slices_are_plain_loops(
        workers in workers(),
        place in places(),
        items in vec(any::<u32>(), 0..300),
        (_, bad) in loops(),
    ) {
        let _watchdog = watch("slice::s1_loops_over_slices_are_plain_loops", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        let bad: BTreeSet<_> = bad.into_iter().filter(|&at| at < items.len()).collect();
        place.call(&pool, || {
            let mut changed: Vec<_> = items.iter().copied().enumerate().collect();
            let change = |(at, item): &mut (usize, u32)| {
                *item = item.wrapping_mul(3);
                if bad.contains(at) {
                    throw(*at);
                }
            };
            assert_ended(number_of(|| pool.for_each_mut(&mut changed, change)), &bad);
            assert!(changed.iter().map(|entry| entry.1).eq(items.iter().map(|item| item.wrapping_mul(3))));
            let visits: Vec<_> = items.iter().map(|_| AtomicUsize::new(0)).collect();
            let visit = |(at, _): &(usize, u32)| {
                visits[*at].fetch_add(1, Ordering::Relaxed);
                if bad.contains(at) {
                    throw(*at);
                }
            };
            assert_ended(number_of(|| pool.for_each(&changed, visit)), &bad);
            assert_ended(number_of(|| pool.for_each_index(0..items.len(), |at| visit(&(at, 0)))), &bad);
            assert!(visits.iter().all(|visits| visits.load(Ordering::Relaxed) == 2), "{visits:?}");
        });
    }
}

#[test]
#[should_panic(expected = "2 items, and room for 3 results")]
fn s1_lengths_that_differ_are_named() {
    ZeroPool::with_workers(1).map_into(&[1, 2], &mut [0; 3], |n| *n);
}
