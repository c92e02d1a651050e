//! Jobs that a thread keeps to itself until somebody could take them.
//!
//! The second half of a join is mostly run by the thread that made it, and queueing it costs more than many a half takes. So it
//! waits on a list through the stack of its thread, which no other thread sees. Only while a worker of its pool could be woken is a job
//! published, and then the *oldest* of that pool, as it is the largest share of the work in a tree of joins. (Lazy task creation: Mohr,
//! Kranz and Halstead, *Lazy task creation*, 1990. Publishing the oldest is what steals take from the other end of a deque.)
//!
//! ```text
//!                                                newest
//!                                                  ▼
//!   [published] ◀─older─ [published] ◀─ [kept] ◀─ [kept]        each in the frame of its join
//! ```
//!
//! Published are always the oldest of each pool, so that its first published one on the way down ends the kept. A thread that is about to
//! sleep publishes what it keeps, of all pools: it cannot come back to it before it is woken. What is left then is a list without a
//! kept job, whose links it cuts, so that the next sleep need not walk it.
//!
//! # Whose place
//!
//! A pool of so many workers has as many places. A worker that makes joins is in its own, also while it runs a job for another one.
//! Anybody else takes one that some worker could have: a thread that is none, or a worker of another pool. While it sleeps until its
//! second half has ended, who runs that half has its place. Who runs a half of its own works for whom it worked before.
//!
//! # Invariants
//!
//! - `S4`  *Kept is on the stack.* A job is in the list of its thread while [`run_pending`] runs its first half, and no
//!   longer. A thread that sleeps until it is woken keeps nothing.
//! - `S5`  *One is left asleep.* While a thread that is no worker of the pool is at work on a join, who makes joins for it, here or in a job
//!   of its, publishes only if two workers are parked, as far as it can know.
//!
//! # Progress
//!
//! A kept job costs a few writes to memory of the thread's own and one read of the idle word; in a job of another thread also one of its
//! latch. It is published by the next join of its thread on the same pool after a worker has parked, or a second one (S5); a thread that
//! makes none meanwhile keeps it, however long that takes.
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
    work: Work,
    injector: &'a Injector,
    /// There once it is published.
    handle: Cell<Option<Handle>>,
    /// The next one that may be kept.
    older: Cell<*const Job<'static>>,
}

/// What a thread keeps, and for whom it works.
struct Kept {
    newest: Cell<*const Job<'static>>,
    /// The pool whose worker this is.
    worker_of: Cell<*const Injector>,
    lender: Cell<Lender>,
}

/// For whom a worker runs a job.
#[derive(Clone, Copy)]
struct Lender {
    /// The batch of the job, if that thread is no worker of this pool; null if it is, or there is none.
    lent: *const Batch,
    /// The pool whose worker it is.
    worker_of: *const Injector,
}

/// What the batch of a published job stores.
struct Published {
    work: Work,
    /// What its thread keeps, which names it, and the pool whose worker that is.
    owner: *const Kept,
    worker_of: *const Injector,
}

each_thread! {
    /// The jobs of this thread; the published ones, too, as long as another one is kept.
    static KEPT: Kept = Kept {
        newest: Cell::new(ptr::null()),
        worker_of: Cell::new(ptr::null()),
        lender: Cell::new(Lender { lent: ptr::null(), worker_of: ptr::null() }),
    }
}

impl Kept {
    /// Tells whether a worker may be woken for this thread.
    #[inline(always)]
    fn may_wake(&self, injector: &Injector) -> bool {
        injector.may_wake(self.is_outside(injector))
    }

    /// Tells whether a thread takes part that is no worker of this pool, this one or one that it runs a job for. It stands for one of the
    /// workers, who is to stay asleep while it is awake (S5). As all of this is read without a fence, now and then one is woken all the same.
    #[inline(always)]
    fn is_outside(&self, injector: &Injector) -> bool {
        let is_ours = |worker_of: *const Injector| ptr::eq(worker_of, injector);
        let Lender { lent, worker_of } = self.lender.get();
        // SAFETY: the job runs, so that its claim keeps the batch.
        match unsafe { lent.as_ref() } {
            None => !is_ours(self.worker_of.get()),
            Some(batch) if !batch.latch().has_waiters() => true,
            // Who sleeps leaves its place to us, if it has one there.
            Some(_) => !is_ours(self.worker_of.get()) && !is_ours(worker_of),
        }
    }

