//! When a batch is finished, who still holds its node, and who sleeps until then: one word.
//!
//! A batch ends when its last task has run. The same word counts the tasks that have not, and the other two who may
//! hold the node, the queue and the batch's handle. So a task's completion is one read-modify-write, and whichever
//! read-modify-write brings the word to zero knows that it was the last of all; so does who finds nothing there but its own hold.
//!
//! ```text
//!   63                                            3   2        1       0
//!   ┌───────────────────────────────────────────────┬────────┬───────┬─────────┐
//!   │ unfinished tasks, unclaimed ones included     │ HANDLE │ QUEUE │ WAITERS │
//!   └───────────────────────────────────────────────┴────────┴───────┴─────────┘
//!     a claimed task holds the node until it is subtracted   └ holds ┘  somebody sleeps
//! ```
//!
//! # Steps
//!
//! | step | change of the word | who |
//! |---|---|---|
//! | begin `k` | plus `k` tasks | who unlinks batches, for a latch that [counts](crate::batch::Afloat) them |
//! | complete `k` | minus `k` tasks | who claimed them; once per participation |
//! | release | minus HANDLE or QUEUE; none if nothing else is left | the handle; the winner of the unlinking |
//! | announce | or WAITERS, under the lock of the sleeper's bucket | who is about to sleep |
//!
//! The completion that brings the count to zero is the *finishing* one. If it saw WAITERS it wakes the bucket of the
//! latch's address, which it computes from the address alone: the node may be gone by then.
//!
//! # Invariants
//!
//! - `L1`  *Last touch.* A completion touches the node no more after its subtraction, unless that was the last hold.
//! - `L2`  *Results first.* What the tasks wrote happens before a wait returns and before `is_finished` is true.
//! - `L3`  *No sleep past the end.* A sleeper announced itself under the bucket's lock while tasks were unfinished. The
//!   finishing completion then sees WAITERS, takes that lock after the sleeper has entered, and finds it.
//! - `L4`  *All are woken.* Every sleeper of the address is taken and woken by a finisher, however many there are and
//!   however they wait. Where the address was used again it may be the finisher of an older latch, who is on its way.
//! - `L5`  *A timed wait ends.* It leaves no entry behind, and tells the truth about completion at its return.
//! - `L6`  *Locks of its own.* A forked child takes no lock of a bucket that another thread of its parent may hold, and finds none of its
//!   parent's sleepers.
//! - `N1`  *Three holders.* The node lives while the queue links it, its handle lives, or a task is unfinished.
//! - `N2`  *Retired once.* The one that leaves nothing but WAITERS, or finds nothing else beside its own hold, is the last, and it alone retires.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | subtract | Release | `[L-done]` results before the count; `[N-last]` our accesses to the node before its retirement |
//! | subtract | Acquire | `[N-last]` other side, for the last holder |
//! | load of who releases | Acquire | the same, for a sole holder |
//! | load of a waiter | Acquire | `[L-done]` other side |
//! | begin | Relaxed | carried by the unlinking that follows it, `[Q-tally]` |
//! | announce | Acquire | `[L-done]` other side, for a sleeper that is refused; L3 rests on the word's modification order and on the lock |
//!
//! # Progress
//!
//! Completing is wait-free until somebody sleeps. Sleepers and their wakers share a mutex per bucket, which nobody
//! else takes.
//!
//! # Alternatives turned down
//!
//! - *A latch in an `Arc` of its own*: an allocation per batch, and 1000 single submissions took twice as long.
//! - *The thread handle of one waiter in the node*: clones of a future wait on several threads, and setting it races
//!   with the finisher who frees the node.
//!
//! Checked by: `l1_*` to `l5_*`, `n1_*`, `n2_*` in `loom_tests`, `l6_*` in the units of [`sync`](crate::sync).

use core::task::Waker;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Deadline, Mutex, Parker, PerProcess, Unparker, lock};

/// Somebody sleeps, or is about to.
const WAITERS: u64 = 1;
/// One unfinished task.
const TASK: u64 = 1 << 3;

/// Who holds a node beside its unfinished tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Hold {
    /// The queue, from link to unlink.
    Queue = 1 << 1,
    /// The handle of the batch.
    Handle = 1 << 2,
}

/// What a subtraction found out.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The batch is finished by it, and somebody sleeps: [`Lot::wake`] is owed.
    pub wake: bool,
    /// Nobody holds the node any more: the caller alone may touch it, and retires it (N2).
    pub last: bool,
    /// The batch is finished by it, and the queue had let it go before (W5).
    pub afloat: bool,
}

