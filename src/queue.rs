//! One lock-free, unbounded FIFO of nodes, consumed in place.
//!
//! Michael and Scott's linked list (*Simple, fast, and practical non-blocking and blocking concurrent queue
//! algorithms*, PODC 1996), with one change: a consumer does not pop the head. It *visits* the nodes from the head
//! on and takes from a node what the node has to give. A node that is *spent*, which gives nothing to any further visitor,
//! is unlinked. A node may thus feed many consumers, and enqueueing a batch of a million tasks is one link.
//!
//! ```text
//!            head                              tail (may lag behind the last node)
//!             │                                 │
//!             ▼                                 ▼
//!   ┄┄ ▶ [ spent ] ─next─▶ [half taken] ─▶ [fresh] ─▶ [fresh] ─▶ null
//!         unlink in runs       ▲ visits take here              ▲ push links here
//!         that have a next
//! ```
//!
//! The list is never empty: the last node stays when it is spent and serves as the dummy of the original
//! algorithm. The first dummy is given to [`Queue::new`].
//!
//! # Steps
//!
//! | step | before | after | who |
//! |---|---|---|---|
//! | link | `last.next == null` | `last.next == node` | [`Queue::push`], linearization point |
//! | help | `tail == t`, `t.next == n` | `tail == n` | anybody: push before it links, unlink before it moves `head` |
//! | unlink | `head == h`, a run of spent nodes from `h` to before `n`, `tail` behind them, the unfinished of them counted | `head == n` | [`Queue::scan`], [`Queue::drain`]; the winner alone releases them |
//!
//! Nodes are unlinked in runs of so many, as [`Queue::new`] is told. `head` and `tail` are the two lines that all threads meet
//! at, and each unlinking writes the one and reads the other. Fewer than a run stay linked although they are spent; a scan
//! passes them again, at two loads each.
//!
//! A scan that found something asks for the next node's lines ahead of time: whoever takes it has to wait for them otherwise,
//! as its producer wrote them last.
//!
//! Who unlinks unfinished nodes counts them *before* (`[Q-tally]`), so that whoever sees them gone from the list finds them in the
//! [`Tally`], for as long as they are unfinished.
//!
//! # Invariants
//!
//! - `Q1`  *FIFO.* `next` of a node is written once, from null. The nodes form one list in the order of their links,
//!   and a scan visits a node only after every older one refused it.
//! - `Q2`  *Nothing hides.* A node is visible to every scan as soon as it is linked, wherever other producers stand.
//! - `Q3`  *Tail first.* `tail` has moved past a node before `head` does, hence before the node can be retired: no
//!   thread that pins later can reach a retired node through `tail`.
//! - `Q4`  *Unlinked once.* Each node leaves by one successful CAS on `head`, which passes a run of spent ones with a successor each.
//! - `Q5`  *Empty is true.* A scan that found nothing read a null `next` in a node that was the last one.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | link CAS, success | Release | `[Q-link]` the node is initialised before it can be reached |
//! | load of `next`, `head`, `tail`; link CAS, failure | Acquire | `[Q-link]` other side: what we reach is initialised |
//! | help CAS, success | Release | `[Q-link]` passed on to who reads `tail` |
//! | load of `tail` before an unlinking | Relaxed | `[Q-tail]` it cannot be older than the last link of the run, which we acquired |
//! | load of `next` in a run | Relaxed | read before, with Acquire, and written once |
//! | load of `next` in `drain` | Relaxed | all links happened before, as its caller owes |
//! | unlink CAS, success | Release | `[Q-link]` passed on to who reads `head`; `[Q-tail]` whoever sees the new head sees a tail past the old one; `[Q-tally]` and the count of what is unfinished |
//! | help and unlink CAS, failure | Relaxed | nothing is read through the value |
//!
//! # Progress
//!
//! Lock-free. A push retries only if another push linked; a scan visits each linked node once and tries each
//! unlinking once. A producer stopped between link and help costs the next one a help.
//!
//! # Alternatives turned down
//!
//! - *Swap the tail, then link* (Vyukov, zero-pool 0.4 and 0.9). Its swap never fails, but a producer stopped between
//!   the two hides every later node: neither lock-free nor linearizable (Q2).
//! - *Unlinking each by itself*, and by who publishes: 1000 submissions beside a worker took twice as long.
//! - *Ring buffers* (LCRQ, SCQ): bounded segments and one slot per element. Here one element is a whole batch, so
//!   the list's pointer chase is paid once per batch.
//!
//! Checked by: `q1_*` to `q5_*` in `loom_tests`, the histories in `proptests`.

