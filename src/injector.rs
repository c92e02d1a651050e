//! The queue and the idle workers, put together so that no wake-up is lost.
//!
//! The queue knows nothing of sleeping, and the idle word nothing of work. What must never happen lies between them:
//! a batch in the queue, a worker parked, and nobody on the way. Two mirrored recipes prevent it, each a write, a
//! fence, and a read of what the other side writes:
//!
//! ```text
//!   who submits                        who stops looking, or parks
//!   ───────────                        ───────────────────────────
//!   link the batch                     leave the state, or announce the sleep   (one step on the idle word)
//!   fence(SeqCst)                      fence(SeqCst)
//!   read the idle word:                look into the queue:
//!     somebody parked, nobody            something claimable?
//!     looking? wake one                  then notify like a submitter
//! ```
//!
//! **The fence argument, by cases.** Of the two fences one is first. *If the submitter's is first, the other looks
//! into the queue after it and sees the batch. If the other's is first, the submitter reads the idle word after it
//! and sees it left or parked. So it wakes somebody, or nobody is parked, or another one has come to look meanwhile, who
//! still has its second look to make.*
//!
//! **Leave, then look.** A submitter wakes nobody while one worker looks. So that worker answers for every batch
//! linked in the meantime, and it can only do so by looking *after* it has stopped counting as looking:
//!
//! 1. Worker L, looking, searches the queue and finds nothing more.
//! 2. Submitter S links a batch, fences, reads LOOKING, and wakes nobody.
//! 3. L clears LOOKING and goes to its long task, or to sleep. The batch lies there while others are parked.
//!
//! With the search after the clearing, step 2 either comes before it, and L finds the batch, or reads the cleared bit.
//!
//! **Who spends a batch unlinks it**, and what is spent before it: a worker when it comes for the next one, and a thread that waits for
//! its own after it has claimed of it, one batch in `RUN`. Who publishes leaves the head alone, as workers are at work there. So
//! what stays linked is what somebody is at, what lies behind a batch that is not spent, and fewer than two runs.
//!
//! # Invariants
//!
//! - `W1`  *No lost wake-up.* In every quiescent state (nobody between two steps), there is no claimable batch or no
//!   parked worker.
//! - `W2`  *Throttle.* A submission wakes at most one worker, and none while one is looking.
//! - `W3`  *Passed on.* A looking worker that found work wakes the next one if there is more: a burst reaches all.
//! - `W4`  *Close after work.* A worker that is refused a sleep sees everything submitted before the close.
//!
//! # Orderings
//!
//! | fence | pairs with | argument |
//! |---|---|---|
//! | SeqCst in `publish` | the other two | `[W-fence]` as above |
//! | SeqCst in `found` | the one in `publish` | `[W-fence]` leave, then look |
//! | SeqCst in `announce` | the one in `publish` | `[W-fence]` announce, then look |
//!
//! # Progress
//!
//! Lock-free for submitters and for workers that find work; a system call only to wake or to sleep.
//!
//! # Alternatives turned down
//!
//! - *A mutex and a condition variable* around the sleep: a lock on each submission (zero-pool 0.4).
//! - *An event count per submission* that sleepers compare: a contended write per submission even when all are busy.
//! - *One looker per submission*: a burst of small batches then wakes everybody, at about 10 us each to the submitter.
//!
//! Checked by: `w1_*` to `w4_*` in `loom_tests`.

use core::ops::Deref;
use core::ptr::NonNull;

use crate::batch::{Batch, Claim, Handle, Home, Plan, Run, Work};
use crate::idle::{Announced, Idle, Looking, Seat, Woken};
use crate::reclaim::Pass;
use crate::sync::Arc;
use crate::sync::atomic::{Ordering, fence};

/// The global queue of one pool with its sleeping workers. What waiters need of it, too, is in its [`Home`].
#[derive(Debug)]
pub struct Injector {
    home: Arc<Home>,
    /// Whoever publishes or works pins by it.
    pass: Pass,
    idle: Idle,
    crowd: u32,
}

/// How many batches per worker make a crowd.
const CROWD: usize = 8;

/// How many spent batches are unlinked at once.
const RUN: u32 = if cfg!(any(loom, shuttle)) { 2 } else { 8 };

impl Injector {
    /// Makes an empty injector for `workers` workers.
    pub fn new(workers: usize) -> Self {
        Self::recycling(workers, RUN, Home::MAGAZINE)
    }

    /// Makes one whose batches are unlinked in runs of so many, and travel as nodes in magazines of so many.
    pub fn recycling(workers: usize, run: u32, magazine: usize) -> Self {
        let home = Home::new(run, magazine);
        Self {
            pass: home.domain().pass(),
            home,
            idle: Idle::new(workers),
            crowd: u32::try_from(CROWD * workers).unwrap_or(u32::MAX).saturating_add(2 * run),
        }
    }

    /// Returns the home of its batches.
    pub fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Takes the seat of `worker`, on that worker's thread.
    ///
    /// # Safety
    ///
    /// - Each worker's seat is taken once, and used with this injector alone.
    pub unsafe fn seat(&self, worker: usize) -> Seat {
        // SAFETY: passed on to the caller.
        unsafe { self.idle.seat(worker) }
    }

    /// Makes a batch to be published here.
    ///
    /// # Safety
    ///
    /// - As for [`Batch::new`].
    pub unsafe fn batch(&self, work: Work, plan: Plan) -> Box<Batch> {
        // SAFETY: passed on to the caller.
        unsafe { Home::batch(&self.home, work, plan) }
    }

