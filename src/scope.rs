//! Tasks that borrow: a scope that ends only after all tasks spawned in it have ended.
//!
//! ```text
//!   scope ── body (on the caller) ── end: take the pile up, run what nobody has begun, wait for the rest, and again
//!               │ spawn                          ▲
//!               ▼                                │ a task may spawn more
//!            queue, and a handle on the pile ────┘
//! ```
//!
//! The shape and the lifetimes are those of `std::thread::scope`; a task is a batch of one. Whoever ends the scope runs its
//! tasks, and no others, so a scope ends on a pool whose workers are all busy, and inside of a task.
//!
//! # Invariants
//!
//! - `S3`  *None is left.* A scope returns, or unwinds, only after every task that was spawned in it has ended, those that
//!   its tasks spawned too.
//!
//! A task's spawn puts its handle down before that task ends. So when all handles that were taken up have been waited for
//! and nothing lies on the pile, no task is left that could spawn.
//!
//! # Alternatives turned down
//!
//! - *A count of unfinished tasks*: it tells when to stop waiting, not what to run, and a waiter that runs nothing hangs on
//!   a pool of one worker.
//! - *A handle for each task's result*, as std has: a task writes into what it borrows, and needs no allocation for it.
//!
//! Checked by: `s3_*`, `b7_*` in `loom_tests`, `proptests/tests/front.rs`.

use core::fmt;
use core::marker::PhantomData;
use std::panic::resume_unwind;

use crate::batch::Pile;
use crate::injector::Injector;
use crate::pool::ZeroPool;
use crate::spawn;
use crate::unwind;
use crate::worker;

/// A scope to spawn tasks in: see [`ZeroPool::scope`].
pub struct Scope<'scope, 'env: 'scope> {
    injector: &'scope Injector,
    pile: Pile,
    scope: PhantomData<&'scope mut &'scope ()>,
    environment: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Runs `body` by itself, before the scope ends.
    ///
    /// It starts without its caller: it is queued, and a sleeping worker is woken unless one is on its way. A closure that
    /// captures up to four words, aligned as words are, lies in the node of the queue, any other in a box. The node stays until the scope ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// let pool = zero_pool::ZeroPool::with_workers(2);
    /// let count = AtomicU32::new(0);
    /// pool.scope(|scope| {
    ///     for _ in 0..3 {
    ///         scope.spawn(|| {
    ///             // A task can spawn, too.
    ///             scope.spawn(|| { count.fetch_add(1, Ordering::Relaxed); });
    ///         });
    ///     }
    /// });
    /// assert_eq!(count.into_inner(), 3);
    /// ```
    pub fn spawn<F>(&'scope self, body: F)
    where
        F: FnOnce() + Send + 'scope,
    {
        let task = move || unwind::catch(body).err();
        // SAFETY: the closure is `Send`, and S3: the scope, for which it borrows, waits for it.
        let batch = unsafe { spawn::batch_of(self.injector, task) };
        self.pile.put(self.injector.publish(batch));
    }
}

