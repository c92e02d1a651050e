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
//!        └ == tasks: exhausted       └ == cap: only participants may claim        either: spent, for the queue
//! ```
//!
//! A *participation* is one thread's work on one batch: claim, run, claim again, and at the end one completion for all
//! that it ran. Who joins is counted by the word as a helper, which the cap limits: every worker, and a thread that waits
//! for a batch which was submitted to run without it. A caller that does nothing but its batch takes part through its
//! [`Handle`] uncounted, as the cap leaves room for it. So a batch never has more threads than its plan says.
//!
//! # States of a task
//!
//! | unclaimed | → | claimed | → | started | → | finished |
//! |---|---|---|---|---|---|---|
//! | in `index..tasks` | claim CAS | in one participation's range | `run` | | one subtraction from the [latch](crate::latch) | results visible |
//!
//! # States of the panic slot
//!
//! null → payload → `TAKEN`, or null → `TAKEN`. Whoever takes the payload owns it. Unless the batch is finished and the
//! slot empty, the handle sets `TAKEN` before it releases its hold, so that no payload, whose drop is foreign code, is left to be dropped by a pinned thread (R4).
//!
//! # Invariants
//!
//! - `B1`  *Exactly once.* The claimed ranges partition `0..tasks`.
//! - `B2`  *No drift.* An exhausted or spent word is only read, so it never overflows.
//! - `B3`  *Claim, then look.* The work is read only by who holds a claim or has not published the batch yet.
//! - `B4`  *Cap.* At most `helpers` threads ever join.
//! - `B6`  *Last handle.* Of the clones of a handle one is the last, and it alone releases their common hold.
//! - `B5`  *One payload.* The first panic's payload is given out once or dropped once; any other is dropped at once.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | claim word, CAS | Release | `[B-claim]` the links before the claim, for who finds the batch taken and goes on behind it: else it might find the end too early (Q5) |
//! | claim word, load in `is_claimable` | Relaxed | a hint; who ends by what it finds looks with `join` |
//! | claim word, other loads, and CAS on failure | Acquire | `[B-claim]` other side. The word itself hands out numbers; the work was published with the link `[Q-link]`, and its end is the latch's `[L-done]` |
//! | handles, add | Relaxed | whoever clones has a handle, so the count is not zero |
//! | handles, subtract | AcqRel | `[B-part]` what other clones did to the node, before the last releases it |
//! | handles, load | Acquire | `[B-part]` other side, for a last one that need not subtract |
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
//! - *One claim per task*: 22 to 73 ns of contention each, as measured on zero-pool 0.4.
//! - *A hold per claim*: the latch counts unclaimed tasks from the start, so a claim writes one word and not two.
//!
//! Checked by: `b1_*` to `b5_*` in `loom_tests`, `proptests/tests/queue.rs`.

use core::fmt;
use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr::{self, NonNull};

mod afloat;
mod claim;
mod depot;
mod handle;
mod home;
mod pile;
#[cfg(test)]
mod tests;
mod word;

pub use afloat::Afloat;
pub use claim::Claim;
pub use handle::Handle;
#[cfg(any(feature = "internals", feature = "raw-tasks"))]
pub use handle::Outcome;
pub use home::Home;
pub use pile::Pile;
pub use word::Plan;

use crate::grain::Grain;
use crate::latch::{Hold, Latch};
use crate::queue::Node;
use crate::reclaim::{Canary, Guard};
use crate::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Arc, UnsafeCell};
use crate::unwind::{self, Payload};
pub use crate::work::{Run, Work};
use word::{ClaimWord, HELPER, INDEX_BITS, MAX_HELPERS};

/// Room in a node for what its tasks share, so that a submission needs no second allocation.
type Store = MaybeUninit<[usize; 4]>;

/// A run of tasks in a node of the queue.
///
/// It fills two lines, a pair that some processors fetch together: who visits and claims needs the first, who runs or waits the
/// second as well. No node shares a line with another, which others work on.
#[repr(C, align(128))]
pub struct Batch {
    next: AtomicPtr<Batch>,
    claim: AtomicU64,
    latch: Latch,
    plan: Plan,
    work: Work,
    /// What the context points to, if the maker of the batch wanted it here.
    store: UnsafeCell<Store>,
    /// Null, [`TAKEN`], or a payload.
    panic: AtomicPtr<Payload>,
    /// How many clones of the handle there are.
    handles: AtomicU32,
    /// The queue's number.
    place: UnsafeCell<u32>,
    /// The batch below in the [pile](pile) that keeps the handle, or in the chain of the [depot](depot) once it is gone.
    below: UnsafeCell<*mut Batch>,
    /// What the node keeps of its pool, and where it goes after its use, if it is to be used again.
    home: UnsafeCell<Option<Arc<Home>>>,
    canary: Canary,
}

