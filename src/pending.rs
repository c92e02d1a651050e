//! Jobs that a thread keeps to itself until somebody could take them.
//!
//! The second half of a join is mostly run by the thread that made it, and queueing it costs more than many a half takes. So it
//! waits on a list through the stack of its thread, which no other thread sees. Only while a worker could be woken is a job
//! published, and then the *oldest*, as it is the largest share of the work in a tree of joins. (Lazy task creation: Mohr,
//! Kranz and Halstead, *Lazy task creation*, 1990. Publishing the oldest is what steals take from the other end of a deque.)
//!
//! ```text
//!                                                newest
//!                                                  ▼
//!   [published] ◀─older─ [published] ◀─ [kept] ◀─ [kept]        each in the frame of its join
//! ```
//!
//! Published are always the oldest, so that the first published one on the way down ends the kept. A thread that is about to sleep publishes
//! what it keeps: it cannot come back to it before it is woken.
//!
//! # Invariants
//!
//! - `S4`  *Kept is on the stack.* A job is in the list of its thread while [`run_pending`] runs its first half, and no
//!   longer. A thread that sleeps until it is woken keeps nothing.
//! - `S5`  *One is left asleep.* While a thread that is no worker is at work on a join, who makes joins for it, here or in a job of its,
//!   publishes only if two workers are parked, as far as it can know.
//!
//! # Progress
//!
//! A kept job costs a few writes to memory of the thread's own and one read of the idle word; in a job of another thread also one of its
//! latch. It is published by the next join of its thread after a worker has parked, or a second one (S5); a thread that makes no join
//! meanwhile keeps it, however long that takes.
//!
//! # Alternatives turned down
//!
//! - *Always published*: fib(27) took 57 ms instead of 1, in the prototype.
//! - *The newest*: the helper gets the smallest share, and comes back for the next.
//! - *Every 16th join*: a few coarse joins are never published.
//! - *Jobs that others take without their thread*: a deque per thread, and with it the synchronisation that this saves.
//!
//! Checked by: the unit tests below, `s2_*` and `s4_*` in `loom_tests`, `proptests/tests/front.rs`.

use core::cell::Cell;
use core::ops::Range;
use core::ptr;

use crate::batch::{Batch, Handle, Plan, Work};
use crate::frame;
use crate::grain::Grain;
use crate::injector::Injector;
use crate::sync::each_thread;
use crate::unwind::Payload;

/// A job in the frame of its [`run_pending`].
struct Job<'a> {
    /// What another thread may see.
    work: Work,
    injector: &'a Injector,
    /// There once it is published.
    handle: Cell<Option<Handle>>,
    older: *const Job<'static>,
}

/// What a thread keeps, and for whom it works.
struct Kept {
    newest: Cell<*const Job<'static>>,
    /// The pool whose worker this is.
    worker_of: Cell<*const Injector>,
    /// The batch that it runs for a thread that is none.
    lent: Cell<*const Batch>,
}

each_thread! {
    /// The jobs of this thread; the published ones, too.
    static KEPT: Kept =
        Kept { newest: Cell::new(ptr::null()), worker_of: Cell::new(ptr::null()), lent: Cell::new(ptr::null()) }
}

impl Kept {
    /// Tells whether a worker may be woken for this thread.
    #[inline(always)]
    fn may_wake(&self, injector: &Injector) -> bool {
        injector.may_wake(self.is_outside(injector))
    }

    /// Tells whether a thread that is no worker takes part, this one or one that it runs a job for. It stands for one of the
    /// workers, who is to stay asleep while it is awake (S5). As all of this is read without a fence, now and then one is woken all the same.
    #[inline(always)]
    fn is_outside(&self, injector: &Injector) -> bool {
        // SAFETY: the job runs, so that its claim keeps the batch.
        match unsafe { self.lent.get().as_ref() } {
            Some(batch) => !batch.latch().has_waiters(),
            None => !ptr::eq(self.worker_of.get(), injector),
        }
    }

