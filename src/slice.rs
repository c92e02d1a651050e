//! Loops over ranges and slices: one closure, called once for each index, on the caller's thread and on workers.
//!
//! The closure is inlined into one chunk runner per type. The call borrows the pool and returns when the last task has
//! ended, so a task may borrow whatever its caller can see, and no raw pointer is needed.
//!
//! # Invariants
//!
//! - `S1`  *Only what is there is dropped.* When a call of `map` panicked, the elements that were produced are dropped,
//!   and the others are not touched.
//!
//! Checked by: `proptests/tests/front.rs`, `p7_*` in `loom_tests`.

use core::mem::{self, MaybeUninit};
use core::ops::Range;
use core::ptr;

use crate::ZeroPool;
use crate::batch::{Batch, Work};
use crate::disjoint::DisjointMut;
use crate::pool;
use crate::sync::{Mutex, lock};
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
    run_indexes(tasks.body, tasks.start + range.start..tasks.start + range.end)
}

/// Runs a loop over indexes. As a function of its own it is told that the body does not change while it runs, and need not read
/// what the closure has again for each index. What the closure borrows it must, where a task writes: so the closures below own all
/// they can.
#[inline(never)]
fn run_indexes<F: Fn(usize)>(body: &F, range: Range<usize>) -> Option<Payload> {
    unwind::run_each(range, body)
}

impl ZeroPool {
    /// Calls `body` once for each index of `range`, in any order, and returns when all calls have ended.
    ///
    /// The caller takes part. Workers join it, up to as many threads in all as the pool has workers. A pool of one worker
    /// therefore runs everything on the caller's thread, and so does any pool that knows from earlier calls with the same
    /// closure that the loop is done before a worker could be woken, in about 10 us, or in half of that while a worker is awake
    /// without work. The calls may come one after another on one thread: they must not wait for each other.
    ///
    /// While more than eight batches per worker and 16 are queued, the loop is run by its caller, who looks again every 10 us.
    ///
    /// A closure that was cheap so far is found to be costly after what was expected to be a microsecond of it, or after up to
    /// 127 calls if the whole loop was expected to take less than that; what is left of the loop is shared then.
    ///
    /// # Panics
    ///
    /// If `body` panicked for some index: with the payload of one such call, after all others have ended.
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
    #[inline]
    pub fn for_each_index<F>(&self, range: Range<usize>, body: F)
    where
        F: Fn(usize) + Sync,
    {
        if range.len() == 1 {
            return body(range.start);
        }
        pool::pass_on(self.run_loop(range, &body));
    }

    /// Runs the loop and returns the first panic's payload.
    fn run_loop<F>(&self, range: Range<usize>, body: &F) -> Option<Payload>
    where
        F: Fn(usize) + Sync,
    {
        let tasks = Loop { body, start: range.start };
        let work = Work { run: run_loop::<F>, context: ptr::from_ref(&tasks).cast() };
        // SAFETY: `tasks` outlives the call, and a body that is `Sync` may be called on any thread.
        let (alone, panic) = unsafe { self.run_alone(range.len(), work) };
        if alone == range.len() {
            return panic;
        }
        self.share_loop(range.start + alone..range.end, body, panic)
    }

    /// Runs the loop, or the rest of it, on several threads; returns the first panic's payload.
    #[inline(never)]
    fn share_loop<F>(&self, mut rest: Range<usize>, body: &F, mut first: Option<Payload>) -> Option<Payload>
    where
        F: Fn(usize) + Sync,
    {
        while !rest.is_empty() {
            let tasks = usize::try_from(Batch::MAX_TASKS).unwrap_or(usize::MAX).min(rest.len());
            let piece = Loop { body, start: rest.start };
            let work = Work { run: run_loop::<F>, context: ptr::from_ref(&piece).cast() };
            // SAFETY: `piece` outlives the call, and a body that is `Sync` may be called on any thread.
            let (done, panic) = unsafe { self.run(tasks, work) };
            rest.start += done;
            unwind::keep_first(&mut first, panic);
        }
        first
    }

