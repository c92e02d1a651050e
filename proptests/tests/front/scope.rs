//! Scopes: trees of tasks that borrow.

use proptest::collection::vec;
use proptests::watchdog::watch;
use zero_pool::Scope;

use super::*;

/// A task that spawns others, and may panic after that.
#[derive(Clone, Debug)]
struct Tree {
    panics: bool,
    children: Vec<Tree>,
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop::bool::weighted(0.05).prop_map(|panics| Tree { panics, children: Vec::new() });
    leaf.prop_recursive(5, 80, 6, |inner| {
        (prop::bool::weighted(0.05), vec(inner, 0..6))
            .prop_map(|(panics, children)| Tree { panics, children })
    })
}

impl Tree {
    fn size(&self) -> usize {
        1 + self.children.iter().map(Self::size).sum::<usize>()
    }

    fn panics(&self) -> usize {
        usize::from(self.panics) + self.children.iter().map(Self::panics).sum::<usize>()
    }

    /// Takes the places of its tasks apart, and spawns the children with theirs.
    fn run<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        places: &'scope mut [u32],
        panics: &'scope AtomicUsize,
    ) {
        let (own, mut rest) = places.split_first_mut().expect("there is a place for each");
        for child in &self.children {
            let (part, others) = rest.split_at_mut(child.size());
            rest = others;
            scope.spawn(move || child.run(scope, part, panics));
        }
        thread::yield_now();
        *own += 1;
        if self.panics {
            panics.fetch_add(1, Ordering::Relaxed);
            throw(7);
        }
    }
}

proptest! {
    #![proptest_config(proptests::config!(300))]

    /// Each task has a place of its own, and has written there when the scope ends, however it ends.
    #[test]
    fn s3_scopes_wait_for_all_levels(workers in workers(), place in places(), tree in trees()) {
        let _watchdog = watch("scope::s3_scopes_wait_for_all_levels", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        place.call(&pool, || {
            let (mut places, panics) = (vec![0; tree.size()], AtomicUsize::new(0));
            let ended = number_of(|| {
                pool.scope(|scope| {
                    tree.run(scope, &mut places, &panics);
                    "the body's own"
                })
            });
            assert_eq!(ended, if tree.panics() == 0 { Ok("the body's own") } else { Err(7) });
            assert!(places.iter().all(|&count| count == 1), "S3: a task was left or run twice: {places:?}");
            assert_eq!(panics.into_inner(), tree.panics());
        });
    }

    /// What tasks own is dropped once, before the scope ends, in a task that panics, too.
    #[test]
    fn s3_what_tasks_own_is_dropped(workers in workers(), panics in vec(any::<bool>(), 0..40)) {
        let _watchdog = watch("scope::s3_what_tasks_own_is_dropped", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        let ledger = Ledger::new(panics.len());
        let ended = number_of(|| {
            pool.scope(|scope| {
                for (number, &panics) in panics.iter().enumerate() {
                    let (small, large) = (ledger.enter(number, ()), ledger.enter(number, [7_u64; 100]));
                    scope.spawn(move || {
                        drop(small);
                        if panics {
                            throw(large.number);
                        }
                    });
                }
            });
        });
        match ended {
            Ok(()) => prop_assert!(!panics.contains(&true)),
            Err(number) => prop_assert!(panics[number]),
        }
        for number in 0..panics.len() {
            prop_assert_eq!(ledger.made_and_dropped(number), 2);
        }
    }
}

#[test]
fn s3_a_panic_in_the_body_waits_for_the_tasks() {
    let _watchdog = watch("scope::s3_a_panic_in_the_body_waits_for_the_tasks", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let count = AtomicUsize::new(0);
    let ended = number_of(|| {
        pool.scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
            throw(9)
        })
    });
    assert_eq!((ended, count.into_inner()), (Err::<(), _>(9), 100));
}

/// Threads that the body or a task starts may spawn, too, as long as they are joined there.
#[test]
fn s3_threads_spawn_into_a_scope() {
    let _watchdog = watch("scope::s3_threads_spawn_into_a_scope", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let other = ZeroPool::with_workers(2);
    for _ in 0..50 {
        let count = AtomicUsize::new(0);
        let add = || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        pool.scope(|scope| {
            let spawn_some = || (0..20).for_each(|_| scope.spawn(add));
            scope.spawn(move || {
                thread::scope(|threads| {
                    threads.spawn(spawn_some);
                    threads.spawn(spawn_some);
                });
            });
            other.for_each_index(0..4, |_| spawn_some());
        });
        assert_eq!(count.into_inner(), 6 * 20);
    }
}

#[test]
fn s3_scopes_nest() {
    let _watchdog = watch("scope::s3_scopes_nest", DEADLINE);
    for workers in 1..=3 {
        let pool = ZeroPool::with_workers(workers);
        let count = AtomicUsize::new(0);
        let add = || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        pool.scope(|outer| {
            for _ in 0..5 {
                outer.spawn(|| pool.scope(|inner| (0..5).for_each(|_| inner.spawn(|| outer.spawn(add)))));
            }
        });
        assert_eq!(count.into_inner(), 25);
    }
}
