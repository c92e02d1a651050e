//! A batch: one function over a run of tasks, in one node, handed out in ranges.
//!
//! The node knows 16 bytes of work, a function and a context; a task is an index. Whoever wants to run tasks *claims* a
//! range of indexes through the claim word, and **a successful claim is what grants access to the work**: before it,
//! only the claim word, the link, and what was fixed before linking are read. The caller's memory behind the context
//! may thus be gone as soon as the last task is finished, although the node still lies in the queue and late
//! visitors still look at it. (Apple's libdispatch states the same rule for `dispatch_apply`.)
//!
//! ```text
//!   63                        24 23             4 3        0
//!   ┌───────────────────────────┬────────────────┬──────────┐      claim word
//!   │ index of the next task    │ helpers so far │ log grain│
//!   └───────────────────────────┴────────────────┴──────────┘
//!        └ == tasks: exhausted       └ == cap: only participants may claim
//! ```
//!
//! A *participation* is one thread's work on one batch: claim, run, claim again, and at the end one completion for all
//! that it ran. A worker joins as a helper, which the word counts and the cap limits. The thread that waits for a batch
//! takes part through its [`Handle`], uncounted: the cap leaves room for it.
//!
//! # States of a task
//!
//! | unclaimed | → | claimed | → | started | → | finished |
//! |---|---|---|---|---|---|---|
//! | in `index..tasks` | claim CAS | in one participation's range | `run` | | one subtraction from the [latch](crate::latch) | results visible |
//!
//! # States of the panic slot
//!
//! null → payload → `TAKEN`, or null → `TAKEN`. Whoever takes the payload owns it. The handle sets `TAKEN` before it
//! releases its hold, so that no payload, whose drop is foreign code, is left to be dropped by a pinned thread (R4).
//!
//! # Invariants
//!
//! - `B1`  *Exactly once.* The claimed ranges partition `0..tasks`.
//! - `B2`  *No drift.* An exhausted or refusing word is only read, so it never overflows.
//! - `B3`  *Claim, then look.* The work is read only by who holds a claim or has not published the batch yet.
//! - `B4`  *Cap.* At most `helpers` workers ever join.
//! - `B5`  *One payload.* The first panic's payload is given out once or dropped once; any other is dropped at once.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | claim word, load and CAS | Relaxed | it hands out numbers; the work was published with the link `[Q-link]` and its end is the latch's `[L-done]` |
//! | panic slot, store of a payload | Release | `[B-panic]` the payload before its pointer, for a handle that goes before the end |
//! | panic slot, swap | Acquire | `[B-panic]` other side |
//!
//! # Progress
//!
//! Lock-free: a claim fails only if another claim succeeded.
//!
//! # Alternatives turned down
//!
//! - *`fetch_add` on the index*: drifts on exhausted batches, and cannot take a share of what remains.
//! - *One claim per task*: 22 to 73 ns of contention each (zero-pool 0.4, and 27 times the time on a million tasks).
//! - *A hold per claim*: the latch counts unclaimed tasks from the start, so a claim writes one word and not two.
//!
//! Checked by: `b1_*` to `b5_*` in `loom_tests`, `proptests/tests/queue.rs`.

use core::fmt;
use core::ops::Range;
use core::ptr::{self, NonNull};

use crate::grain::{self, Grain};
use crate::latch::{Hold, Latch, Lot};
use crate::queue::Node;
use crate::reclaim::{Canary, Domain, Guard, Retire};
use crate::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::unwind::{self, Payload};

/// Runs the tasks of a range on the context; returns the first panic's payload.
pub type Run = unsafe fn(context: *const (), range: Range<usize>) -> Option<Payload>;

/// What is known of each task: the function that runs it, and the memory that it runs on.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Runs a range of tasks.
    pub run: Run,
    /// Handed to `run`.
    pub context: *const (),
}

const HELPER_SHIFT: u32 = Grain::BITS;
const HELPER_BITS: u32 = 20;
const INDEX_SHIFT: u32 = HELPER_SHIFT + HELPER_BITS;
const HELPER: u64 = 1 << HELPER_SHIFT;
const MAX_HELPERS: u32 = (1 << HELPER_BITS) - 1;

/// How the tasks of a batch are to be shared: fixed before it is linked.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of tasks.
    pub tasks: u64,
    /// Among how many threads they are shared, the caller included.
    pub threads: u32,
    /// How many workers may join.
    pub helpers: u32,
    /// The grain to begin with.
    pub grain: Grain,
}