    /// Returns the jobs that are not published, the newest first.
    fn jobs(&self) -> impl Iterator<Item = &Job<'static>> {
        // SAFETY: S4: those in the list are in frames that have not ended.
        let reach = |job: *const Job<'static>| unsafe { job.as_ref() }.filter(|job| !job.is_published());
        core::iter::successors(reach(self.newest.get()), move |job| reach(job.older))
    }

    /// Publishes the oldest that is kept.
    #[inline(never)]
    fn offer(&self) {
        self.jobs().last().into_iter().for_each(|job| self.publish(job));
    }

    fn publish(&self, job: &Job<'static>) {
        let plan = Plan { tasks: 1, threads: 2, helpers: 1, grain: Grain::SINGLE };
        let run = if self.is_outside(job.injector) { run_lent } else { run_published };
        let work = Work { run, context: ptr::from_ref(&job.work).cast() };
        // SAFETY: owed by the caller of `run_pending`, in whose frame the job lies until the batch is finished.
        let batch = unsafe { job.injector.batch(work, plan) };
        job.handle.set(Some(job.injector.publish(batch)));
    }
}

impl Job<'_> {
    fn is_published(&self) -> bool {
        let handle = self.handle.take();
        let published = handle.is_some();
        self.handle.set(handle);
        published
    }
}

/// Runs a job that a thread of its pool published.
///
/// # Safety
///
/// - `context` points to the [`Work`] of a job that [`run_pending`] waits for.
unsafe fn run_published(context: *const (), range: Range<usize>) -> Option<Payload> {
    // SAFETY: passed on to the caller.
    unsafe { run_for(ptr::null(), context, range) }
}

/// Runs a job that a thread from outside published, which waits for it.
///
/// # Safety
///
/// - As for [`run_published`], in the batch of the job.
unsafe fn run_lent(context: *const (), range: Range<usize>) -> Option<Payload> {
    // SAFETY: passed on to the caller; who runs a batch has entered it.
    unsafe { run_for(frame::innermost(), context, range) }
}

/// Runs a job that was published, and says meanwhile for whom.
///
/// # Safety
///
/// - As for [`run_published`]; `lent` is null, or the batch of the job.
unsafe fn run_for(lent: *const Batch, context: *const (), range: Range<usize>) -> Option<Payload> {
    // SAFETY: owed by the caller; its owner does not change it any more.
    let work = unsafe { &*context.cast::<Work>() };
    let before = KEPT.with(|kept| kept.lent.replace(lent));
    // SAFETY: owed by the caller of `run_pending`; a `run` does not unwind.
    let payload = unsafe { (work.run)(work.context, range) };
    KEPT.with(|kept| kept.lent.set(before));
    payload
}

/// Says that this thread is a worker, for good.
pub fn become_worker(injector: &Injector) {
    KEPT.with(|kept| kept.worker_of.set(injector));
}

/// Publishes what this thread keeps, as it is about to sleep.
#[inline]
pub fn publish_all() {
    KEPT.with(|kept| {
        if kept.jobs().next().is_some() {
            let jobs: Vec<_> = kept.jobs().collect();
            jobs.into_iter().rev().for_each(|job| kept.publish(job));
        }
    });
}

