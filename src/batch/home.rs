//! What the batches of a pool keep of it, so that a future which outlives the pool needs no share of its own.
//!
//! Each node has a share of its home from its making to its end, through all its lives. So who has a handle or a claim has the
//! home: the queue that the batch stands in, the sleepers who wait for its end, what is known of its function, the reclaimer, and
//! the depot that the node goes back to. Counting a share for each submission would cost two read-modify-writes.
//!
//! ```text
//!   pool, workers ──▶ Injector ──▶ Home ◀── node ◀── handle, claim
//!                     idle word     │ ▲
//!                                   ▼ └───────── a circle, which the end of the injector opens
//!                     queue, reclaimer, depot ──▶ nodes
//! ```
//!
//! # The end
//!
//! What a home keeps may not keep the home, or nothing would ever end. When the injector goes, nobody publishes any more and no
//! worker is left, and it opens the circle in three places:
//!
//! | who keeps nodes | what [`dissolve`](Home::dissolve) does | nodes that come later |
//! |---|---|---|
//! | the queue | links a last node, which has no home, and unlinks all before it | none come |
//! | the depot | frees the magazines | are freed, or become orphans, who have no home |
//! | the reclaimer | leaves it to the threads that are registered with it | are retired by those, and orphans of others, who have no home |
//!
//! What remains is kept by handles, by claims, and by what other threads have in their pockets or had retired. The last of those takes the
//! home along.
//!
//! # Invariants
//!
//! - `H1`  *It ends.* After that nothing that a home keeps has a share of it. And who sees nodes of its queue has one, by the pool,
//!   by a handle, or by a claim: with the last share all goes, and nobody sees it go.
//!
//! # Alternatives turned down
//!
//! - *A share of the injector in each future*: two read-modify-writes per submission.
//! - *Leases*, which threads take from the injector by the dozen, one for each node that is in use: a count, a balance per thread,
//!   and an end that has to find them.
//! - *A reclaimer that the home keeps to its end*: what is retired has shares of the home, which would keep what was retired.
//!
//! Checked by: `h1_*`, `p5_*` in `loom_tests`, `proptests/tests/nodes.rs`.

use core::ptr::NonNull;
use core::task::Waker;
use std::time::Duration;

use super::depot::{self, Depot};
use super::{Afloat, Batch, Claim, Handle, Plan, Run, Work};
use crate::costs::Costs;
use crate::latch::{Lot, Sleeper, Ticket};
use crate::queue::Queue;
use crate::reclaim::{Domain, Guard};
use crate::room::{Room, Step};
use crate::standin::StandIns;
use crate::sync::{Arc, thread};
use crate::turns::Turns;
use crate::unwind;

/// What a pool shares with its batches.
#[derive(Debug)]
pub struct Home {
    queue: Queue<Batch, Afloat>,
    lot: Lot,
    costs: Costs,
    turns: Turns,
    room: Room,
    stand_ins: StandIns,
    depot: Depot,
    domain: Domain,
}

impl Home {
    /// How many nodes travel together in a pool.
    pub const MAGAZINE: usize = Depot::MAGAZINE;

    /// Makes the home of a pool whose batches are unlinked in runs of so many, and travel as nodes in magazines of so many.
    pub fn new(run: u32, magazine: usize) -> Arc<Self> {
        Arc::new(Self {
            queue: Queue::new(Batch::sentinel(), run),
            lot: Lot::new(),
            costs: Costs::new(),
            turns: Turns::new(),
            room: Room::new(),
            stand_ins: StandIns::new(),
            depot: Depot::new(magazine),
            domain: Domain::new(),
        })
    }

    /// Makes a batch that is in no queue yet, of a recycled node if there is one.
    ///
    /// # Safety
    ///
    /// - As for [`Batch::new`].
    pub unsafe fn batch(this: &Arc<Self>, work: Work, plan: Plan) -> Box<Batch> {
        let mut node = Depot::node(this);
        // SAFETY: passed on to the caller.
        unsafe { node.fill(work, plan) };
        node
    }

    /// Makes a batch whose node keeps the context. The batch never drops it.
    ///
    /// # Safety
    ///
    /// - As for [`Batch::new`], of a context that points to a `T`.
    pub unsafe fn storing<T>(this: &Arc<Self>, context: T, run: Run, plan: Plan) -> Box<Batch> {
        let mut node = Depot::node(this);
        // SAFETY: passed on to the caller.
        unsafe { node.fill_storing(context, run, plan) };
        node
    }

    /// Returns the queue.
    pub fn queue(&self) -> &Queue<Batch, Afloat> {
        &self.queue
    }

    /// Returns the reclaimer.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Returns where the nodes go.
    pub(super) fn depot(&self) -> &Depot {
        &self.depot
    }

    /// Returns what is known of the tasks that ran here.
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// Returns where a woken worker is expected.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Makes room for a worker that is late, if there is work left for so many times as long as between two calls, and no stand-in at work. For
    /// who has nothing in its hands that others wait for.
    #[inline]
    pub fn make_room(&self, left: impl FnOnce() -> u64) {
        if self.room.is_expected() {
            self.step_aside(|| !self.turns.rests(), left);
        }
    }