/// The claim word, unpacked.
#[derive(Clone, Copy, Debug)]
struct ClaimWord(u64);

impl ClaimWord {
    fn index(self) -> u64 {
        self.0 >> INDEX_SHIFT
    }

    fn helpers(self) -> u32 {
        (self.0 >> HELPER_SHIFT) as u32 & MAX_HELPERS
    }

    fn grain(self) -> Grain {
        Grain::from_bits(self.0)
    }

    /// Tells whether a worker that has not joined may claim.
    fn admits(self, plan: &Plan) -> bool {
        self.index() < plan.tasks && self.helpers() < plan.helpers
    }

    /// Returns the word after the next chunk was taken with `grain`, and the chunk.
    fn take(self, plan: &Plan, grain: Grain) -> (Self, Range<u64>) {
        let start = self.index();
        let end = start + grain::chunk(plan.tasks - start, plan.threads, grain);
        let helpers = self.0 & (u64::from(MAX_HELPERS) << HELPER_SHIFT);
        (Self(end << INDEX_SHIFT | helpers | grain.to_bits()), start..end)
    }
}

/// A run of tasks in a node of the queue.
pub struct Batch {
    next: AtomicPtr<Batch>,
    claim: AtomicU64,
    latch: Latch,
    plan: Plan,
    work: Work,
    /// Null, [`TAKEN`], or a payload.
    panic: AtomicPtr<Payload>,
    canary: Canary,
}

/// Stands in the panic slot when a payload was given out, or nobody is left to want one. It is never dereferenced.
const TAKEN: *mut Payload = ptr::dangling_mut();

// SAFETY: `Batch::new` demands work that any thread may run; the rest is atomics and numbers.
unsafe impl Send for Batch {}
// SAFETY: as above.
unsafe impl Sync for Batch {}

impl Batch {
    /// The largest number of tasks in one batch.
    pub const MAX_TASKS: u64 = (1 << (64 - INDEX_SHIFT)) - 1;

    /// Makes a batch that is in no queue yet.
    ///
    /// # Safety
    ///
    /// - Until all tasks are finished, `work.run` may be called with `work.context` on any thread, for ranges that
    ///   partition `0..plan.tasks`, several at a time. After that nothing of it is used.
    pub unsafe fn new(work: Work, plan: Plan) -> Box<Self> {
        debug_assert!(plan.tasks > 0 && plan.tasks <= Self::MAX_TASKS, "B1: 1 to MAX_TASKS tasks");
        Self::with_latch(Latch::new(plan.tasks), work, plan)
    }

    /// Makes the exhausted node that a queue begins with.
    pub fn sentinel() -> Box<Self> {
        unsafe fn nothing(_: *const (), _: Range<usize>) -> Option<Payload> {
            None
        }
        let plan = Plan { tasks: 0, threads: 1, helpers: 0, grain: Grain::SINGLE };
        Self::with_latch(Latch::of_sentinel(), Work { run: nothing, context: ptr::null() }, plan)
    }

    fn with_latch(latch: Latch, work: Work, plan: Plan) -> Box<Self> {
        Box::new(Self {
            next: AtomicPtr::new(ptr::null_mut()),
            claim: AtomicU64::new(plan.grain.to_bits()),
            latch,
            plan: Plan { helpers: plan.helpers.min(MAX_HELPERS), ..plan },
            work,
            panic: AtomicPtr::new(ptr::null_mut()),
            canary: Canary::new(),
        })
    }

    /// Returns the latch that opens when all tasks are finished.
    pub fn latch(&self) -> &Latch {
        &self.latch
    }

    /// Tells whether a worker that has not joined could claim. A true answer may be old, a false one is final.
    pub fn is_claimable(&self) -> bool {
        // ORDERING: Relaxed; a word that refuses does so for ever, and an old one costs a failed claim.
        ClaimWord(self.claim.load(Ordering::Relaxed)).admits(&self.plan)
    }

    /// Claims the first range of a participation of a worker, who got here through the queue.
    pub fn join(&self) -> Option<Claim> {
        let range = self.claim_range(|word| word.admits(&self.plan).then_some(HELPER), None)?;
        Some(Claim::of(self, range))
    }

    /// Claims a range for who takes part already, and changes the grain if a new one is known.
    fn claim_more(&self, grain: Option<Grain>) -> Option<Range<u64>> {
        self.claim_range(|word| (word.index() < self.plan.tasks).then_some(0), grain)
    }