    /// Returns the jobs, the newest first.
    fn jobs(&self) -> impl Iterator<Item = &Job<'static>> {
        core::iter::successors(self.newest(), |job| job.older())
    }

    fn newest(&self) -> Option<&Job<'static>> {
        // SAFETY: S4: those in the list are in frames that have not ended.
        unsafe { self.newest.get().as_ref() }
    }

    /// Publishes the oldest that is kept of this pool.
    #[inline(never)]
    fn offer(&self, injector: &Injector) {
        let ours = self.jobs().filter(|job| ptr::eq(job.injector, injector));
        ours.take_while(|job| !job.is_published()).last().into_iter().for_each(|job| self.publish(job));
    }

    /// Publishes all that is kept, the oldest first, and cuts the links.
    fn publish_all(&self) {
        let kept: Vec<_> = self.jobs().filter(|job| !job.is_published()).collect();
        kept.into_iter().rev().for_each(|job| self.publish(job));
        let mut at = self.newest();
        while let Some(job) = at {
            at = job.older();
            job.older.set(ptr::null());
        }
    }

    fn publish(&self, job: &Job<'static>) {
        let plan = Plan { tasks: 1, threads: 2, helpers: 1, grain: Grain::SINGLE };
        let run = if self.is_outside(job.injector) { run_lent } else { run_published };
        let published = Published { work: job.work, owner: self, worker_of: self.worker_of.get() };
        // SAFETY: owed by the caller of `run_pending`, in whose frame lies what the work needs until the batch is finished.
        let batch = unsafe { job.injector.storing(published, run, plan) };
        job.handle.set(Some(job.injector.publish(batch)));
    }
}

impl Job<'_> {
    fn older(&self) -> Option<&Job<'static>> {
        // SAFETY: S4, as above.
        unsafe { self.older.get().as_ref() }
    }

    fn is_published(&self) -> bool {
        let handle = self.handle.take();
        let published = handle.is_some();
        self.handle.set(handle);
        published
    }
}