    /// Makes a batch to be published here whose node keeps the context. The batch never drops it.
    ///
    /// # Safety
    ///
    /// - As for [`Batch::new`], of a context that points to a `T`.
    pub unsafe fn storing<T>(&self, context: T, run: Run, plan: Plan) -> Box<Batch> {
        // SAFETY: passed on to the caller.
        unsafe { Home::storing(&self.home, context, run, plan) }
    }

    /// Queues `batch` behind all others and wakes a worker if that is needed (W2).
    pub fn publish(&self, batch: Box<Batch>) -> Handle {
        let batch = NonNull::from(Box::leak(batch));
        // SAFETY: just made from a box, and the only handle.
        let handle = unsafe { Handle::new(batch) };
        // SAFETY: from a box, never linked, and the queue's hold keeps it until it is unlinked (N1).
        unsafe { self.queue().push(batch, &self.pass.pin()) };
        // ORDERING: SeqCst; pairs with the fences in `found` and `announce` [W-fence]. If ours is first, they see the
        // batch; if theirs is first, we see them left or parked.
        fence(Ordering::SeqCst);
        self.wake_one();
        handle
    }

    /// Tells whether a submission would wake a worker now, for a caller who `leaves_one` worker asleep, or none. The answer may be old when
    /// it is there.
    #[inline(always)]
    pub fn may_wake(&self, leaves_one: bool) -> bool {
        self.idle.may_wake(leaves_one)
    }

    /// Tells whether a worker is awake without work. The answer may be old.
    pub fn has_awake(&self) -> bool {
        self.idle.has_awake()
    }

    /// Sits out for a while if a stand-in has come beside all workers (T7), and tells whether it did. A worker that has the duty to look
    /// ends that before.
    pub fn sit_out(&self, looking: &mut Option<Looking>) -> bool {
        let has_duty = looking.is_some();
        self.stand_ins().sit_out(
            || self.idle.is_full(has_duty),
            || looking.take().into_iter().for_each(|looking| self.found(looking)),
        )
    }

    /// Claims tasks of the oldest batch that admits a worker, and joins it.
    pub fn take(&self) -> Option<Claim> {
        self.queue().scan(&self.pass.pin(), Batch::join)
    }

    /// Ends a search, with work in hand or to sit out: leaves the looking state, then looks again and passes the wake-up on (W3).
    pub fn found(&self, looking: Looking) {
        self.idle.leave(looking);
        // ORDERING: SeqCst; pairs with the fence in `publish` [W-fence]. If theirs is first, we see the batch; if ours
        // is first, they see us left.
        fence(Ordering::SeqCst);
        self.pass_on();
    }

    /// Becomes the one who looks without having been woken, if there is none: submitters leave the caller alone from now on.
    pub fn look(&self) -> Option<Looking> {
        self.idle.look()
    }

    /// Returns the number of the newest batch: what was submitted since has another one.
    pub fn newest(&self) -> u32 {
        self.queue().newest(&self.pass.pin())
    }

    /// Ends a search in vain: announces the sleep, then looks again. The caller then [`sleep`](Self::sleep)s.
    ///
    /// `None`: closed, and everything submitted before the close is visible (W4).
    pub fn announce(&self, seat: Seat, looking: Option<Looking>) -> Option<Announced> {
        let announced = self.idle.announce(seat, looking)?;
        // ORDERING: SeqCst; pairs with the fence in `publish` [W-fence]. If theirs is first, we see the batch; if ours
        // is first, they see us parked.
        fence(Ordering::SeqCst);
        self.pass_on();
        Some(announced)
    }

    /// Tells whether the announced worker was woken already.
    pub fn is_woken(&self, announced: &Announced) -> bool {
        self.idle.is_popped(announced)
    }

    /// Gives a worker's processor away so many times, or until `is_over`. False: there is nothing to be hoped of turns now.
    pub fn give_way(&self, times: u32, is_over: impl FnMut() -> bool) -> bool {
        times > 0 && self.idle.awake(|| self.turns().give_way(times, is_over, || true))
    }

    /// Sleeps until woken.
    pub fn sleep(&self, announced: Announced) -> Woken {
        self.idle.sleep(announced)
    }

    /// Wakes a worker, unless one is looking already or none is parked (W2).
    fn wake_one(&self) {
        self.room().expect(|| self.idle.may_wake(false));
        self.idle.notify();
    }

    /// Wakes somebody if there is something to claim (W1). After `announce` that may be the caller itself.
    fn pass_on(&self) {
        let guard = self.pass.pin();
        let more = self.queue().scan(&guard, |batch| batch.is_claimable().then_some(()));
        drop(guard);
        if more.is_some() {
            self.wake_one();
        }
    }

    /// Tells whether so much is queued that a caller who can do its work alone had better. While all workers are busy, what
    /// callers have run by themselves lies behind the oldest batch that still admits one.
    pub fn is_crowded(&self) -> bool {
        self.queue().len(&self.pass.pin()) > self.crowd
    }

    /// Closes: parked workers wake to leave, and those that would park are told to.
    pub fn close(&self) {
        self.idle.close();
    }
}

impl Deref for Injector {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        // H1: nobody is left who publishes, or works.
        self.home.dissolve();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t7_who_sits_out_does_not_look() {
        let injector = Injector::new(2);
        let mut looking = injector.look();
        assert!(looking.is_some(), "nobody else looks");
        injector.stand_ins().come();
        assert!(injector.sit_out(&mut looking));
        assert!(looking.is_none(), "the duty is over");
        let next = injector.look().expect("it kept others asleep");
        injector.found(next);
    }
}