use core::fmt;
use core::ptr::{self, NonNull};

use crossbeam_utils::CachePadded;

use crate::reclaim::{Guard, Retire};
use crate::sync::atomic::{AtomicPtr, Ordering};
use crate::sync::{UnsafeCell, prefetch};

/// What the queue links.
///
/// # Safety
///
/// - `next` always returns the same pointer, initially null, which nobody but the queue writes, and `place` the same cell,
///   which nobody else looks at.
/// - Once `is_spent` returned true it does so forever.
/// - `unlinked` frees the node, if at all, through the guard's [`retire`](Guard::retire) where it gets a guard.
pub unsafe trait Node: Retire {
    /// Returns the link to the next node.
    fn next(&self) -> &AtomicPtr<Self>;

    /// Returns where the queue keeps the node's number: nodes are numbered in the order of their links.
    fn place(&self) -> &UnsafeCell<u32>;

    /// Tells whether the node gives nothing to visitors any more, for good.
    fn is_spent(&self) -> bool;

    /// Tells whether what the node stands for has ended, for good.
    fn is_finished(&self) -> bool;

    /// Takes the queue's hold of the node away; tells whether the node was finished by then. Without a guard, the whole queue is gone
    /// and no thread is left that reached the node through it.
    ///
    /// # Safety
    ///
    /// - `node` was unlinked by the caller, who calls this once and does not touch the node afterwards.
    unsafe fn unlinked(node: NonNull<Self>, guard: Option<&Guard>) -> bool;
}

/// Counts nodes that leave the queue unfinished.
pub trait Tally: Default {
    /// Counts nodes that are about to leave.
    fn begin(&self, nodes: u64);

    /// Counts out those that are finished, or did not leave.
    fn end(&self, nodes: u64);
}

/// For nodes that are finished as soon as they are spent.
impl Tally for () {
    fn begin(&self, _: u64) {}

    fn end(&self, _: u64) {}
}

/// A FIFO of nodes of type `N`.
pub struct Queue<N: Node, T: Tally = ()> {
    head: CachePadded<AtomicPtr<N>>,
    tail: CachePadded<AtomicPtr<N>>,
    /// How many nodes are unlinked at once.
    run: u32,
    tally: T,
}

// SAFETY: the queue hands out shared references to nodes on every thread and frees them on any, which `N: Send +
// Sync` allows; its own words are atomics.
unsafe impl<N: Node + Send + Sync, T: Tally + Send> Send for Queue<N, T> {}
// SAFETY: as above.
unsafe impl<N: Node + Send + Sync, T: Tally + Sync> Sync for Queue<N, T> {}

impl<N: Node, T: Tally> Queue<N, T> {
    /// Makes a queue whose first dummy is `sentinel`, a spent node, and which unlinks `run` nodes at once.
    pub fn new(sentinel: Box<N>, run: u32) -> Self {
        debug_assert!(sentinel.is_spent(), "Q5: the sentinel must have nothing to give");
        debug_assert!(run > 0, "Q4: a run has a node");
        let sentinel = Box::into_raw(sentinel);
        Self {
            head: CachePadded::new(AtomicPtr::new(sentinel)),
            tail: CachePadded::new(AtomicPtr::new(sentinel)),
            run,
            tally: T::default(),
        }
    }

    /// Returns what counts the nodes that left unfinished.
    pub fn tally(&self) -> &T {
        &self.tally
    }

