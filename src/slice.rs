//! Loops over ranges: one closure, called once for each index, on the caller's thread and on workers.
//!
//! The closure is inlined into one chunk runner per type. The call borrows the pool and returns when the last task has
//! ended, so a task may borrow whatever its caller can see, and no raw pointer is needed.
//!
//! Checked by: `proptests/tests/pool.rs`, `p7_*` in `loom_tests`.

use core::ops::Range;
use core::ptr;

use crate::ZeroPool;
use crate::batch::{Batch, Work};
use crate::pool;
use crate::unwind::{self, Payload};

/// What a loop's tasks share: the closure, and the index of the first.
struct Loop<'a, F> {
    body: &'a F,
    start: usize,
}

/// Runs the tasks of a range of a loop.
///
/// # Safety
///
/// - `context` points to a [`Loop`] with a body of this type.
unsafe fn run_loop<F: Fn(usize)>(context: *const (), range: Range<usize>) -> Option<Payload> {
    // SAFETY: owed by the caller.
    let tasks = unsafe { &*context.cast::<Loop<'_, F>>() };
    unwind::run_each(range, |index| (tasks.body)(tasks.start + index))
}

impl ZeroPool {
    /// Calls `body` once for each index of `range`, in any order, and returns when all calls have ended.
    ///
    /// The caller takes part. Workers join it, up to as many threads in all as the pool has workers. A pool of one worker
    /// therefore runs everything on the caller's thread. The calls may come one after another on one thread: they must not
    /// wait for each other.
    ///
    /// # Panics
    ///
    /// If `body` panicked for some index: with the first payload, after all other calls have ended.
    ///
    /// # Memory ordering
    ///
    /// All that the calls did happens before the return.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// let pool = zero_pool::ZeroPool::new();
    /// let sum = AtomicU64::new(0);
    /// pool.for_each_index(1..101, |i| { sum.fetch_add(i as u64, Ordering::Relaxed); });
    /// assert_eq!(sum.into_inner(), 5050);
    /// ```
    pub fn for_each_index<F>(&self, range: Range<usize>, body: F)
    where
        F: Fn(usize) + Sync,
    {
        let mut first = None;
        let mut rest = range;
        while !rest.is_empty() {
            let tasks = usize::try_from(Batch::MAX_TASKS).unwrap_or(usize::MAX).min(rest.len());
            let piece = Loop { body: &body, start: rest.start };
            rest.start += tasks;
            let work = Work { run: run_loop::<F>, context: ptr::from_ref(&piece).cast() };
            // SAFETY: `piece` outlives the call, and a body that is `Sync` may be called on any thread.
            let panic = unsafe { self.run(tasks, work) };
            unwind::keep_first(&mut first, panic);
        }
        pool::pass_on(first);
    }
}