#[cfg(all(not(any(loom, shuttle)), target_pointer_width = "64"))]
const _: () = assert!(size_of::<Batch>() == 128, "a node fills two lines");

/// Stands in the panic slot when a payload was given out, or nobody is left to want one. It is never dereferenced.
const TAKEN: *mut Payload = ptr::dangling_mut();

// SAFETY: `Batch::new` demands work that any thread may run; the rest is atomics and numbers.
unsafe impl Send for Batch {}
// SAFETY: as above.
unsafe impl Sync for Batch {}

impl Batch {
    /// The largest number of tasks in one batch.
    pub const MAX_TASKS: u64 = (1 << INDEX_BITS) - 1;

    /// Makes a batch that is in no queue yet.
    ///
    /// # Safety
    ///
    /// - There are 1 to [`MAX_TASKS`](Self::MAX_TASKS) tasks, and a `usize` can count them.
    /// - `work.run` does not unwind.
    /// - Until all tasks are finished, `work.run` may be called with `work.context` on any thread, for ranges that
    ///   partition `0..plan.tasks`, several at a time. After that nothing of it is used.
    pub unsafe fn new(work: Work, plan: Plan) -> Box<Self> {
        let mut node = Self::vacant(None);
        // SAFETY: passed on to the caller.
        unsafe { node.fill(work, plan) };
        node
    }

    /// Makes a batch of a node that nobody sees.
    ///
    /// # Safety
    ///
    /// - As for [`new`](Self::new).
    unsafe fn fill(&mut self, work: Work, plan: Plan) {
        debug_assert!(plan.tasks > 0 && plan.tasks <= Self::MAX_TASKS, "B1: 1 to MAX_TASKS tasks");
        self.next = AtomicPtr::new(ptr::null_mut());
        self.claim = AtomicU64::new(plan.grain.to_bits());
        self.latch = Latch::new(plan.tasks);
        self.plan = Plan { helpers: plan.helpers.min(MAX_HELPERS), ..plan };
        self.work = work;
        self.panic = AtomicPtr::new(ptr::null_mut());
        self.handles = AtomicU32::new(1);
        self.canary.revive();
    }

    /// Makes a batch of a node that nobody sees, which keeps the context. The batch never drops it.
    ///
    /// # Safety
    ///
    /// - As for [`new`](Self::new), of a context that points to a `T`.
    unsafe fn fill_storing<T>(&mut self, context: T, run: Run, plan: Plan) {
        assert!(Self::has_room_for::<T>(), "B3: the store is too small");
        // SAFETY: passed on to the caller; null stands for the store, which is filled before anybody sees the batch.
        unsafe { self.fill(Work { run, context: ptr::null() }, plan) };
        self.store.with_mut(|store| {
            // SAFETY: it fits, and nobody else has the batch.
            unsafe { store.cast::<T>().write(context) };
        });
    }

    /// Tells whether a node can store a `T`.
    pub const fn has_room_for<T>() -> bool {
        size_of::<T>() <= size_of::<Store>() && align_of::<T>() <= align_of::<Store>()
    }

    /// Returns the function that runs the tasks.
    pub fn function(&self) -> Run {
        self.work.run
    }

    /// Returns how many tasks there are.
    pub fn tasks(&self) -> u64 {
        self.plan.tasks
    }

    /// Returns what the tasks run on.
    fn context(&self) -> *const () {
        if self.work.context.is_null() { self.store.with(<*const Store>::cast) } else { self.work.context }
    }

    /// Returns the home, unless the node was made without one.
    fn home(&self) -> Option<&Arc<Home>> {
        // SAFETY: only who takes the last hold away changes it.
        self.home.with(|home| unsafe { &*home }).as_ref()
    }

    /// Makes the spent node that a queue begins with.
    pub fn sentinel() -> Box<Self> {
        Self::vacant(None)
    }

    /// Makes a node without tasks, which the queue alone would hold.
    fn vacant(home: Option<Arc<Home>>) -> Box<Self> {
        unsafe fn nothing(_: *const (), _: Range<usize>) -> Option<Payload> {
            None
        }
        Box::new(Self {
            next: AtomicPtr::new(ptr::null_mut()),
            claim: AtomicU64::new(0),
            latch: Latch::of_sentinel(),
            plan: Plan { tasks: 0, threads: 1, helpers: 0, grain: Grain::SINGLE },
            work: Work { run: nothing, context: ptr::null() },
            store: UnsafeCell::new(MaybeUninit::uninit()),
            panic: AtomicPtr::new(ptr::null_mut()),
            handles: AtomicU32::new(1),
            place: UnsafeCell::new(0),
            below: UnsafeCell::new(ptr::null_mut()),
            home: UnsafeCell::new(home),
            canary: Canary::new(),
        })
    }