/// Runs `first` while the one task of `work` is pending, and then `settle`: with the handle of its batch if it was published
/// meanwhile, or else nobody has run it.
///
/// # Safety
///
/// - `settle` runs the task, or waits for the batch.
/// - As for [`Batch::new`](crate::batch::Batch::new), for the time of this call.
/// - Neither closure unwinds.
#[inline(always)]
pub unsafe fn run_pending<T, R>(
    injector: &Injector,
    work: Work,
    first: impl FnOnce() -> T,
    settle: impl FnOnce(Option<Handle>) -> R,
) -> (T, R) {
    let older = KEPT.with(|kept| kept.newest.get());
    let job = Job { work, injector, handle: Cell::new(None), older };
    KEPT.with(|kept| kept.newest.set(ptr::from_ref(&job).cast()));
    if KEPT.with(|kept| kept.may_wake(injector)) {
        KEPT.with(Kept::offer);
    }
    let value = first();
    KEPT.with(|kept| kept.newest.set(job.older));
    (value, settle(job.handle.into_inner()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idle::{Announced, Woken};
    use crate::latch::Lot;
    use core::time::Duration;

    /// The second half of a join.
    struct Second<'a> {
        body: &'a dyn Fn(),
        /// Whether it ran for a thread from outside.
        is_lent: Cell<bool>,
    }

    unsafe fn run(context: *const (), _: Range<usize>) -> Option<Payload> {
        // SAFETY: the context that `join` gives.
        let second = unsafe { &*context.cast::<Second<'_>>() };
        let lent = KEPT.with(|kept| kept.lent.get());
        assert!(lent.is_null() || ptr::eq(lent, frame::innermost()), "it runs for its own batch");
        second.is_lent.set(!lent.is_null());
        (second.body)();
        None
    }

    /// Joins, and runs what is published meanwhile as a worker does, which `before` is told of. Tells whether something was published, and ran for a
    /// thread from outside.
    fn join(injector: &Injector, before: impl FnOnce(), body: &dyn Fn()) -> (bool, bool) {
        let second = Second { body, is_lent: Cell::new(false) };
        let work = Work { run, context: (&raw const second).cast() };
        let mut is_published = false;
        let first = || {
            if let Some(mut claim) = injector.take() {
                is_published = true;
                before();
                frame::enter(injector.home().as_ref(), ptr::from_ref(claim.batch()), || claim.run());
                injector.complete(claim);
            }
        };
        let settle = |handle: Option<Handle>| match handle {
            Some(handle) => injector.release(handle),
            // SAFETY: nobody has run it.
            None => assert!(unsafe { run(work.context, 0..1) }.is_none()),
        };
        // SAFETY: the task is run, as `first` takes what is published; a panic ends the test.
        unsafe { run_pending(injector, work, first, settle) };
        (is_published, second.is_lent.get())
    }

    fn nothing() {}

    fn park(injector: &Injector, worker: usize) -> Announced {
        // SAFETY: each test takes each seat once, and stays on its thread.
        let seat = unsafe { injector.seat(worker) };
        injector.announce(seat, None).expect("the pool is open")
    }

    /// Ends the sleep of who was popped, or of all when the pool is closed.
    fn wake(injector: &Injector, announced: Announced) {
        match injector.sleep(announced) {
            Woken::Look(_, looking) => injector.found(looking),
            Woken::Closed => {}
        }
    }

    #[test]
    fn s5_a_thread_from_outside_leaves_one_asleep() {
        let injector = Injector::new(2);
        assert_eq!(join(&injector, nothing, &nothing), (false, false), "nobody is parked");
        let below = park(&injector, 0);
        assert_eq!(join(&injector, nothing, &nothing), (false, false), "S5: one is parked");
        let top = park(&injector, 1);
        assert_eq!(join(&injector, nothing, &nothing), (true, true), "S5: two are parked");
        wake(&injector, top);
        injector.close();
        wake(&injector, below);
    }

    #[test]
    fn s5_so_does_its_job_until_it_waits() {
        let injector = Injector::new(2);
        let (below, top) = (park(&injector, 0), park(&injector, 1));
        let job = || {
            assert!(!join(&injector, nothing, &nothing).0, "S5: it is awake");
            // SAFETY: the batch is that of this job.
            let batch = unsafe { &*KEPT.with(|kept| kept.lent.get()) };
            assert!(!batch.latch().wait_timeout(&Lot::new(), Duration::from_millis(10)), "its job runs");
            assert!(join(&injector, nothing, &nothing).0, "S5: it waits");
        };
        assert_eq!(join(&injector, || wake(&injector, top), &job), (true, true));
        wake(&injector, below);
    }

    #[test]
    fn s5_a_worker_leaves_nobody_asleep() {
        let injector = Injector::new(1);
        become_worker(&injector);
        let parked = park(&injector, 0);
        assert_eq!(join(&injector, nothing, &nothing), (true, false), "it works for nobody else");
        wake(&injector, parked);
    }
}
