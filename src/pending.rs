//! Jobs that a thread keeps to itself until somebody could take them.
//!
//! The second half of a join is mostly run by the thread that made it, and queueing it costs more than many a half takes. So it
//! waits on a list through the stack of its thread, which no other thread sees. Only while a worker could be woken is a job
//! published, and then the *oldest*, as it is the largest share of the work in a tree of joins. (Lazy task creation: Mohr,
//! Kranz and Halstead, *Lazy task creation*, 1990. Publishing the oldest is what steals take from the other end of a deque.)
//!
//! ```text
//!   oldest kept ─────────────────┐                newest
//!                                ▼                  ▼
//!   [published] ─newer─▶ [published] ─▶ [kept] ─▶ [kept]        each in the frame of its join
//! ```
//!
//! Published are always the oldest, so that one pointer tells where the kept begin. A thread that is about to sleep publishes
//! what it keeps: it cannot come back to it before it wakes.
//!
//! # Invariants
//!
//! - `S4`  *Kept is on the stack.* A job is in the list of its thread while [`run_pending`] runs its first half, and no
//!   longer. A thread that sleeps keeps nothing.
//!
//! # Progress
//!
//! A kept job costs a few writes to memory of the thread's own and one read of the idle word. It is published by the next join of
//! its thread after a worker has parked; a thread that makes no join meanwhile keeps it, however long that takes.
//!
//! # Alternatives turned down
//!
//! - *Always published*: fib(27) took 57 ms instead of 1, in the prototype.
//! - *The newest*: the helper gets the smallest share, and comes back for the next.
//! - *Every 16th join*: a few coarse joins are never published.
//! - *Jobs that others take without their thread*: a deque per thread, and with it the synchronisation that this saves.
//!
//! Checked by: `s2_*` and `s4_*` in `loom_tests`, `proptests/tests/front.rs`.

use core::cell::Cell;
use core::ptr;

use crate::batch::{Handle, Plan, Work};
use crate::grain::Grain;
use crate::injector::Injector;
use crate::sync::each_thread;

/// A job in the frame of its [`run_pending`].
struct Job<'a> {
    injector: &'a Injector,
    work: Work,
    /// There once it is published.
    handle: Cell<Option<Handle>>,
    older: *const Job<'static>,
    newer: Cell<*const Job<'static>>,
}

/// The two ends of what a thread keeps.
struct Kept {
    oldest: Cell<*const Job<'static>>,
    newest: Cell<*const Job<'static>>,
}

each_thread! {
    /// The jobs of this thread. `newest` leads to the published ones, too.
    static KEPT: Kept = Kept { oldest: Cell::new(ptr::null()), newest: Cell::new(ptr::null()) }
}

impl Kept {
    fn enter(&self, job: *const Job<'static>, older: *const Job<'static>) {
        // SAFETY: S4: those in the list are in frames that have not ended.
        if let Some(older) = unsafe { older.as_ref() } {
            older.newer.set(job);
        }
        if self.oldest.get().is_null() {
            self.oldest.set(job);
        }
        self.newest.set(job);
    }

    fn leave(&self, job: *const Job<'static>, older: *const Job<'static>) {
        debug_assert!(ptr::eq(self.newest.get(), job), "S4: joins nest");
        // SAFETY: S4: as above.
        if let Some(older) = unsafe { older.as_ref() } {
            older.newer.set(ptr::null());
        }
        if ptr::eq(self.oldest.get(), job) {
            self.oldest.set(ptr::null());
        }
        self.newest.set(older);
    }

    /// Publishes the oldest that is kept; false if there is none.
    #[cold]
    fn publish_oldest(&self) -> bool {
        // SAFETY: S4: as above.
        let Some(job) = (unsafe { self.oldest.get().as_ref() }) else { return false };
        self.oldest.set(job.newer.get());
        let plan = Plan { tasks: 1, threads: 2, helpers: 1, grain: Grain::SINGLE };
        // SAFETY: owed by the caller of `run_pending`.
        let batch = unsafe { job.injector.batch(job.work, plan) };
        job.handle.set(Some(job.injector.publish(batch)));
        true
    }
}

/// Publishes what this thread keeps, as it is about to sleep.
pub fn publish_all() {
    KEPT.with(|kept| while kept.publish_oldest() {});
}

/// Runs `first` while the one task of `work` is pending; returns the handle of its batch if it was published meanwhile. If it
/// was not, nobody has run it.
///
/// # Safety
///
/// - As for [`Batch::new`](crate::batch::Batch::new), until the caller has run the task or waited for the batch.
/// - `first` does not unwind.
#[inline]
pub unsafe fn run_pending<T>(
    injector: &Injector,
    work: Work,
    first: impl FnOnce() -> T,
) -> (T, Option<Handle>) {
    let older = KEPT.with(|kept| kept.newest.get());
    let job = Job { injector, work, handle: Cell::new(None), older, newer: Cell::new(ptr::null()) };
    let at: *const Job<'static> = ptr::from_ref(&job).cast();
    KEPT.with(|kept| {
        kept.enter(at, job.older);
        if injector.may_wake() {
            kept.publish_oldest();
        }
    });
    let value = first();
    KEPT.with(|kept| kept.leave(at, job.older));
    (value, job.handle.take())
}