    /// Calls `body` once for each element of `items`, in any order, and returns when all calls have ended.
    ///
    /// Who runs what, panics and memory ordering are those of [`for_each_index`](Self::for_each_index).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let pool = zero_pool::ZeroPool::new();
    /// let letters = AtomicUsize::new(0);
    /// pool.for_each(&["for", "each"], |word| { letters.fetch_add(word.len(), Ordering::Relaxed); });
    /// assert_eq!(letters.into_inner(), 7);
    /// ```
    pub fn for_each<'a, T, F>(&self, items: &'a [T], body: F)
    where
        T: Sync,
        F: Fn(&'a T) + Sync,
    {
        // SAFETY: the indexes are those of `items`.
        self.for_each_index(0..items.len(), move |index| body(unsafe { items.get_unchecked(index) }));
    }

    /// Calls `body` once for each element of `items`, which it may change, and returns when all calls have ended.
    ///
    /// Who runs what, panics and memory ordering are those of [`for_each_index`](Self::for_each_index).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::new();
    /// let mut numbers = vec![1, 2, 3];
    /// pool.for_each_mut(&mut numbers, |n| *n *= 10);
    /// assert_eq!(numbers, [10, 20, 30]);
    /// ```
    pub fn for_each_mut<'a, T, F>(&self, items: &'a mut [T], body: F)
    where
        T: Send,
        F: Fn(&'a mut T) + Sync,
    {
        let range = 0..items.len();
        let items = DisjointMut::new(items);
        // SAFETY: D1: each index is run once (B1, X1).
        self.for_each_index(range, move |index| body(unsafe { items.take(index) }));
    }

    /// Calls `body` once for each element of `items`, and returns the results in the order of the elements.
    ///
    /// Who runs what and memory ordering are those of [`for_each_index`](Self::for_each_index). It allocates the vector.
    ///
    /// # Panics
    ///
    /// If `body` panicked for some element: with the payload of one such call, after all others have ended and their results have
    /// been dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::new();
    /// assert_eq!(pool.map(&["a", "bc"], |word| word.len()), [1, 2]);
    /// ```
    pub fn map<'a, T, R, F>(&self, items: &'a [T], body: F) -> Vec<R>
    where
        T: Sync,
        R: Send,
        F: Fn(&'a T) -> R + Sync,
    {
        let mut results = Vec::with_capacity(items.len());
        let missing = &Mutex::new(Vec::new());
        let slots = DisjointMut::new(&mut results.spare_capacity_mut()[..items.len()]);
        let panic = self.run_loop(0..items.len(), &move |index: usize| {
            let unless_returned = OnUnwind(|| lock(missing).push(index));
            // SAFETY: the indexes are those of `items`.
            let result = body(unsafe { items.get_unchecked(index) });
            mem::forget(unless_returned);
            // SAFETY: D1: each index is run once (B1, X1).
            unsafe { slots.take(index) }.write(result);
        });
        if let Some(payload) = panic {
            let missing = mem::take(&mut *lock(missing));
            drop_produced(&mut results.spare_capacity_mut()[..items.len()], &missing);
            pool::pass_on(Some(payload));
        }
        // SAFETY: no call panicked, so each has written its element.
        unsafe { results.set_len(items.len()) };
        results
    }

    /// Calls `body` once for each element of `items`, and writes the results into `out`, in the order of the elements.
    ///
    /// Who runs what and memory ordering are those of [`for_each_index`](Self::for_each_index). It allocates nothing.
    ///
    /// # Panics
    ///
    /// - If the lengths differ.
    /// - If `body` panicked for some element: with the payload of one such call, after all others have ended. The elements of
    ///   `out` whose calls panicked are as they were.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::new();
    /// let mut lengths = [0; 2];
    /// pool.map_into(&["a", "bc"], &mut lengths, |word| word.len());
    /// assert_eq!(lengths, [1, 2]);
    /// ```
    #[track_caller]
    pub fn map_into<'a, T, R, F>(&self, items: &'a [T], out: &mut [R], body: F)
    where
        T: Sync,
        R: Send,
        F: Fn(&'a T) -> R + Sync,
    {
        assert!(items.len() == out.len(), "{} items, and room for {} results", items.len(), out.len());
        let out = DisjointMut::new(out);
        self.for_each_index(0..items.len(), move |index| {
            // SAFETY: the indexes are those of `items`, and `out` is as long.
            let result = body(unsafe { items.get_unchecked(index) });
            // SAFETY: D1: each index is run once (B1, X1).
            *unsafe { out.take(index) } = result;
        });
    }
}

/// Calls its function when it is dropped, unless it is forgotten.
struct OnUnwind<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnUnwind<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Drops what was produced (S1); `missing` has the indexes of the calls that panicked.
#[cold]
fn drop_produced<R>(results: &mut [MaybeUninit<R>], missing: &[usize]) {
    let mut missing = missing.to_vec();
    missing.sort_unstable();
    for (index, result) in results.iter_mut().enumerate() {
        if missing.binary_search(&index).is_err() {
            // SAFETY: S1: the call for this index ended without a panic, so it has written its result.
            unwind::quietly(|| unsafe { result.assume_init_drop() });
        }
    }
}