/// What a release found out.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Nobody holds the node any more: the caller alone may touch it, and retires it (N2).
    pub last: bool,
    /// All tasks were finished.
    pub finished: bool,
}

/// The count of unfinished tasks and holders of one node.
#[derive(Debug)]
pub struct Latch {
    word: AtomicU64,
}

impl Latch {
    /// The largest count of tasks.
    pub const MAX_TASKS: u64 = (1 << 48) - 1;

    /// Makes a latch for `tasks` unfinished tasks, held by the queue and a handle.
    pub fn new(tasks: u64) -> Self {
        debug_assert!(tasks <= Self::MAX_TASKS);
        Self { word: AtomicU64::new(tasks * TASK + Hold::Queue as u64 + Hold::Handle as u64) }
    }

    /// Makes the latch of a sentinel: no tasks, held by the queue alone.
    pub fn of_sentinel() -> Self {
        Self { word: AtomicU64::new(Hold::Queue as u64) }
    }

    /// Makes the latch of something that nobody holds and that begins and ends as often as it likes.
    pub fn idle() -> Self {
        Self { word: AtomicU64::new(0) }
    }

    /// Counts so many more unfinished tasks.
    pub fn begin(&self, tasks: u64) {
        // ORDERING: Relaxed; what follows carries it to who is to see it [Q-tally].
        self.word.fetch_add(tasks * TASK, Ordering::Relaxed);
    }

    /// Counts `tasks` tasks as finished.
    ///
    /// # Memory ordering
    ///
    /// Everything before the call happens before the return of every wait.
    pub fn complete(&self, tasks: u64) -> Completion {
        debug_assert!(tasks > 0, "L1: a participation completes what it claimed");
        let before = self.subtract(tasks * TASK);
        Completion {
            wake: before / TASK == tasks && before & WAITERS != 0,
            last: before & !WAITERS == tasks * TASK,
            afloat: before / TASK == tasks && before & Hold::Queue as u64 == 0,
        }
    }

    /// Takes one hold away. A sole holder shares the word with nobody, and leaves it as it is.
    pub fn release(&self, hold: Hold) -> Released {
        // ORDERING: Acquire; pairs with the Release of those who had the other holds [N-last].
        let mut before = self.word.load(Ordering::Acquire);
        if before & !WAITERS != hold as u64 {
            before = self.subtract(hold as u64);
        }
        Released { last: before & !WAITERS == hold as u64, finished: before < TASK }
    }

    /// Subtracts and returns the word before.
    fn subtract(&self, amount: u64) -> u64 {
        // ORDERING: AcqRel. Release: results and accesses to the node come first; pairs with the load in
        // `is_finished` [L-done], with the one in `release` and with this same operation of the last holder [N-last]. Acquire: when we are that.
        let before = self.word.fetch_sub(amount, Ordering::AcqRel);
        debug_assert!(before >= amount, "N2: more was subtracted than was held");
        before
    }

    /// Tells whether all tasks are finished.
    pub fn is_finished(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release of every completion [L-done], as they are one release sequence.
        self.word.load(Ordering::Acquire) < TASK
    }

    /// Tells whether somebody has announced to sleep, as far as the caller can see.
    #[inline(always)]
    pub fn has_waiters(&self) -> bool {
        // ORDERING: Relaxed; a hint.
        self.word.load(Ordering::Relaxed) & WAITERS != 0
    }

    /// Announces a sleeper, under the lock of its bucket. False: finished, do not sleep.
    fn announce(&self) -> bool {
        // ORDERING: Acquire; pairs with the Release of every completion [L-done], for who is told that it is finished and
        // does not look again. L3 needs no ordering: either the finishing subtraction comes later in the word's order, sees
        // the bit, and takes the lock after us, or it came first and we see zero.
        self.word.fetch_or(WAITERS, Ordering::Acquire) >= TASK
    }

    /// Returns the key under which the sleepers of this latch stand in a [`Lot`].
    pub fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Blocks until all tasks are finished.
    pub fn wait(&self, lot: &Lot) {
        let parker = Parker::new();
        while !self.is_finished() {
            if let Some(ticket) = lot.enter(self, Sleeper::Thread(parker.unparker())) {
                parker.park();
                lot.leave(self.key(), ticket);
            }
        }
    }