    /// Claims a range if `admit` allows it, which returns what to add to the word.
    fn claim_range(&self, admit: impl Fn(ClaimWord) -> Option<u64>, grain: Option<Grain>) -> Option<Range<u64>> {
        // ORDERING: Relaxed; the word hands out numbers (see the table above).
        let mut word = ClaimWord(self.claim.load(Ordering::Relaxed));
        loop {
            // B2: a word that refuses is not written.
            let joined = admit(word)?;
            let (taken, range) = word.take(&self.plan, grain.unwrap_or(word.grain()));
            // ORDERING: Relaxed; as above, on failure too: the value read is only compared and computed with.
            match self.claim.compare_exchange_weak(word.0, taken.0 + joined, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(range),
                Err(now) => word = ClaimWord(now),
            }
        }
    }

    /// Keeps a panic's payload for who waits, if it is the first and somebody may still want it (B5).
    #[cold]
    fn keep_panic(&self, payload: Payload) {
        let payload = Box::into_raw(Box::new(payload));
        // ORDERING: Release; pairs with the swap in `take_panic` [B-panic]. A failure reads nothing through the value.
        let kept = self.panic.compare_exchange(ptr::null_mut(), payload, Ordering::Release, Ordering::Relaxed);
        if kept.is_err() {
            // SAFETY: made above and stored nowhere.
            let payload = unsafe { Box::from_raw(payload) };
            unwind::discard(*payload);
        }
    }

    /// Takes the payload out and leaves `TAKEN`. The flag tells whether it had been taken before.
    fn take_panic(&self) -> (Option<Payload>, bool) {
        // ORDERING: Acquire; pairs with the CAS in `keep_panic` [B-panic].
        let slot = self.panic.swap(TAKEN, Ordering::Acquire);
        if slot.is_null() || slot == TAKEN {
            return (None, slot == TAKEN);
        }
        // SAFETY: B5: the swap took the pointer out, so it is ours alone; it came from `Box::into_raw`.
        let payload = unsafe { Box::from_raw(slot) };
        (Some(*payload), false)
    }

    /// Frees the node when the last reader is gone.
    ///
    /// # Safety
    ///
    /// - The caller took the last hold away (N2).
    unsafe fn retire(batch: NonNull<Self>, guard: &Guard) {
        // SAFETY: N2: no hold is left, the queue's among them, so that only older guards see the node; it owns
        // nothing but its memory, as the handle emptied the panic slot before it went.
        unsafe { guard.retire(batch) };
    }
}

impl Retire for Batch {
    fn canary(&self) -> &Canary {
        &self.canary
    }
}

// SAFETY: `next` is one field that only the queue writes; the index only grows, so that an exhausted batch stays so;
// `unlinked` frees through the guard.
unsafe impl Node for Batch {
    fn next(&self) -> &AtomicPtr<Self> {
        &self.next
    }

    fn is_exhausted(&self) -> bool {
        // ORDERING: Relaxed; the index only grows, so an old value errs on the safe side.
        ClaimWord(self.claim.load(Ordering::Relaxed)).index() >= self.plan.tasks
    }

    unsafe fn unlinked(node: NonNull<Self>, guard: Option<&Guard>) {
        // SAFETY: N1: the queue's hold keeps the node until the next line takes it away.
        let batch = unsafe { node.as_ref() };
        batch.canary.touch();
        if !batch.latch.release(Hold::Queue) {
            return;
        }
        match guard {
            // SAFETY: N2: the release was the last.
            Some(guard) => unsafe { Self::retire(node, guard) },
            // SAFETY: N2, and the queue is gone with all who reached nodes through it: nobody is left to see this one.
            None => drop(unsafe { Box::from_raw(node.as_ptr()) }),
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("plan", &self.plan).field("latch", &self.latch).finish_non_exhaustive()
    }
}

/// What became of a batch's tasks, for one waiter.
#[derive(Debug)]
pub enum Outcome {
    /// None panicked.
    Done,
    /// One panicked first, with this.
    Panicked(Payload),
    /// One panicked, and its payload was given out before.
    PanicTaken,
}

/// The hold of who made a batch, and the way to wait for it, to take part in it, and to learn its outcome.
#[must_use = "a handle is released"]
#[derive(Debug)]
pub struct Handle {
    batch: NonNull<Batch>,
}

// SAFETY: a handle is a shared reference to a batch, kept valid by its hold.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Takes the handle's hold.
    ///
    /// # Safety
    ///
    /// - `batch` is valid, and this is its only handle.
    pub unsafe fn new(batch: NonNull<Batch>) -> Self {
        Self { batch }
    }