impl ZeroPool {
    /// Runs `body` on this thread with a scope to spawn tasks in, and returns when `body` and all tasks have ended.
    ///
    /// Tasks may borrow what lives longer than this call, and they may spawn more. This thread runs those tasks of the scope
    /// that nobody has begun when `body` has ended, and no others. If it is outside of the pool's tasks, and all of several workers are awake
    /// meanwhile, one of them may pause for a millisecond between two tasks.
    ///
    /// A task has no way to wait for its own scope: the only wait is the end of this call.
    ///
    /// # Panics
    ///
    /// If `body` panicked, with its payload, or else if a task did, with the payload of one of them. All tasks have ended
    /// then.
    ///
    /// # Memory ordering
    ///
    /// All that the tasks did happens before the return.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::with_workers(2);
    /// let numbers = [1, 2, 3, 4];
    /// let (mut front, mut back) = (0, 0);
    /// let length = pool.scope(|scope| {
    ///     scope.spawn(|| front = numbers[..2].iter().sum());
    ///     scope.spawn(|| back = numbers[2..].iter().sum());
    ///     numbers.len()
    /// });
    /// assert_eq!((front, back, length), (3, 7, 4));
    /// ```
    ///
    /// What a task borrows must outlive the scope:
    ///
    /// ```compile_fail,E0597
    /// # let pool = zero_pool::ZeroPool::with_workers(2);
    /// pool.scope(|scope| {
    ///     let inside = 7;
    ///     let borrowed = &inside;
    ///     scope.spawn(move || assert_eq!(*borrowed, 7));
    /// });
    /// ```
    ///
    /// The same from outside:
    ///
    /// ```
    /// # let pool = zero_pool::ZeroPool::with_workers(2);
    /// let outside = 7;
    /// let borrowed = &outside;
    /// pool.scope(|scope| {
    ///     scope.spawn(move || assert_eq!(*borrowed, 7));
    /// });
    /// ```
    pub fn scope<'env, F, T>(&self, body: F) -> T
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
    {
        let scope = Scope {
            injector: self.injector(),
            pile: Pile::new(),
            scope: PhantomData,
            environment: PhantomData,
        };
        let returned = unwind::catch(|| body(&scope));
        // S3: nobody else can spawn any more but the tasks themselves.
        let panic = worker::wait_for_all(scope.injector, &scope.pile);
        match returned {
            Err(payload) => {
                panic.into_iter().for_each(unwind::discard);
                resume_unwind(payload)
            }
            Ok(value) => match panic {
                None => value,
                Some(payload) => {
                    unwind::quietly(|| drop(value));
                    resume_unwind(payload)
                }
            },
        }
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use crate::sync::thread;

    /// Keeps a thread in a task until `done`.
    fn stay(begun: &AtomicBool, done: &AtomicBool) {
        begun.store(true, Ordering::Release);
        wait_for(done);
    }

    fn wait_for(flag: &AtomicBool) {
        while !flag.load(Ordering::Acquire) {
            thread::give_way();
        }
    }

    #[test]
    fn t7_who_ends_a_scope_stands_in() {
        let pool = ZeroPool::with_workers(1);
        let stands_in = || pool.injector().stand_ins().are_at_work();
        let (begun, done) = (AtomicBool::new(false), AtomicBool::new(false));
        let (before, after) = (AtomicBool::new(false), AtomicBool::new(false));
        pool.scope(|scope| {
            scope.spawn(|| stay(&begun, &done));
            wait_for(&begun);
            // The one worker is busy, so that this thread runs the rest.
            scope.spawn(|| {
                before.store(stands_in(), Ordering::Relaxed);
                pool.scope(|inner| inner.spawn(|| ()));
                after.store(stands_in(), Ordering::Relaxed);
                done.store(true, Ordering::Release);
            });
        });
        assert!(before.into_inner(), "who ends the scope is not known");
        assert!(after.into_inner(), "a scope inside of a task has taken its place");
        assert!(!stands_in(), "the scope is over");
    }

    /// Spawns itself again and again until `done`.
    fn go_on<'scope>(scope: &'scope Scope<'scope, '_>, runs: &'scope AtomicU32, done: &'scope AtomicBool) {
        if !done.load(Ordering::Acquire) {
            runs.fetch_add(1, Ordering::Relaxed);
            scope.spawn(move || go_on(scope, runs, done));
        }
    }

    #[test]
    fn t8_a_worker_asks_between_two_tasks() {
        let pool = ZeroPool::with_workers(2);
        let (begun, done, runs) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU32::new(0));
        let stand_ins = pool.injector().stand_ins();
        let seen = pool.scope(|scope| {
            scope.spawn(|| stay(&begun, &done));
            wait_for(&begun);
            go_on(scope, &runs, &done);
            // Where a worker sits out, this thread does not.
            let is_refused = |_| {
                stand_ins.come();
                (0..100).for_each(|_| thread::give_way());
                !stand_ins.sit_out(|| true, || ())
            };
            let seen = (0..1_000).any(is_refused);
            done.store(true, Ordering::Release);
            seen
        });
        assert!(seen, "the other worker ran {} tasks and never sat out", runs.into_inner());
    }
}