    /// Blocks until all tasks are finished or `timeout` has passed; tells whether they are finished.
    pub fn wait_timeout(&self, lot: &Lot, timeout: Duration) -> bool {
        if self.is_finished() {
            return true;
        }
        let mut deadline = Deadline::after(timeout);
        let parker = Parker::new();
        while !self.is_finished() {
            // L5: the entry of the round before was taken back.
            let Some(left) = deadline.remaining() else { return false };
            if let Some(ticket) = lot.enter(self, Sleeper::Thread(parker.unparker())) {
                parker.park_timeout(left);
                lot.leave(self.key(), ticket);
            }
        }
        true
    }
}

/// Who is to be woken when a latch is finished.
#[derive(Debug)]
pub enum Sleeper {
    /// A thread that blocks.
    Thread(Unparker),
    /// A task of some executor.
    Task(Waker),
}

impl Sleeper {
    /// Wakes it. A waker is foreign code and may panic.
    pub fn wake(self) {
        match self {
            Self::Thread(thread) => thread.unpark(),
            Self::Task(waker) => waker.wake(),
        }
    }
}

/// Identifies an entry, so that a sleeper that was not woken can take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

#[derive(Debug)]
struct Entry {
    key: usize,
    ticket: Ticket,
    sleeper: Sleeper,
}

#[derive(Debug)]
struct Bucket {
    entries: Vec<Entry>,
    next_ticket: u64,
}

type Buckets = [CachePadded<Mutex<Bucket>>; BUCKETS];

/// How many buckets a lot has. Sleepers are at most as many as threads that wait, and they come and go under a lock
/// that is held for a few instructions.
const BUCKETS: usize = if cfg!(any(loom, shuttle)) { 1 } else { 16 };

/// Where sleepers stand, keyed by the address of the latch they wait for. A forked child has none of those, and buckets of its own (L6).
#[derive(Debug)]
pub struct Lot {
    buckets: PerProcess<Buckets>,
}

impl Lot {
    /// Makes an empty lot.
    pub fn new() -> Self {
        Self { buckets: PerProcess::new(Self::buckets) }
    }

    /// Makes empty buckets, with tickets that no other process gives out.
    fn buckets(process: u32) -> Buckets {
        let next_ticket = u64::from(process) << 32;
        core::array::from_fn(|_| CachePadded::new(Mutex::new(Bucket { entries: Vec::new(), next_ticket })))
    }

    fn bucket(&self, key: usize) -> &Mutex<Bucket> {
        // Fibonacci hashing; nodes lie 64 bytes apart at least.
        let hash = (key as u64 >> 6).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let buckets = self.buckets.get();
        &buckets[(hash >> 32) as usize % buckets.len()]
    }

    /// Enters a sleeper for `latch`, unless that is finished.
    pub fn enter(&self, latch: &Latch, sleeper: Sleeper) -> Option<Ticket> {
        let key = latch.key();
        let mut bucket = lock(self.bucket(key));
        if !latch.announce() {
            return None;
        }
        let ticket = Ticket(bucket.next_ticket);
        bucket.next_ticket += 1;
        bucket.entries.push(Entry { key, ticket, sleeper });
        Some(ticket)
    }

    /// Takes an entry back, unless it was taken to be woken. Dropping a waker runs foreign code, so that is left to the
    /// caller.
    pub fn leave(&self, key: usize, ticket: Ticket) -> Option<Sleeper> {
        let mut bucket = lock(self.bucket(key));
        let at = bucket.entries.iter().position(|entry| entry.ticket == ticket)?;
        Some(bucket.entries.swap_remove(at).sleeper)
    }

    /// Calls `wake` for every sleeper that stands under `key` now, outside of the lock.
    ///
    /// The address may belong to another latch by now, whose sleepers then wake for nothing and enter again.
    pub fn wake(&self, key: usize, mut wake: impl FnMut(Sleeper)) {
        // L4: who entered later has seen the latch finished, or waits for another one.
        let end = Ticket(lock(self.bucket(key)).next_ticket);
        while let Some(sleeper) = self.take(key, end) {
            wake(sleeper);
        }
    }

    /// Takes an entry of `key` that is older than `end`.
    fn take(&self, key: usize, end: Ticket) -> Option<Sleeper> {
        // L6: a waker may fork.
        let mut bucket = lock(self.bucket(key));
        let at = bucket.entries.iter().position(|entry| entry.key == key && entry.ticket.0 < end.0)?;
        Some(bucket.entries.remove(at).sleeper)
    }
}

impl Default for Lot {
    fn default() -> Self {
        Self::new()
    }
}