    /// Returns the latch that opens when all tasks are finished.
    pub fn latch(&self) -> &Latch {
        &self.latch
    }

    /// Tells whether a thread that has not joined could claim. A true answer may be old, a false one is final.
    pub fn is_claimable(&self) -> bool {
        // ORDERING: Relaxed; a word that refuses does so for ever, and an old one costs a failed claim. Who ends by what it
        // finds looks with `join`.
        ClaimWord(self.claim.load(Ordering::Relaxed)).admits(&self.plan)
    }

    /// Returns how many tasks nobody has claimed. The answer may be old.
    fn unclaimed(&self) -> u64 {
        // ORDERING: Relaxed; a hint.
        self.plan.tasks - ClaimWord(self.claim.load(Ordering::Relaxed)).index()
    }

    /// Claims the first range of the participation of one more thread, if the cap allows it (B4).
    pub fn join(&self) -> Option<Claim> {
        let range = self.claim_range(|word| word.admits(&self.plan).then_some(HELPER), None)?;
        Some(Claim::of(self, range))
    }

    /// Claims a range for who takes part already, and changes the grain if a new one is known.
    fn claim_more(&self, grain: Option<Grain>) -> Option<Range<u64>> {
        self.claim_range(|word| (word.index() < self.plan.tasks).then_some(0), grain)
    }

    /// Claims a range if `admit` allows it, which returns what to add to the word.
    fn claim_range(
        &self,
        admit: impl Fn(ClaimWord) -> Option<u64>,
        grain: Option<Grain>,
    ) -> Option<Range<u64>> {
        // ORDERING: Acquire; pairs with the CAS below [B-claim], if we are refused, or claim what follows.
        let mut word = ClaimWord(self.claim.load(Ordering::Acquire));
        loop {
            // B2: a word that refuses is not written.
            let joined = admit(word)?;
            let (taken, range) = word.take(&self.plan, grain.unwrap_or(word.grain()));
            // ORDERING: Release; pairs with the Acquire loads of the word [B-claim]. Acquire on failure, as above.
            match self.claim.compare_exchange_weak(
                word.0,
                taken.0 + joined,
                Ordering::Release,
                Ordering::Acquire,
            ) {
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
        let kept =
            self.panic.compare_exchange(ptr::null_mut(), payload, Ordering::Release, Ordering::Relaxed);
        if kept.is_err() {
            // SAFETY: made above and stored nowhere.
            let payload = unsafe { Box::from_raw(payload) };
            unwind::discard(*payload);
        }
    }

    /// Tells whether no payload is here, and none will come.
    fn has_no_panic(&self) -> bool {
        // ORDERING: Relaxed; L2: every store came before its completion, which we acquired [L-done].
        self.latch.is_finished() && self.panic.load(Ordering::Relaxed).is_null()
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
}

// SAFETY: `next` is one field that only the queue writes; index and helpers only grow, so that a spent batch stays so;
// `unlinked` frees through the guard.
unsafe impl Node for Batch {
    fn next(&self) -> &AtomicPtr<Self> {
        &self.next
    }

    fn place(&self) -> &UnsafeCell<u32> {
        &self.place
    }

    fn is_spent(&self) -> bool {
        // ORDERING: Acquire; pairs with the CAS in `claim_range` [B-claim], for who then unlinks the batch, and so hides it from
        // searches that would acquire. Index and helpers only grow, so that an old value errs on the safe side.
        !ClaimWord(self.claim.load(Ordering::Acquire)).admits(&self.plan)
    }

    fn is_finished(&self) -> bool {
        self.latch.is_finished()
    }

    unsafe fn unlinked(node: NonNull<Self>, guard: Option<&Guard>) -> bool {
        // SAFETY: N1: the queue's hold keeps the node until the next line takes it away.
        let batch = unsafe { node.as_ref() };
        batch.canary.touch();
        let released = batch.latch.release(Hold::Queue);
        if !released.last {
            return released.finished;
        }
        match guard {
            // N2: the release was the last.
            Some(guard) => depot::give_up(node, || guard),
            // SAFETY: N2, and the queue is gone with all who reached nodes through it: nobody is left to see this one.
            None => drop(unsafe { Box::from_raw(node.as_ptr()) }),
        }
        true
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("plan", &self.plan).field("latch", &self.latch).finish_non_exhaustive()
    }
}
