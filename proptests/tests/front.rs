//! The sound surface against what it means: plain loops, plain calls, and every result given out or dropped once.
//!
//! Each property draws the number of workers, where the calls come from, and which of the closures panic. A hang fails
//! with the name of its property.

use std::borrow::Borrow;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use zero_pool::ZeroPool;

#[path = "front/awaits.rs"]
mod awaits;
#[path = "front/join.rs"]
mod join;
#[path = "front/scope.rs"]
mod scope;
#[path = "front/slice.rs"]
mod slice;
#[path = "front/spawn.rs"]
mod spawn;

/// Long beyond what any case takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Small pools mostly, as they are short of workers and quickly made.
fn workers() -> impl Strategy<Value = usize> {
    prop_oneof![12 => 1..=4_usize, 1 => 5..=64_usize]
}

/// From where the pool is called.
#[derive(Clone, Copy, Debug)]
enum From {
    /// The test's own thread.
    Outside,
    /// Several threads at once.
    Threads,
    /// A task of the same pool, on a worker.
    Task,
    /// A task of another pool, on a worker.
    OtherPool,
}

fn places() -> impl Strategy<Value = From> {
    prop_oneof![Just(From::Outside), Just(From::Threads), Just(From::Task), Just(From::OtherPool)]
}

impl From {
    /// Calls `body` from there, and several times if there are several threads.
    fn call(self, pool: &ZeroPool, body: impl Fn() + Sync) {
        match self {
            Self::Outside => body(),
            Self::Threads => thread::scope(|threads| {
                for _ in 0..3 {
                    threads.spawn(&body);
                }
            }),
            Self::Task => on_a_worker(pool, &body),
            Self::OtherPool => on_a_worker(&ZeroPool::with_workers(1), &body),
        }
    }
}

/// Runs `body` on a worker of this pool.
fn on_a_worker(pool: &ZeroPool, body: impl FnOnce() + Send) {
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    pool.scope(|scope| {
        scope.spawn(|| {
            let _done = Done(&done);
            body();
        });
        // The end of the scope would run the task here.
        while !done.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    });
}

/// How often a value of each number was made and dropped.
#[derive(Debug)]
struct Ledger(Vec<[AtomicUsize; 2]>);

/// A value that is entered in a ledger, which it borrows or shares, with a load that gives it a size.
#[derive(Debug)]
struct Entered<L: Borrow<Ledger>, T = ()> {
    ledger: L,
    number: usize,
    _load: T,
}

impl Ledger {
    fn new(numbers: usize) -> Self {
        Self((0..numbers).map(|_| Default::default()).collect())
    }

    fn enter<T>(&self, number: usize, load: T) -> Entered<&Self, T> {
        self.0[number][0].fetch_add(1, Ordering::Relaxed);
        Entered { ledger: self, number, _load: load }
    }

    fn enter_shared<T>(self: &Arc<Self>, number: usize, load: T) -> Entered<Arc<Self>, T> {
        self.0[number][0].fetch_add(1, Ordering::Relaxed);
        Entered { ledger: Arc::clone(self), number, _load: load }
    }

    /// Returns how many of a number were made; fails unless as many were dropped.
    #[track_caller]
    fn made_and_dropped(&self, number: usize) -> usize {
        let [made, dropped] = self.0[number].each_ref().map(|count| count.load(Ordering::Relaxed));
        assert_eq!(made, dropped, "of number {number}");
        made
    }
}

impl<L: Borrow<Ledger>, T> Drop for Entered<L, T> {
    fn drop(&mut self) {
        self.ledger.borrow().0[self.number][1].fetch_add(1, Ordering::Relaxed);
    }
}

/// Panics with a number, and without a word.
fn throw(number: usize) -> ! {
    resume_unwind(Box::new(number))
}

/// Returns what `body` returned, or the number with which it panicked.
fn number_of<T>(body: impl FnOnce() -> T) -> Result<T, usize> {
    let ended = catch_unwind(AssertUnwindSafe(body));
    ended.map_err(|payload| *payload.downcast::<usize>().expect("it is a number"))
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

/// A scope is shared by its tasks, as std's is, and an error goes wherever its source could. A builder keeps a function
/// that names threads, as rayon's does, and stays on its thread.
#[test]
fn scopes_and_errors_are_as_free_as_those_of_std() {
    const fn is_shared<T: Send + Sync + Unpin>() {}
    is_shared::<zero_pool::Scope<'_, '_>>();
    is_shared::<zero_pool::BuildError>();
    const fn stays<T: Unpin>() {}
    stays::<zero_pool::Builder>();
}
