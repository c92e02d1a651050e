//! Nothing, very much, and things of strange sizes.

use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use zero_pool::batch::Batch;
use zero_pool::{BuildError, ZeroPool};

use super::support::{add, alone, assert_all_work, child, deadline, here, occupy};

fn never() -> ! {
    unreachable!("there is nothing to do")
}

#[test]
fn nothing_to_do_calls_nothing() {
    deadline!();
    for workers in [1, 2] {
        let pool = ZeroPool::with_workers(workers);
        let busy = occupy(&pool);
        let none: &mut [u8] = &mut [];
        pool.for_each(none, |_| never());
        pool.for_each_mut(none, |_| never());
        assert!(pool.map(none, |_| -> u8 { never() }).is_empty());
        pool.map_into(&[] as &[u8], none, |_| never());
        let (start, end) = (7, 3);
        for empty in [0..0, usize::MAX..usize::MAX, start..end] {
            pool.for_each_index(empty, |_| never());
        }
        assert_eq!(pool.scope(|_| 7), 7);
        drop(busy);
    }
}

/// A value of no size that may not lie everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(align(128))]
struct Aligned;

#[test]
fn items_and_results_of_no_size_count() {
    deadline!();
    for workers in [1, 3] {
        let pool = ZeroPool::with_workers(workers);
        for len in [1, 2, 100_000] {
            let calls = AtomicUsize::new(0);
            let call = |item: *const Aligned| {
                assert!(item.is_aligned());
                calls.fetch_add(1, Ordering::Relaxed);
                Aligned
            };
            let mut items = vec![Aligned; len];
            pool.for_each(&items, |item| assert_eq!(call(item), Aligned));
            pool.for_each_mut(&mut items, |item| assert_eq!(call(item), Aligned));
            assert_eq!(pool.map(&items, |item| call(item)).len(), len);
            pool.map_into(&items.clone(), &mut items, |item| call(item));
            assert_eq!(calls.into_inner(), 4 * len);
        }
    }
}

/// A closure of this captures more than a node of the queue has room for, and more strictly aligned.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(256))]
struct Large([u8; 4096]);

impl Large {
    fn checked(&self, fill: u8) -> Self {
        assert!(std::ptr::from_ref(self).is_aligned());
        assert_eq!(self.0, [fill; 4096]);
        *self
    }
}

/// A closure of this would fit into a node, but for its alignment.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(32))]
struct Strict([u8; 32]);

/// Nodes lie where the allocator puts them. Between two of them lies something that moves the next one off a strict
/// boundary. Few processors mind that, so that the node is asked, too.
fn spawn_strict(pool: &ZeroPool) {
    assert!(Batch::has_room_for::<[usize; 4]>() && !Batch::has_room_for::<Strict>());
    let strict = Strict([7; 32]);
    let handles: Vec<_> = (0..50).map(|_| (pool.spawn(move || strict), vec![0_u8; 40])).collect();
    for (handle, _) in handles {
        assert_eq!(handle.join().expect("no panic"), strict);
    }
}

#[test]
fn closures_and_results_of_any_size_and_alignment() {
    deadline!();
    for workers in [1, 2] {
        let pool = ZeroPool::with_workers(workers);
        spawn_strict(&pool);
        for fill in 0..20 {
            let large = Large([fill; 4096]);
            let (a, b) = pool.join(move || large.checked(fill), move || large.checked(fill));
            let c = pool.spawn(move || large.checked(fill)).join().expect("no panic");
            assert!(a == large && b == large && c == large);
            assert_eq!(pool.spawn(|| Aligned).join().expect("no panic"), Aligned);
            pool.scope(|scope| {
                scope.spawn(move || assert!(large.checked(fill) == large));
                scope.spawn(|| assert_eq!(Aligned, Aligned));
                let strict = Aligned;
                scope.spawn(move || assert!((&raw const strict).is_aligned()));
            });
            assert_eq!(pool.map(&[large; 5], |large| large.checked(fill)), [large; 5]);
        }
    }
}

#[test]
fn a_range_may_end_where_numbers_do() {
    deadline!();
    for workers in [1, 2] {
        let pool = ZeroPool::with_workers(workers);
        let start = usize::MAX - 1_000;
        let calls: Vec<_> = (0..1_000).map(|_| AtomicUsize::new(0)).collect();
        pool.for_each_index(start..usize::MAX, |index| {
            calls[index - start].fetch_add(1, Ordering::Relaxed);
        });
        assert!(calls.into_iter().all(|calls| calls.into_inner() == 1));
    }
}

/// Such a loop would take centuries, and a panic would not end it. So a task ends the process.
#[test]
fn a_loop_of_any_length_begins_at_once() {
    const ENOUGH: usize = 10_000;
    const CODE: i32 = 42;
    let count_to_the_end = |calls: &AtomicUsize| {
        if calls.fetch_add(1, Ordering::Relaxed) == ENOUGH {
            process::exit(CODE);
        }
    };
    let ended = child(
        here!(),
        |_| (),
        || {
            let pool = ZeroPool::with_workers(2);
            let calls = AtomicUsize::new(0);
            pool.join(
                || pool.for_each_index(0..usize::MAX, |_| count_to_the_end(&calls)),
                || pool.for_each(&[(); 1 << 41], |()| count_to_the_end(&calls)),
            );
        },
    );
    if let Some(ended) = ended {
        assert_eq!(ended.status.code(), Some(CODE), "{ended}");
    }
}

#[test]
fn a_pool_has_one_to_a_million_workers() {
    deadline!();
    let most = (1 << 20) - 2;
    assert!(matches!(ZeroPool::builder().workers(0).build(), Err(BuildError::NoWorkers)));
    for asked in [most + 1, usize::MAX] {
        let refused = ZeroPool::builder().workers(asked).build().expect_err("too many");
        assert!(matches!(refused, BuildError::TooManyWorkers { .. }));
        assert_eq!(refused.to_string(), format!("{asked} workers are too many: a pool has at most {most}"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_thousand_workers_work() {
    deadline!();
    alone(here!(), || {
        let pool = ZeroPool::builder().workers(1_000).stack_size(64 << 10).build().expect("they fit");
        assert_all_work(&pool);
        let calls = AtomicUsize::new(0);
        pool.for_each_index(0..100_000, |_| add(&calls, 1));
        pool.scope(|scope| {
            for _ in 0..5_000 {
                scope.spawn(|| add(&calls, 1));
            }
        });
        drop(pool);
        assert_eq!(calls.into_inner(), 105_000);
    });
}
