//! Where nodes wait for their next use.
//!
//! Allocating a node and freeing it costs 10 to 15 ns, and retiring each by itself about as much. So nodes are recycled, and
//! they travel in *magazines* (Bonwick and Adams, *Magazines and vmem*, USENIX ATC 2001): chains of [`Depot::MAGAZINE`] nodes
//! that are retired, reclaimed and handed out together. A thread has a [`Pocket`] per pool, with a chain of fresh nodes and one
//! of retired ones, and touches what is shared only when one is empty or the other is full.
//!
//! ```text
//!   make ◀── fresh ◀──────────── take ┐            ┌ put ◀── reclaimed ◀── (no older guard is left)
//!            (pocket)                 │ [slots] ◀──┘                              ▲
//!            retired ──── a full magazine: retire ────────────────────────────────┘
//!              ▲
//!   last hold gone: lay aside
//! ```
//!
//! The slots are an array of pointers that are only ever exchanged as a whole: empty for a magazine, a magazine for empty. No
//! link of a shared node is ever read, so there is no ABA to think of, and nobody pins to take.
//!
//! What is retired is reclaimed little by little, as more is. So a worker that finds nothing to do reclaims what a burst has left
//! behind before it sleeps: an idle pool would keep it.
//!
//! # Invariants
//!
//! - `N3`  *Fresh means unseen.* A node is handed out again only after it was reclaimed: no guard is left that was older than
//!   its retirement, so that nobody sees it but its new owner.
//! - `N4`  *Bounded.* A pool keeps at most [`SLOTS`] magazines, and each thread one of fresh and one of retired nodes; what
//!   comes beyond is freed.
//! - `N5`  *Nothing stays.* When the pool goes, the nodes in its slots are freed, and those in a pocket when its thread
//!   lets the pool go, ends, or works for another pool that is new to it. Orphans are freed with the last share of the home.
//!
//! - `N6`  *Nothing piles up.* A worker sleeps only if at most [`AT_EASE`] magazines wait to be reclaimed, and one less than [`TOGETHER`] for
//!   each thread, or some thread is pinned, or retires as many meanwhile.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | waiting: all | Relaxed | a number that stands for itself |
//! | slot: put, CAS | Release | `[N-slot]` the chain's links, for who takes it |
//! | slot: take and close, swap | Acquire | `[N-slot]` other side |
//! | slot: load before either | Relaxed | a hint, which the exchange confirms |
//! | orphans: push, CAS | Release | `[N-orphan]` the link, and all that its thread did to the node |
//! | orphans: adopt, swap | Acquire | `[N-orphan]` other side: every push is a read-modify-write, so that the last one carries all |
//! | orphans: load | Relaxed | a hint, or only compared and stored; at the end, what made `&mut self` possible synchronises |
//!
//! # Progress
//!
//! Putting and taking look at each slot once; a failed exchange means that another one succeeded there. A thread that ends
//! leaves its retired nodes on a stack that is only taken as a whole, and so does one that may not pin any more.
//!
//! # Alternatives turned down
//!
//! - *A stack of free nodes*, popped under a guard: a read-modify-write per node on one contended word, and ABA kept away
//!   by what may fill it.
//! - *A free list per thread alone*: producers would allocate for ever what consumers free.
//!
//! Checked by: `n3_*`, `n5_*` in `loom_tests`, properties `n4_*` to `n6_*` in `proptests/tests/nodes.rs`, and `n6_*` in those of the contract.

use core::borrow::Borrow;
use core::cell::{Cell, RefCell};
use core::ptr::{self, NonNull};

use crossbeam_utils::CachePadded;

use super::{Batch, Home};
use crate::reclaim::{Canary, Guard, Retire};
use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use crate::sync::{Arc, each_thread};

/// How many magazines a pool keeps.
const SLOTS: usize = if cfg!(any(loom, shuttle)) { 2 } else { 32 };

/// So many magazines may wait to be reclaimed in a pool that sleeps: twice what the slots take.
const AT_EASE: usize = 64;

/// So many are passed on together while more than those wait, as each call takes a bag of 2 KiB along.
const TOGETHER: u32 = 8;

/// Models count nothing: it is more schedules, and tells only when memory is freed.
const COUNTS: bool = !cfg!(any(loom, shuttle));

/// Stands where a depot was closed. It is never dereferenced.
const CLOSED: *mut Batch = ptr::dangling_mut();

