//! Joins: two closures, their results, and their panics.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Barrier, mpsc};

use proptest::collection::{btree_set, vec};
use proptests::watchdog::watch;
use zero_pool::batch::{Plan, Work};
use zero_pool::grain::Grain;
use zero_pool::injector::Injector;
use zero_pool::unwind::Payload;
use zero_pool::{pending, worker};

use super::*;

/// Enters each leaf, and sums up by joins; panics at the leaves that are asked for.
fn sum<'a>(
    pool: &ZeroPool,
    ledger: &'a Ledger,
    leaves: &[usize],
    bad: &BTreeSet<usize>,
) -> (u64, Vec<Entered<&'a Ledger>>) {
    match leaves {
        [] => (0, Vec::new()),
        [one] if bad.contains(one) => throw(*one),
        [one] => (*one as u64, vec![ledger.enter(*one, ())]),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().div_ceil(3));
            let sum = |part| sum(pool, ledger, part, bad);
            let ((left, mut all), (right, more)) = pool.join(|| sum(left), || sum(right));
            all.extend(more);
            (left + right, all)
        }
    }
}

proptest! {
    #![proptest_config(proptests::config!(300))]

    /// All leaves are reached, in order; where some panic, the others' results are dropped once.
    #[test]
    fn s2_joins_nest_and_pass_panics_on(
        workers in workers(),
        place in places(),
        len in 0..200_usize,
        bad in prop_oneof![Just(BTreeSet::new()), btree_set(0..200_usize, 1..5)],
    ) {
        let _watchdog = watch("join::s2_joins_nest_and_pass_panics_on", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        let leaves: Vec<_> = (0..len).collect();
        let expected = leaves.iter().sum::<usize>() as u64;
        place.call(&pool, || {
            let ledger = Ledger::new(len);
            match number_of(|| sum(&pool, &ledger, &leaves, &bad)) {
                Ok((total, all)) => {
                    assert!(bad.range(..len).next().is_none(), "a panic was lost: {bad:?}");
                    assert!(total == expected && all.iter().map(|entered| entered.number).eq(0..len));
                }
                Err(number) => assert!(number < len && bad.contains(&number)),
            }
            for leaf in 0..len {
                assert_eq!(ledger.made_and_dropped(leaf), usize::from(!bad.contains(&leaf)));
            }
        });
    }

    /// Both end whoever panics, the first panic is that of the caller's own closure, and what the other returned is dropped.
    #[test]
    fn s2_both_closures_end(workers in workers(), panics in any::<[bool; 2]>(), rounds in 1..20_usize) {
        let _watchdog = watch("join::s2_both_closures_end", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        let ledger = Ledger::new(2);
        let ends = [const { AtomicUsize::new(0) }; 2];
        let closure = |number: usize| {
            thread::yield_now();
            ends[number].fetch_add(1, Ordering::Relaxed);
            if panics[number] { throw(number) } else { ledger.enter(number, ()) }
        };
        for _ in 0..rounds {
            let joined = number_of(|| pool.join(|| closure(0), || closure(1)));
            let joined = joined.map(|(first, second)| (first.number, second.number));
            prop_assert_eq!(joined, match panics {
                [true, _] => Err(0),
                [_, true] => Err(1),
                _ => Ok((0, 1)),
            });
        }
        prop_assert_eq!(ends.map(AtomicUsize::into_inner), [rounds; 2]);
        for (number, panics) in panics.into_iter().enumerate() {
            prop_assert_eq!(ledger.made_and_dropped(number), if panics { 0 } else { rounds });
        }
    }

    /// Quicksort, as everybody writes it, with borrowed halves that are changed.
    #[test]
    fn s2_joins_sort(workers in workers(), mut numbers in vec(any::<u16>(), 0..2_000)) {
        let _watchdog = watch("join::s2_joins_sort", DEADLINE);
        let mut expected = numbers.clone();
        expected.sort_unstable();
        sort(&ZeroPool::with_workers(workers), &mut numbers);
        prop_assert_eq!(numbers, expected);
    }
}

fn sort(pool: &ZeroPool, numbers: &mut [u16]) {
    if numbers.len() < 2 {
        return;
    }
    let pivot = numbers.len() / 2;
    let (below, _, above) = numbers.select_nth_unstable(pivot);
    pool.join(|| sort(pool, below), || sort(pool, above));
}

/// The only worker is not parked, so that nobody could be woken for the second half: it is not queued.
#[test]
fn s4_a_job_is_kept_while_nobody_could_be_woken() {
    unsafe fn count(context: *const (), _: Range<usize>) -> Option<Payload> {
        // SAFETY: the context given below.
        unsafe { &*context.cast::<AtomicUsize>() }.fetch_add(1, Ordering::Relaxed);
        None
    }
    let _watchdog = watch("join::s4_a_job_is_kept_while_nobody_could_be_woken", DEADLINE);
    let (injector, runs) = (Injector::new(1), AtomicUsize::new(0));
    let look = || {
        let claim = injector.take();
        let found = claim.is_some();
        claim.into_iter().for_each(|claim| worker::participate(&injector, claim));
        found
    };
    // A thread that is no worker leaves a worker asleep, and so publishes less.
    pending::become_worker(&injector);
    let work = Work { run: count, context: (&raw const runs).cast() };
    // SAFETY: the count outlives the call, and neither half unwinds.
    let (found, panic) = unsafe { worker::run_beside(&injector, work, look) };
    assert!(panic.is_none());
    assert!(!found, "S4: published, and nobody could be woken");
    assert_eq!(runs.into_inner(), 1);
}

/// Who drops a pool sleeps until its workers have ended, and one of them may wait for what this thread keeps for another pool.
#[test]
fn s4_who_drops_another_pool_keeps_nothing() {
    let _watchdog = watch("join::s4_who_drops_another_pool_keeps_nothing", DEADLINE);
    let (pool, other) = (ZeroPool::with_workers(2), ZeroPool::with_workers(1));
    let gate = Arc::new(Barrier::new(3));
    let busy = [(); 2].map(|()| {
        let gate = Arc::clone(&gate);
        pool.spawn(move || (gate.wait(), gate.wait()))
    });
    gate.wait();
    let (send, receive) = mpsc::channel();
    let waits = other.spawn(move || receive.recv());
    let first = || {
        gate.wait();
        drop(other);
    };
    pool.join(first, || send.send(()).expect("somebody waits for it"));
    assert_eq!(waits.join().expect("no task panics"), Ok(()));
    assert!(busy.into_iter().all(|busy| busy.join().is_ok()));
}

/// A timed wait is a sleep, too: what its thread keeps is queued before.
#[test]
fn s4_who_waits_for_a_time_keeps_nothing() {
    unsafe fn count(context: *const (), range: Range<usize>) -> Option<Payload> {
        // SAFETY: the context given below.
        unsafe { &*context.cast::<AtomicUsize>() }.fetch_add(range.len(), Ordering::Relaxed);
        None
    }
    let _watchdog = watch("join::s4_who_waits_for_a_time_keeps_nothing", DEADLINE);
    let (injector, runs) = (Injector::new(1), AtomicUsize::new(0));
    let work = Work { run: count, context: (&raw const runs).cast() };
    let plan = Plan { tasks: 1, threads: 1, helpers: 1, grain: Grain::SINGLE };
    // SAFETY: the count outlives the batch, and `count` does not unwind.
    let slow = injector.publish(unsafe { injector.batch(work, plan) });
    let claim = injector.take().expect("it was just published");
    let first = || {
        assert!(!worker::sleep_timeout(&injector, &slow, Duration::ZERO), "its task was not run");
        let second = injector.take().expect("S4: a thread that sleeps keeps nothing");
        worker::participate(&injector, second);
    };
    pending::become_worker(&injector);
    // SAFETY: the count outlives the call; a panic of the first half ends the test.
    let ((), panic) = unsafe { worker::run_beside(&injector, work, first) };
    assert!(panic.is_none());
    worker::participate(&injector, claim);
    assert!(worker::sleep_timeout(&injector, &slow, Duration::ZERO));
    injector.release(slow);
    assert_eq!(runs.into_inner(), 2);
}

/// One join inside of the other's first closure, and inside of its second.
#[test]
fn s2_joins_nest_a_thousand_deep() {
    fn descend(pool: &ZeroPool, depth: usize, first: bool) -> usize {
        if depth == 0 {
            return 0;
        }
        let deeper = || 1 + descend(pool, depth - 1, first);
        let (a, b) = if first { pool.join(deeper, || 0) } else { pool.join(|| 0, deeper) };
        a + b
    }
    let _watchdog = watch("join::s2_joins_nest_a_thousand_deep", DEADLINE);
    for workers in 1..=3 {
        let pool = ZeroPool::builder().workers(workers).stack_size(64 << 20).build().expect("it starts");
        on_a_worker(&pool, || {
            assert_eq!(descend(&pool, 1_000, true), 1_000);
            assert_eq!(descend(&pool, 1_000, false), 1_000);
        });
    }
}

#[test]
fn s2_a_result_that_panics_when_dropped_beside_a_panic_harms_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("the drop of a result"));
        }
    }
    let _watchdog = watch("join::s2_a_result_that_panics_when_dropped_beside_a_panic_harms_nobody", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let throw = || -> Bomb { throw(7) };
    let left = number_of(|| std::mem::forget(pool.join(throw, || Bomb)));
    let right = number_of(|| std::mem::forget(pool.join(|| Bomb, throw)));
    assert_eq!([left, right], [Err(7); 2]);
}
