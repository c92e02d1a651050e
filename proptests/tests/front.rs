//! The sound surface against plain loops: results, panics anywhere, and what is dropped.

use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use zero_pool::ZeroPool;

/// Counts how many of its kind are alive.
struct Counted<'a>(&'a AtomicUsize, u32);

impl<'a> Counted<'a> {
    fn new(alive: &'a AtomicUsize, value: u32) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(alive, value)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sums up by joins, down to single numbers, and panics with the numbers that are asked for.
fn sum(pool: &ZeroPool, numbers: &[u32], bad: Option<u32>) -> u64 {
    match numbers {
        [] => 0,
        [one] if Some(*one) == bad => resume_unwind(Box::new(*one)),
        [one] => u64::from(*one),
        _ => {
            let (left, right) = numbers.split_at(numbers.len() / 2);
            let (left, right) = pool.join(|| sum(pool, left, bad), || sum(pool, right, bad));
            left + right
        }
    }
}

/// Spawns `width` tasks at each of `depth` levels, each of which counts itself.
fn spawn_levels<'scope>(
    scope: &'scope zero_pool::Scope<'scope, '_>,
    count: &'scope AtomicUsize,
    width: usize,
    depth: usize,
) {
    for _ in 0..width {
        scope.spawn(move || {
            count.fetch_add(1, Ordering::Relaxed);
            if depth > 1 {
                spawn_levels(scope, count, width, depth - 1);
            }
        });
    }
}

proptest! {
    #![proptest_config(proptests::config!(64))]

    #[test]
    fn s1_a_map_keeps_the_order_and_drops_what_a_panic_leaves(
        workers in 1..=8_usize,
        items in vec(any::<u32>(), 0..300),
        bad in btree_set(0..300_usize, 0..4),
    ) {
        let pool = ZeroPool::with_workers(workers);
        let alive = AtomicUsize::new(0);
        let places: Vec<usize> = (0..items.len()).collect();
        let mapped = catch_unwind(AssertUnwindSafe(|| {
            pool.map(&places, |&at| {
                if bad.contains(&at) {
                    resume_unwind(Box::new(at));
                }
                Counted::new(&alive, items[at])
            })
        }));
        match mapped {
            Ok(results) => {
                prop_assert!(bad.range(..items.len()).next().is_none());
                prop_assert_eq!(results.iter().map(|result| result.1).collect::<Vec<_>>(), items);
            }
            Err(payload) => prop_assert!(payload.downcast_ref().is_some_and(|at| bad.contains(at))),
        }
        prop_assert_eq!(alive.load(Ordering::Relaxed), 0, "S1: a result was dropped twice or never");
    }

    #[test]
    fn s1_loops_over_slices_are_plain_loops(workers in 1..=8_usize, items in vec(any::<u32>(), 0..300)) {
        let pool = ZeroPool::with_workers(workers);
        let mut changed = items.clone();
        pool.for_each_mut(&mut changed, |item| *item = item.wrapping_mul(3));
        let mut copied = vec![0; items.len()];
        pool.map_into(&items, &mut copied, |item| item.wrapping_mul(3));
        let total = AtomicUsize::new(0);
        pool.for_each(&items, |&item| { total.fetch_add(item as usize, Ordering::Relaxed); });
        let expected: Vec<_> = items.iter().map(|item| item.wrapping_mul(3)).collect();
        prop_assert_eq!(&changed, &expected);
        prop_assert_eq!(&copied, &expected);
        prop_assert_eq!(total.into_inner(), items.iter().map(|&item| item as usize).sum::<usize>());
    }

    #[test]
    fn s2_joins_nest_and_pass_panics_on(
        workers in 1..=4_usize,
        numbers in vec(0..1000_u32, 0..200),
        bad in proptest::option::of(0..1000_u32),
    ) {
        let pool = ZeroPool::with_workers(workers);
        let summed = catch_unwind(AssertUnwindSafe(|| sum(&pool, &numbers, bad)));
        match (summed, bad.filter(|bad| numbers.contains(bad))) {
            (Ok(total), None) => prop_assert_eq!(total, numbers.iter().copied().map(u64::from).sum::<u64>()),
            (Err(payload), Some(bad)) => prop_assert_eq!(payload.downcast_ref(), Some(&bad)),
            (summed, bad) => prop_assert!(false, "{bad:?} and {:?}", summed.is_ok()),
        }
    }

    #[test]
    fn s3_scopes_wait_for_all_levels(workers in 1..=4_usize, width in 0..5_usize, depth in 1..4_usize) {
        let pool = ZeroPool::with_workers(workers);
        let count = AtomicUsize::new(0);
        pool.scope(|scope| spawn_levels(scope, &count, width, depth));
        let expected: usize = (1..=depth as u32).map(|level| width.pow(level)).sum();
        prop_assert_eq!(count.into_inner(), expected, "S3: a task was left or run twice");
    }
}

#[test]
fn s3_a_panic_in_the_body_waits_for_the_tasks() {
    let pool = ZeroPool::with_workers(2);
    let count = AtomicUsize::new(0);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        pool.scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
            resume_unwind(Box::new("the body"))
        })
    }));
    assert_eq!(ended.expect_err("the body panicked").downcast_ref(), Some(&"the body"));
    assert_eq!(count.into_inner(), 100);
}

#[test]
fn s2_a_result_that_panics_when_dropped_beside_a_panic_harms_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("the drop of a result"));
        }
    }
    let pool = ZeroPool::with_workers(2);
    let throw = || -> Bomb { resume_unwind(Box::new(7)) };
    let left = catch_unwind(AssertUnwindSafe(|| std::mem::forget(pool.join(throw, || Bomb))));
    let right = catch_unwind(AssertUnwindSafe(|| std::mem::forget(pool.join(|| Bomb, throw))));
    for ended in [left, right] {
        assert_eq!(ended.expect_err("one closure panicked").downcast_ref(), Some(&7));
    }
}

/// Fails to compile if a type is less than what std's counterparts are.
fn is_as_free_as_std<T: Send + Sync + UnwindSafe + RefUnwindSafe + Unpin>() -> usize {
    size_of::<T>()
}

#[test]
fn handles_are_as_free_as_those_of_std() {
    let sizes = [
        is_as_free_as_std::<ZeroPool>(),
        is_as_free_as_std::<zero_pool::TaskFuture<'static>>(),
        is_as_free_as_std::<zero_pool::JoinHandle<std::rc::Rc<u8>>>(),
    ];
    assert!(sizes.iter().all(|&size| size <= 64), "handles are small: {sizes:?}");
}

#[test]
#[should_panic(expected = "2 items, and room for 3 results")]
fn s1_lengths_that_differ_are_named() {
    ZeroPool::with_workers(1).map_into(&[1, 2], &mut [0; 3], |n| *n);
}