/// The nodes of one pool that nobody uses.
#[derive(Debug)]
pub(super) struct Depot {
    slots: [AtomicPtr<Batch>; SLOTS],
    /// Retired nodes of threads that have ended, for others to give to the reclaimer.
    orphans: AtomicPtr<Batch>,
    /// How many magazines were retired and not reclaimed. On a line of its own, as the others are read for each node.
    waiting: CachePadded<AtomicUsize>,
    magazine: usize,
}

impl Depot {
    /// How many nodes travel together in a pool.
    pub(super) const MAGAZINE: usize = if cfg!(any(loom, shuttle)) { 1 } else { 64 };

    /// Makes an empty depot for magazines of so many nodes.
    pub(super) fn new(magazine: usize) -> Self {
        let empty = || AtomicPtr::new(ptr::null_mut());
        Self {
            slots: core::array::from_fn(|_| empty()),
            orphans: empty(),
            waiting: CachePadded::new(AtomicUsize::new(0)),
            magazine,
        }
    }

    /// Tells how many magazines wait to be reclaimed, if that is more than may wait in a pool that sleeps.
    pub(super) fn waiting(&self) -> Option<usize> {
        // ORDERING: Relaxed; a number that stands for itself.
        COUNTS.then(|| self.waiting.load(Ordering::Relaxed)).filter(|&waiting| waiting > AT_EASE)
    }