/// Runs a job that a worker of its pool published.
///
/// # Safety
///
/// - `context` points to what [`Kept::publish`] stored, for a job that [`run_pending`] waits for.
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
    // SAFETY: owed by the caller.
    let &Published { work, owner, worker_of } = unsafe { &*context.cast::<Published>() };
    let before = KEPT.with(|kept| {
        // Who runs its own works for nobody else by that.
        let is_own = ptr::eq(kept, owner);
        kept.lender.replace(if is_own { kept.lender.get() } else { Lender { lent, worker_of } })
    });
    // SAFETY: owed by the caller of `run_pending`; a `run` does not unwind.
    let payload = unsafe { (work.run)(work.context, range) };
    KEPT.with(|kept| kept.lender.set(before));
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
        if kept.newest().is_some() {
            kept.publish_all();
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
    let job = Job { work, injector, handle: Cell::new(None), older: Cell::new(older) };
    KEPT.with(|kept| kept.newest.set(ptr::from_ref(&job).cast()));
    if KEPT.with(|kept| kept.may_wake(injector)) {
        KEPT.with(|kept| kept.offer(injector));
    }
    let value = first();
    KEPT.with(|kept| kept.newest.set(older));
    (value, settle(job.handle.into_inner()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Claim;
    use crate::idle::{Announced, Woken};
    use crate::latch::Lot;
    use crate::sync::atomic::{AtomicBool, Ordering};
    use core::time::Duration;
    use std::panic::resume_unwind;
    use std::thread;

    /// The second half of a join.
    struct Second<'a> {
        body: &'a (dyn Fn() + Sync),
        /// Whether it ran for a thread from outside.
        is_lent: AtomicBool,
    }

    unsafe fn run(context: *const (), _: Range<usize>) -> Option<Payload> {
        // SAFETY: the context that `join` gives.
        let second = unsafe { &*context.cast::<Second<'_>>() };
        let lent = KEPT.with(|kept| kept.lender.get().lent);
        assert!(lent.is_null() || ptr::eq(lent, frame::innermost()), "it runs for its own batch");
        second.is_lent.store(!lent.is_null(), Ordering::Relaxed);
        (second.body)();
        None
    }

    /// Runs a job that somebody has published.
    fn run_claim(injector: &Injector, mut claim: Claim) {
        frame::enter(injector.home().as_ref(), ptr::from_ref(claim.batch()), || claim.run());
        injector.complete(claim);
    }

    /// Runs it as a worker.
    fn run_on_a_worker(injector: &Injector, claim: Claim) {
        let work = move || {
            become_worker(injector);
            run_claim(injector, claim);
        };
        let end = thread::scope(|threads| threads.spawn(work).join());
        end.unwrap_or_else(|payload| resume_unwind(payload));
    }

    /// Joins, and has what is published meanwhile run, which `before` is told of. Tells whether something was published, and ran for a thread
    /// from outside.
    fn join_on(
        injector: &Injector,
        run_published: fn(&Injector, Claim),
        before: impl FnOnce(),
        body: &(dyn Fn() + Sync),
    ) -> (bool, bool) {
        let second = Second { body, is_lent: AtomicBool::new(false) };
        let work = Work { run, context: (&raw const second).cast() };
        let mut is_published = false;
        let first = || {
            if let Some(claim) = injector.take() {
                is_published = true;
                before();
                run_published(injector, claim);
            }
        };
        let settle = |handle: Option<Handle>| match handle {
            Some(handle) => injector.release(handle),
            // SAFETY: nobody has run it.
            None => assert!(unsafe { run(work.context, 0..1) }.is_none()),
        };
        // SAFETY: the task is run, as `first` takes what is published; a panic ends the test.
        unsafe { run_pending(injector, work, first, settle) };
        (is_published, second.is_lent.into_inner())
    }

    fn join(injector: &Injector, before: impl FnOnce(), body: &(dyn Fn() + Sync)) -> (bool, bool) {
        join_on(injector, run_on_a_worker, before, body)
    }

    /// Lets it look as if the thread that published this job sleeps until it has ended.
    fn lender_sleeps() {
        // SAFETY: the batch is that of this job.
        let batch = unsafe { &*KEPT.with(|kept| kept.lender.get().lent) };
        assert!(!batch.latch().wait_timeout(&Lot::new(), Duration::from_millis(10)), "its job runs");
    }

    /// Tells where it takes the place of a worker.
    fn is_outside<const N: usize>(pools: [&Injector; N]) -> [bool; N] {
        KEPT.with(|kept| pools.map(|pool| kept.is_outside(pool)))
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
            lender_sleeps();
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
    /// Joins on a pool of two parked workers, the second half of which runs.
    fn join_beside_two(injector: &Injector, run_published: fn(&Injector, Claim), body: &(dyn Fn() + Sync)) {
        let (below, top) = (park(injector, 0), park(injector, 1));
        assert!(join_on(injector, run_published, || wake(injector, top), body).0, "S5: two are parked");
        injector.close();
        wake(injector, below);
    }

    #[test]
    fn s5_who_sleeps_leaves_its_place_where_it_has_one() {
        let [ours, lenders, other] = [(); 3].map(|()| Injector::new(2));
        become_worker(&lenders);
        join_beside_two(&ours, run_on_a_worker, &|| {
            assert_eq!(is_outside([&ours, &lenders, &other]), [true; 3], "S5: it is awake");
            lender_sleeps();
            assert_eq!(is_outside([&ours, &lenders, &other]), [false, false, true], "S5: it sleeps");
        });
    }

    #[test]
    fn s5_who_runs_its_own_job_works_for_nobody_else() {
        let [ours, other] = [(); 2].map(|()| Injector::new(2));
        become_worker(&ours);
        join_beside_two(&other, run_claim, &|| {
            assert_eq!(is_outside([&ours, &other]), [false, true], "S5: it is in its own place");
        });
    }

    #[test]
    fn s4_what_lies_below_a_published_job_is_published_by_who_sleeps() {
        let [busy, idle] = [(); 2].map(|()| Injector::new(2));
        let (below, top) = (park(&idle, 0), park(&idle, 1));
        let runs = [(); 2].map(|()| AtomicBool::new(false));
        let bodies = runs.each_ref().map(|run| || run.store(true, Ordering::Relaxed));
        let seconds = bodies.each_ref().map(|body| Second { body, is_lent: AtomicBool::new(false) });
        let [kept, published] =
            seconds.each_ref().map(|second| Work { run, context: ptr::from_ref(second).cast() });
        let release =
            |pool: &Injector, handle: Option<Handle>| pool.release(handle.expect("it was published"));
        let newest = || {
            let claim = idle.take().expect("S4: a worker of this pool is parked");
            assert!(busy.take().is_none(), "S4: none of that one is");
            publish_all();
            assert_eq!(KEPT.with(|kept| kept.jobs().count()), 1, "S4: the links are cut");
            run_on_a_worker(&busy, busy.take().expect("S4: a thread that sleeps keeps nothing"));
            run_on_a_worker(&idle, claim);
        };
        let oldest = || {
            // SAFETY: the task is run, as `newest` takes it; a panic ends the test.
            unsafe { run_pending(&idle, published, newest, |handle| release(&idle, handle)) }
        };
        // SAFETY: as above.
        unsafe { run_pending(&busy, kept, oldest, |handle| release(&busy, handle)) };
        assert!(runs.into_iter().all(AtomicBool::into_inner));
        wake(&idle, top);
        idle.close();
        wake(&idle, below);
    }
}
