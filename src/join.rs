//! Two closures at once: one on the caller's thread, the other offered to a worker if one could be woken.
//!
//! The second closure lies on the caller's stack, where it is [pending](crate::pending) while the first one runs; if nobody has
//! begun it when the first ends, the caller runs it. So a join waits only for a closure that a thread is running.
//!
//! Checked by: `s2_*` in `loom_tests` and in `proptests/tests/front.rs`.

use core::mem::{ManuallyDrop, MaybeUninit};
use core::ops::Range;
use core::ptr;

use crate::batch::Work;
use crate::pool::ZeroPool;
use crate::sync::UnsafeCell;
use crate::unwind::{self, Payload};
use crate::worker;

/// The second closure of a join, and then its result. One thread runs it (B1), and the caller looks when it has ended.
struct Job<B, R> {
    /// There until it is run.
    body: UnsafeCell<ManuallyDrop<B>>,
    /// There once it has returned.
    result: UnsafeCell<MaybeUninit<R>>,
}

/// Runs the second closure; without a payload, its result is there.
///
/// # Safety
///
/// - `context` points to a [`Job`] of these types whose body was not run yet.
unsafe fn run_job<B: FnOnce() -> R, R>(context: *const (), _: Range<usize>) -> Option<Payload> {
    // SAFETY: owed by the caller.
    let job = unsafe { &*context.cast::<Job<B, R>>() };
    // SAFETY: B1: the one task is run once, so nobody else is here or takes the body again.
    let body = job.body.with_mut(|body| unsafe { body.read() });
    match unwind::catch(ManuallyDrop::into_inner(body)) {
        Ok(result) => {
            // SAFETY: as above; the caller reads when the task has ended.
            job.result.with_mut(|slot| unsafe { (*slot).write(result) });
            None
        }
        Err(payload) => Some(payload),
    }
}

impl ZeroPool {
    /// Runs both closures, `a` on this thread and `b` on a worker or, if none takes it, on this thread after `a`. Returns
    /// both results.
    ///
    /// While a worker sleeps that could be woken, it queues the oldest `b` that this thread has not begun, of this join or of
    /// one around it on the same pool, and wakes that worker. Otherwise nothing is queued, and the join costs a few nanoseconds. A thread that
    /// is inside of a long closure queues nothing meanwhile, even if workers fall asleep. A thread that is no worker stands for one
    /// of them: it leaves one asleep, so that as a rule a join has no more threads than the pool. A pool of one worker runs both on this
    /// thread.
    ///
    /// # Panics
    ///
    /// If one of them panicked, with its payload, after the other has ended. If both did, with that of `a`.
    ///
    /// # Memory ordering
    ///
    /// All that the closures did happens before the return.
    ///
    /// # Examples
    ///
    /// ```
    /// use zero_pool::ZeroPool;
    ///
    /// fn sum(pool: &ZeroPool, numbers: &[u64]) -> u64 {
    ///     if numbers.len() <= 100 {
    ///         return numbers.iter().sum();
    ///     }
    ///     let (left, right) = numbers.split_at(numbers.len() / 2);
    ///     let (left, right) = pool.join(|| sum(pool, left), || sum(pool, right));
    ///     left + right
    /// }
    ///
    /// let numbers: Vec<u64> = (1..=1000).collect();
    /// assert_eq!(sum(&ZeroPool::new(), &numbers), 500_500);
    /// ```
    pub fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA,
        B: FnOnce() -> RB + Send,
        RB: Send,
    {
        let job = Job {
            body: UnsafeCell::new(ManuallyDrop::new(b)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        };
        let work = Work { run: run_job::<B, RB>, context: ptr::from_ref(&job).cast() };
        let (first, panic) = if self.workers() == 1 {
            let first = unwind::catch(a);
            // SAFETY: the one call.
            (first, unsafe { run_job::<B, RB>(work.context, 0..1) })
        } else {
            // SAFETY: the job outlives the call, and a body that is `Send`, as is its result, may run on any thread.
            unsafe { worker::run_beside(self.injector(), work, || unwind::catch(a)) }
        };
        // SAFETY: S2: the task has ended; the result is taken here alone.
        let result = job.result.with(|result| unsafe { result.read() });
        let second = match panic {
            // SAFETY: the task did not panic.
            None => Ok(unsafe { result.assume_init() }),
            Some(payload) => Err(payload),
        };
        match (first, second) {
            (Ok(first), Ok(second)) => (first, second),
            (Ok(first), Err(payload)) => {
                // Before the panic goes on, as a drop that panics beside it would abort.
                unwind::quietly(|| drop(first));
                std::panic::resume_unwind(payload)
            }
            (Err(payload), second) => {
                match second {
                    Ok(second) => unwind::quietly(|| drop(second)),
                    Err(payload) => unwind::discard(payload),
                }
                std::panic::resume_unwind(payload)
            }
        }
    }
}