    /// Links `node` behind all others.
    ///
    /// # Safety
    ///
    /// - `node` came from a `Box`, was never linked, and lives until [`Node::unlinked`] was called for it.
    ///
    /// # Memory ordering
    ///
    /// Everything before the call happens before every visit of the node.
    pub unsafe fn push(&self, node: NonNull<N>, guard: &Guard) {
        // SAFETY: owed by the caller.
        let own_place = unsafe { node.as_ref() }.place();
        let node = node.as_ptr();
        loop {
            // ORDERING: Acquire; pairs with the help CAS [Q-link].
            let tail = self.tail.load(Ordering::Acquire);
            // SAFETY: reached through `tail` under `guard` (Q3).
            let last = unsafe { Self::reached(tail, guard) };
            let place = Self::place(last).wrapping_add(1);
            // SAFETY: not linked yet, so that the node is ours alone.
            own_place.with_mut(|own| unsafe { *own = place });
            // ORDERING: Release on success; pairs with the Acquire loads of `next` [Q-link]. Q1: only null is ever
            // replaced. Acquire on failure; pairs with the link CAS [Q-link], as we hand the successor on to `tail`.
            match last.next().compare_exchange(ptr::null_mut(), node, Ordering::Release, Ordering::Acquire) {
                // Q2: from here on every scan finds the node, whether or not we live to move `tail`.
                Ok(_) => return self.help(tail, node),
                Err(next) => self.help(tail, next),
            }
        }
    }

    /// Visits the nodes from the oldest to the newest until `visit` returns something, and unlinks the runs of spent
    /// ones it meets at the head.
    pub fn scan<R>(&self, guard: &Guard, mut visit: impl FnMut(&N) -> Option<R>) -> Option<R> {
        // ORDERING: Acquire; pairs with the unlink CAS [Q-link], [Q-tail].
        let mut head = self.head.load(Ordering::Acquire);
        let mut at = head;
        // How many spent nodes were passed since `head`, as long as we met no other and nobody else moved it.
        let mut run = Some(0);
        loop {
            // SAFETY: reached through `head` or the `next` of a node so reached, under `guard`: a node is retired
            // after all older ones were unlinked, and we met one of those after we pinned.
            let node = unsafe { Self::reached(at, guard) };
            if let Some(found) = visit(node) {
                prefetch(node.next());
                return Some(found);
            }
            // ORDERING: Acquire; pairs with the link CAS [Q-link].
            let next = node.next().load(Ordering::Acquire);
            if next.is_null() {
                // Q5: it refused us, and it was the last one when we read its link.
                return None;
            }
            run = run.filter(|_| node.is_spent()).map(|run| run + 1);
            if run == Some(self.run) {
                run = self.unlink(head, at, next, guard).then_some(0);
                head = next;
            }
            at = next;
        }
    }

    /// Unlinks all nodes but the newest, spent or not. All links happened before.
    pub fn drain(&self, guard: &Guard) {
        loop {
            // ORDERING: Acquire; pairs with the unlink CAS [Q-link], [Q-tail].
            let head = self.head.load(Ordering::Acquire);
            // SAFETY: reached through `head` under `guard`, as in `scan`.
            // ORDERING: Relaxed; the link happened before.
            let next = unsafe { Self::reached(head, guard) }.next().load(Ordering::Relaxed);
            if next.is_null() {
                return;
            }
            self.unlink(head, head, next, guard);
        }
    }

    /// Returns how many nodes are unlinked at once.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// Returns the number of the newest node, as far as the caller can see.
    pub fn newest(&self, guard: &Guard) -> u32 {
        // ORDERING: Acquire; pairs with the help CAS [Q-link].
        let tail = self.tail.load(Ordering::Acquire);
        // SAFETY: reached through `tail` under `guard` (Q3).
        Self::place(unsafe { Self::reached(tail, guard) })
    }

    /// Returns the number of the oldest node that is not spent, if there is one, and unlinks like a [`scan`](Self::scan).
    pub fn oldest(&self, guard: &Guard) -> Option<u32> {
        self.scan(guard, |node| (!node.is_spent()).then(|| Self::place(node)))
    }

    /// Returns how many nodes are linked behind the head, as far as the caller can see.
    pub fn len(&self, guard: &Guard) -> u32 {
        // ORDERING: Acquire; pairs with the unlink CAS [Q-link].
        let head = self.head.load(Ordering::Acquire);
        // SAFETY: reached through `head` under `guard`, as in `scan`.
        let head = unsafe { Self::reached(head, guard) };
        // The newest was read later and lies behind `head` (Q3).
        self.newest(guard).wrapping_sub(Self::place(head))
    }