    /// Returns the batch.
    pub fn batch(&self) -> &Batch {
        // SAFETY: N1: our hold keeps the node.
        let batch = unsafe { self.batch.as_ref() };
        batch.canary.touch();
        batch
    }

    /// Claims a range of the caller's own batch; takes part without being counted.
    pub fn claim(&self) -> Option<Claim> {
        let batch = self.batch();
        batch.claim_more(None).map(|range| Claim::of(batch, range))
    }

    /// Returns what became of the tasks, which are finished.
    pub fn outcome(&self) -> Outcome {
        debug_assert!(self.batch().latch.is_finished(), "L2: the outcome is known when all tasks are finished");
        // ORDERING: Relaxed; every store came before its completion, which the caller acquired [L-done]. Only a
        // slot that is not empty is written, or a later waiter would take `TAKEN` for a panic.
        if self.batch().panic.load(Ordering::Relaxed).is_null() {
            return Outcome::Done;
        }
        match self.batch().take_panic() {
            (Some(payload), _) => Outcome::Panicked(payload),
            (None, _) => Outcome::PanicTaken,
        }
    }

    /// Gives the handle up. A payload that nobody took is dropped, now or when it comes (B5).
    pub fn release(self, domain: &Domain) {
        let batch = self.batch();
        let (payload, _) = batch.take_panic();
        if let Some(payload) = payload {
            unwind::discard(payload);
        }
        if batch.latch.release(Hold::Handle) {
            // SAFETY: N2: the release was the last.
            unsafe { Batch::retire(self.batch, &domain.pin()) };
        }
    }
}

/// A participation: tasks that were claimed and are not completed. They keep the node (N1) and the work (B3).
#[must_use = "claimed tasks are run and completed, or their waiters hang"]
#[derive(Debug)]
pub struct Claim {
    batch: NonNull<Batch>,
    /// Claimed and not started.
    range: Range<u64>,
    /// All that was claimed, to be completed at once.
    tasks: u64,
}

// SAFETY: a claim is a shared reference to a batch, kept valid by its unfinished tasks.
unsafe impl Send for Claim {}

impl Claim {
    fn of(batch: &Batch, range: Range<u64>) -> Self {
        Self { batch: NonNull::from(batch), tasks: range.end - range.start, range }
    }

    fn batch(&self) -> &Batch {
        // SAFETY: N1: our unfinished tasks keep the node.
        let batch = unsafe { self.batch.as_ref() };
        batch.canary.touch();
        batch
    }

    /// Returns the tasks that were claimed last and not run yet.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Runs the tasks that were claimed last. A panic is kept for the waiter.
    pub fn run(&mut self) {
        let range = core::mem::replace(&mut self.range, 0..0);
        let Work { run, context } = self.batch().work;
        // SAFETY: B3: we claimed the range, once, and its tasks are unfinished; indexes came from a `usize`.
        let panic = unsafe { run(context, range.start as usize..range.end as usize) };
        if let Some(payload) = panic {
            self.batch().keep_panic(payload);
        }
    }

    /// Claims the next range, with a new grain if one was measured; false when the batch is exhausted.
    ///
    /// The last range has been run.
    pub fn advance(&mut self, grain: Option<Grain>) -> bool {
        debug_assert!(self.range.is_empty(), "B1: the range before was run");
        let Some(range) = self.batch().claim_more(grain) else { return false };
        self.tasks += range.end - range.start;
        self.range = range;
        true
    }

    /// Counts all that was claimed as finished, and wakes who waited for it.
    pub fn complete(self, domain: &Domain, lot: &Lot) {
        debug_assert!(self.range.is_empty(), "B1: what was claimed was run");
        let batch = self.batch();
        let key = batch.latch.key();
        // L1: from here on the node is somebody else's, unless we were the last.
        let completion = batch.latch.complete(self.tasks);
        if completion.last {
            // SAFETY: N2: the subtraction was the last.
            unsafe { Batch::retire(self.batch, &domain.pin()) };
        }
        if completion.wake {
            lot.wake(key, |sleeper| unwind::quietly(|| sleeper.wake()));
        }
    }
}