    /// Counts a magazine that is about to be retired.
    fn await_one(&self) {
        if COUNTS {
            // ORDERING: Relaxed; as above.
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts one that was reclaimed.
    fn await_one_less(&self) {
        if COUNTS {
            // ORDERING: Relaxed; as above.
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Returns a node that nobody sees, recycled or new.
    pub(super) fn node(home: &Arc<Home>) -> Box<Batch> {
        let recycled = Pocket::with(home, |pocket| {
            let fresh = NonNull::new(pocket.fresh.get()).or_else(|| NonNull::new(home.depot().take()))?;
            pocket.fresh.set(below(fresh));
            Some(fresh)
        });
        match recycled.flatten() {
            // SAFETY: N3: reclaimed since its last use, and taken out by us alone; it came from a box.
            Some(node) => unsafe { Box::from_raw(node.as_ptr()) },
            None => Batch::vacant(Some(Arc::clone(home))),
        }
    }

    /// Tells whether the pool is gone.
    fn is_closed(&self) -> bool {
        // ORDERING: Relaxed; only a hint to forget the pocket, whose nodes go their way by what each slot says.
        self.slots[0].load(Ordering::Relaxed) == CLOSED
    }

    /// Takes a magazine out of a slot; null if there is none.
    fn take(&self) -> *mut Batch {
        for slot in &self.slots {
            // ORDERING: Relaxed; a hint that saves most exchanges.
            if is_chain(slot.load(Ordering::Relaxed)) {
                // ORDERING: Acquire; pairs with the CAS in `put` [N-slot].
                let chain = slot.swap(ptr::null_mut(), Ordering::Acquire);
                if is_chain(chain) {
                    return chain;
                }
            }
        }
        ptr::null_mut()
    }

    /// Puts a chain into an empty slot; false if there is none (N4).
    fn put(&self, chain: NonNull<Batch>) -> bool {
        self.slots.iter().any(|slot| {
            // ORDERING: Relaxed; a hint that saves most exchanges.
            slot.load(Ordering::Relaxed).is_null()
                // ORDERING: Release; pairs with the swap in `take` [N-slot]. A failure reads nothing through the value.
                && slot
                    .compare_exchange(ptr::null_mut(), chain.as_ptr(), Ordering::Release, Ordering::Relaxed)
                    .is_ok()
        })
    }

    /// Takes in a node whose last hold is gone, and which its thread cannot retire. It has no home any more, as it would keep the one
    /// it lies in (H1).
    fn orphan(&self, node: NonNull<Batch>) {
        // SAFETY: a node lives until it is retired.
        let home = unsafe { &node.as_ref().home };
        // SAFETY: its last hold is gone, so that nobody but us uses its home.
        let home = home.with_mut(|home| unsafe { (*home).take() });
        // ORDERING: Relaxed; only compared and stored.
        let mut top = self.orphans.load(Ordering::Relaxed);
        loop {
            link(node, top);
            // ORDERING: Release; pairs with the swap in `adopt` [N-orphan]. A failure only brings the value to try next.
            match self.orphans.compare_exchange_weak(top, node.as_ptr(), Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(now) => top = now,
            }
        }
        // Our caller has the home, too.
        drop(home);
    }

    /// Gives what threads that have ended had retired to the reclaimer.
    fn adopt(&self, guard: &Guard) {
        // ORDERING: Relaxed; a hint, and what is missed is adopted later.
        if self.orphans.load(Ordering::Relaxed).is_null() {
            return;
        }
        // ORDERING: Acquire; pairs with the CAS in `orphan` [N-orphan].
        let mut chain = self.orphans.swap(ptr::null_mut(), Ordering::Acquire);
        while let Some(node) = NonNull::new(chain) {
            chain = below(node);
            link(node, ptr::null_mut());
            // SAFETY: its last hold was taken away by the thread that has ended; we took it out alone.
            unsafe { guard.retire(node) };
        }
    }

    /// Frees the magazines, and lets none come any more. Nobody makes batches from now on.
    pub(super) fn close(&self) {
        for slot in &self.slots {
            // ORDERING: Acquire; pairs with the CAS in `put` [N-slot].
            let chain = slot.swap(CLOSED, Ordering::Acquire);
            // SAFETY: N3: in a slot they are unseen, and we took the chain out alone.
            unsafe { free(chain) };
        }
    }
}

impl Drop for Depot {
    fn drop(&mut self) {
        // ORDERING: Relaxed; whatever made `&mut self` possible synchronises.
        let orphans = self.orphans.load(Ordering::Relaxed);
        // SAFETY: N5: whoever could see them had a share of the home that we are in.
        unsafe { free(orphans) };
    }
}

/// Tells whether a pointer leads to nodes.
fn is_chain(chain: *mut Batch) -> bool {
    !chain.is_null() && chain != CLOSED
}

/// Returns the node that follows in a chain of the caller's own.
fn below(node: NonNull<Batch>) -> *mut Batch {
    // SAFETY: a node of a chain lives until the chain's owner gives it away.
    let link = unsafe { &node.as_ref().below };
    // SAFETY: its last hold is gone, so that nobody but the chain's owner uses this link.
    link.with(|link| unsafe { *link })
}

/// Puts `node` before `rest`.
fn link(node: NonNull<Batch>, rest: *mut Batch) {
    // SAFETY: as above.
    let link = unsafe { &node.as_ref().below };
    // SAFETY: as above.
    link.with_mut(|link| unsafe { *link = rest });
}

/// Frees the nodes of a chain, if it is one.
///
/// # Safety
///
/// - The caller owns the chain, and nobody else sees its nodes.
unsafe fn free(mut chain: *mut Batch) {
    if !is_chain(chain) {
        return;
    }
    while let Some(node) = NonNull::new(chain) {
        chain = below(node);
        // SAFETY: owed by the caller; every node came from a box.
        drop(unsafe { Box::from_raw(node.as_ptr()) });
    }
}

/// What one thread has of one pool's nodes: two chains.
#[derive(Debug)]
struct Pocket {
    home: Arc<Home>,
    /// To be made batches of.
    fresh: Cell<*mut Batch>,
    /// To be retired, as soon as they fill a magazine.
    retired: Cell<*mut Batch>,
    /// How many those are.
    laid: Cell<usize>,
    /// How many magazines were retired since some were passed on, while many waited.
    kept: Cell<u32>,
}

each_thread! {
    /// The pockets of this thread.
    static POCKETS: RefCell<Vec<Pocket>> = RefCell::new(Vec::new())
}

impl Pocket {
    /// Calls `body` with this thread's pocket for `home`; `None` if it has none, as the thread is ending, or the pool has ended.
    #[inline]
    fn with<R>(home: &Arc<Home>, mut body: impl FnMut(&Self) -> R) -> Option<R> {
        let known = POCKETS.try_with(|all| {
            let all = all.borrow();
            all.iter().find(|pocket| Arc::ptr_eq(&pocket.home, home)).map(&mut body)
        });
        match known.ok()? {
            Some(result) => Some(result),
            None if home.depot().is_closed() => None,
            None => Self::sew(home, body),
        }
    }

    /// Makes a pocket, and empties those of pools that are gone.
    #[cold]
    fn sew<R>(home: &Arc<Home>, mut body: impl FnMut(&Self) -> R) -> Option<R> {
        let empty = || Cell::new(ptr::null_mut());
        let home = Arc::clone(home);
        let new = Self { home, fresh: empty(), retired: empty(), laid: Cell::new(0), kept: Cell::new(0) };
        let swept = POCKETS.try_with(|all| {
            let mut all = all.borrow_mut();
            // N5. They are dropped outside of the borrow, as a home may end with them.
            let gone: Vec<_> = all.extract_if(.., |pocket| pocket.home.depot().is_closed()).collect();
            let result = body(&new);
            all.push(new);
            (result, gone)
        });
        swept.ok().map(|(result, _)| result)
    }

    /// Lays a node aside whose last hold is gone; returns a full magazine, to be retired.
    fn lay_aside(&self, node: NonNull<Batch>) -> Option<NonNull<Batch>> {
        link(node, self.retired.get());
        let laid = self.laid.get() + 1;
        let full = laid == self.home.depot().magazine;
        self.laid.set(if full { 0 } else { laid });
        self.retired.set(if full { ptr::null_mut() } else { node.as_ptr() });
        full.then_some(node)
    }

    /// Counts a magazine that was retired; tells whether it is time to pass some on.
    fn has_kept_enough(&self) -> bool {
        let kept = (self.kept.get() + 1) % TOGETHER;
        self.kept.set(kept);
        kept == 0
    }
}

impl Drop for Pocket {
    fn drop(&mut self) {
        let fresh = self.fresh.get();
        if let Some(chain) = NonNull::new(fresh)
            && !self.home.depot().put(chain)
        {
            // SAFETY: N3: reclaimed, and in no slot.
            unsafe { free(fresh) };
        }
        let mut retired = self.retired.get();
        while let Some(node) = NonNull::new(retired) {
            retired = below(node);
            self.home.depot().orphan(node);
        }
    }
}

/// Empties this thread's pocket for a home that is about to be closed.
pub(super) fn forget(home: &Home) {
    let ours = POCKETS.try_with(|all| {
        let mut all = all.borrow_mut();
        all.extract_if(.., |pocket| ptr::eq(Arc::as_ptr(&pocket.home), home)).collect::<Vec<_>>()
    });
    drop(ours);
}

/// Gives a node up whose last hold the caller took away. `guard` is asked for if it has no home.
pub(super) fn give_up<G: Borrow<Guard>>(node: NonNull<Batch>, guard: impl FnOnce() -> G) {
    link(node, ptr::null_mut());
    // SAFETY: the node lives until it is retired.
    let Some(home) = (unsafe { node.as_ref() }).home() else {
        // SAFETY: N2: no hold is left, the queue's among them, so that only older guards see the node.
        return unsafe { guard().borrow().retire(node) };
    };
    let full = Pocket::with(home, |pocket| pocket.lay_aside(node)).unwrap_or(Some(node));
    if let Some(magazine) = full {
        // The nodes have their home for us only until they are retired.
        retire(&Arc::clone(home), magazine);
    }
}

/// Retires the nodes of a chain whose last holds are gone.
#[cold]
fn retire(home: &Arc<Home>, chain: NonNull<Batch>) {
    // H1: after the pool's end they stay no longer than the home.
    if !home.depot().is_closed()
        && let Some(guard) = home.domain().try_pin()
    {
        home.depot().await_one();
        // SAFETY: N2, for each of the chain; they own nothing but their memory, as each handle left an empty panic
        // slot behind, and their home.
        unsafe { guard.retire(chain) };
        home.depot().adopt(&guard);
        if home.depot().waiting().is_none() || Pocket::with(home, Pocket::has_kept_enough).unwrap_or(true) {
            guard.flush();
        }
        return;
    }
    let mut rest = chain.as_ptr();
    while let Some(node) = NonNull::new(rest) {
        rest = below(node);
        home.depot().orphan(node);
    }
}

impl Retire for Batch {
    fn canary(&self) -> &Canary {
        &self.canary
    }

    unsafe fn reclaimed(node: NonNull<Self>) {
        // SAFETY: the caller owes that nobody else sees the node.
        let home = unsafe { node.as_ref() }.home().cloned();
        let put = |home: Arc<Home>| {
            home.depot().await_one_less();
            home.depot().put(node)
        };
        if !home.is_some_and(put) {
            // SAFETY: as above, for each of the chain.
            unsafe { free(node.as_ptr()) };
        }
    }
}