    fn place(node: &N) -> u32 {
        // SAFETY: written before the node was linked, which whoever reached it acquired, and not since.
        node.place().with(|place| unsafe { *place })
    }

    /// Moves `tail` from `from` on to its successor `to`, unless somebody did.
    fn help(&self, from: *mut N, to: *mut N) {
        // ORDERING: Release; pairs with the Acquire load of `tail` in `push` [Q-link]: `to` was reached by an Acquire
        // load or is our own. On failure `tail` is past `from`, and nothing is read through it.
        let _ = self.tail.compare_exchange(from, to, Ordering::Release, Ordering::Relaxed);
    }

    /// Moves `head` on from `first` to `end`, past a run of spent nodes up to `last`; tells whether this call did it.
    fn unlink(&self, first: *mut N, last: *mut N, end: *mut N, guard: &Guard) -> bool {
        // Q3. ORDERING: Relaxed; [Q-tail] who linked `end` had seen `tail` at `last`, and we have acquired its link, so that we
        // cannot read an older value.
        if self.tail.load(Ordering::Relaxed) == last {
            self.help(last, end);
        }
        let mut unfinished = 0;
        Self::each(first, end, guard, |node| unfinished += u64::from(!node.is_finished()));
        // [Q-tally]: counted before anybody can see that they are gone.
        if unfinished > 0 {
            self.tally.begin(unfinished);
        }
        // ORDERING: Release; pairs with the Acquire load of `head` [Q-link], [Q-tail], [Q-tally]. A failure means that another
        // thread unlinked `first`, and nothing is read through the value.
        let unlink = self.head.compare_exchange(first, end, Ordering::Release, Ordering::Relaxed);
        if unlink.is_ok() {
            Self::each(first, end, guard, |node| {
                // SAFETY: Q4: the CAS on `head` succeeds once per run, and we leave the node alone from here on.
                let finished = unsafe { N::unlinked(NonNull::from(node), Some(guard)) };
                // Its end counts it out.
                unfinished -= u64::from(!finished);
            });
        }
        if unfinished > 0 {
            self.tally.end(unfinished);
        }
        unlink.is_ok()
    }

    /// Calls `body` for the nodes from `first` to before `end`, which a scan has passed under `guard`.
    fn each(first: *mut N, end: *mut N, guard: &Guard, mut body: impl FnMut(&N)) {
        let mut at = first;
        while at != end {
            // SAFETY: reached by the scan of our caller, under `guard`.
            let node = unsafe { Self::reached(at, guard) };
            // ORDERING: Relaxed; the scan has acquired the link, which is written once.
            at = node.next().load(Ordering::Relaxed);
            body(node);
        }
    }

    /// Turns a pointer that was reached through the queue into a reference.
    ///
    /// # Safety
    ///
    /// - `node` was read from the queue by this thread while `guard` was alive.
    unsafe fn reached(node: *mut N, _guard: &Guard) -> &N {
        // SAFETY: Q3 and Q4: a node is retired only once `tail` and then `head` have passed it, so it was retired,
        // if at all, after we pinned, and R1 keeps it until we unpin.
        let node = unsafe { &*node };
        node.canary().touch();
        node
    }
}

impl<N: Node, T: Tally> Drop for Queue<N, T> {
    fn drop(&mut self) {
        // ORDERING: Relaxed; whatever made `&mut self` possible synchronises.
        let mut at = self.head.load(Ordering::Relaxed);
        while let Some(node) = NonNull::new(at) {
            // SAFETY: linked nodes are held by the queue, which is ours alone.
            let link = unsafe { node.as_ref() }.next();
            // ORDERING: Relaxed; as above.
            at = link.load(Ordering::Relaxed);
            // SAFETY: nobody can reach the list any more, and we have read the link.
            unsafe { N::unlinked(node, None) };
        }
    }
}

impl<N: Node, T: Tally> fmt::Debug for Queue<N, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}