    /// The same by a nap, for who may have something in its hands; tells whether it napped.
    pub fn nap_for_the_late(&self, left: impl FnOnce() -> u64) -> bool {
        self.step_aside(|| false, left)
    }

    #[cold]
    fn step_aside(&self, may_turn: impl FnOnce() -> bool, left: impl FnOnce() -> u64) -> bool {
        if self.stand_ins.are_at_work() {
            return false;
        }
        match self.room.step(may_turn, left) {
            // It was not lost to the worker that it was for.
            Some(Step::Turn(moment)) => self.turns.give_way(1, || true, || self.room.misses(moment)),
            Some(Step::Nap) => {
                thread::nap();
                true
            }
            None => false,
        }
    }

    /// Returns those who stand in for the workers.
    pub fn stand_ins(&self) -> &StandIns {
        &self.stand_ins
    }

    /// Returns the turns of those who would sleep, or make room.
    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Unlinks what is spent at the head, now and then: owed by who has claimed of a batch through its handle.
    pub fn sweep_after(&self, handle: &Handle) {
        if handle.place().is_multiple_of(self.queue.run())
            && let Some(guard) = self.domain.try_pin()
        {
            self.queue.oldest(&guard);
        }
    }

    /// Returns how many batches in the queue are not spent, as far as the caller can see.
    pub fn queued(&self) -> u64 {
        let Some(guard) = self.domain.try_pin() else { return 0 };
        let after = |oldest| self.queue.newest(&guard).wrapping_sub(oldest).wrapping_add(1);
        self.queue.oldest(&guard).map_or(0, |oldest| u64::from(after(oldest)))
    }

    /// Tells whether batches behind this one were spent.
    pub fn has_gone_on(&self, handle: &Handle) -> bool {
        let Some(guard) = self.domain.try_pin() else { return false };
        let behind = |other: u32| other.wrapping_sub(handle.place()).cast_signed();
        let oldest = self.queue.oldest(&guard).map(behind);
        oldest.map_or_else(|| behind(self.queue.newest(&guard)) > 0, |oldest| oldest > 1)
    }

    /// Reclaims some of what was retired, if much waits (N6), and calls `before` then. False: not much does, or somebody who is pinned is in
    /// the way.
    #[inline]
    pub fn tidy(&self, before: impl FnOnce()) -> bool {
        self.depot.waiting().is_some_and(|waiting| {
            before();
            self.reclaim(waiting)
        })
    }

    #[cold]
    fn reclaim(&self, waiting: usize) -> bool {
        // Two advances of the epoch, each by a guard that is not in its own way, and a look at what that has freed.
        (0..3).any(|_| {
            let Some(guard) = self.domain.try_pin() else { return false };
            guard.flush();
            drop(guard);
            self.depot.waiting().is_none_or(|now| now < waiting)
        })
    }

    /// Counts a participation as finished.
    pub fn complete(&self, claim: Claim) {
        claim.complete(&self.domain, &self.lot, self.queue.tally());
    }

    /// Blocks until the batch is finished, without running any of its tasks.
    pub fn wait(&self, handle: &Handle) {
        handle.batch().latch().wait(&self.lot);
    }

    /// Blocks until the batch is finished or the time is over; tells whether it is finished.
    pub fn wait_timeout(&self, handle: &Handle, timeout: Duration) -> bool {
        handle.batch().latch().wait_timeout(&self.lot, timeout)
    }

    /// Enters a waker to be called when the batch is finished; `None` if it is.
    pub fn enter(&self, handle: &Handle, waker: Waker) -> Option<Ticket> {
        self.lot.enter(handle.batch().latch(), Sleeper::Task(waker))
    }

    /// Takes a waker back that need not be called any more.
    pub fn withdraw(&self, handle: &Handle, ticket: Ticket) {
        let gone = self.lot.leave(handle.batch().latch().key(), ticket);
        unwind::quietly(|| drop(gone));
    }

    /// Gives a handle up, for a caller who has the home by other means.
    pub fn release(&self, handle: Handle) {
        handle.release(|| self.domain.pin());
    }

    /// Gives a handle up whose node has a home, which the caller may have by this handle alone.
    pub fn give_up(handle: Handle) {
        handle.release(|| -> Guard { unreachable!("H1: the node has a home") });
    }

    /// Blocks until all that was published has ended (W5). Nobody publishes any more, and all of it was claimed.
    pub fn wait_for_all(&self) {
        self.drain();
        self.queue.tally().wait();
    }

    /// Opens the circle of nodes and home (H1). Nobody publishes any more, and no worker is left.
    pub fn dissolve(&self) {
        self.drain();
        depot::forget(self);
        self.depot.close();
        self.domain.close();
    }

    /// Unlinks every batch: what stays in the queue is a node without a home.
    fn drain(&self) {
        let guard = self.domain.pin();
        let last = NonNull::from(Box::leak(Batch::sentinel()));
        // SAFETY: from a box, never linked, and the queue's hold keeps it until it is unlinked (N1).
        unsafe { self.queue.push(last, &guard) };
        self.queue.drain(&guard);
    }
}
