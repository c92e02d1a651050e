//! What a history can be recorded of: the injector of the crate, and a queue that is known to be wrong.

use std::cell::Cell;
use std::fmt;
use std::ops;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zero_pool::batch::{Batch, Claim, Handle, Home, Plan, Work};
use zero_pool::grain::Grain;
use zero_pool::injector::Injector;
use zero_pool::unwind::Payload;

use super::{BatchId, Range};

/// A FIFO of batches.
pub trait Fifo: Sync {
    /// What who pushed a batch has of it.
    type Own;
    /// What was claimed last of a batch, by one who may go on there.
    type Claim;

    /// Appends a batch.
    fn push(&self, batch: BatchId, tasks: u32, grain: Grain) -> Self::Own;
    /// Claims from the oldest batch that is not exhausted.
    fn take(&self) -> Option<Self::Claim>;
    /// Claims from the own batch.
    fn own(&self, own: &Self::Own) -> Option<Self::Claim>;
    /// Claims more of the same batch; tells whether there was more.
    fn advance(&self, claim: &mut Self::Claim) -> bool;
    /// Runs what was claimed last, and returns what that was.
    fn run(&self, claim: &mut Self::Claim) -> Range;
    /// Counts as finished what was claimed.
    fn complete(&self, claim: Self::Claim);
    /// Gives the own batch up.
    fn release(&self, own: Self::Own);
}

thread_local! {
    /// The batch whose tasks this thread ran last.
    static RAN: Cell<BatchId> = const { Cell::new(0) };
}

impl Fifo for Injector {
    type Own = Handle;
    type Claim = Claim;

    fn push(&self, batch: BatchId, tasks: u32, grain: Grain) -> Handle {
        self.publish(node(batch, Plan { tasks: tasks.into(), threads: 2, helpers: u32::MAX, grain }))
    }

    fn take(&self) -> Option<Claim> {
        Self::take(self)
    }

    fn own(&self, own: &Handle) -> Option<Claim> {
        own.claim()
    }

    fn advance(&self, claim: &mut Claim) -> bool {
        claim.advance(None)
    }

    /// The tasks say which batch they belong to, as a claim does not know it.
    fn run(&self, claim: &mut Claim) -> Range {
        let ops::Range { start, end } = claim.range();
        claim.run();
        Range { batch: RAN.get(), start: start as u32, end: end as u32 }
    }

    fn complete(&self, claim: Claim) {
        Home::complete(self, claim);
    }

    fn release(&self, own: Handle) {
        Home::release(self, own);
    }
}

/// Makes a batch whose tasks say which it is. Its context is no address, but its number plus one, as null has a meaning.
fn node(batch: BatchId, plan: Plan) -> Box<Batch> {
    let work = Work { run, context: ptr::without_provenance(batch as usize + 1) };
    // SAFETY: `run` uses nothing behind the context, and does not unwind.
    unsafe { Batch::new(work, plan) }
}

unsafe fn run(context: *const (), _: ops::Range<usize>) -> Option<Payload> {
    RAN.set((context.addr() - 1) as BatchId);
    None
}

/// The predecessor's queue: a producer swaps itself into `tail`, and links itself behind the node before only then. Who
/// stops between the two hides every batch that others push after it.
pub struct SwapThenLink<B> {
    head: AtomicPtr<Node>,
    tail: AtomicPtr<Node>,
    /// What a producer does between its two steps.
    between: B,
    /// All nodes, which live as long as the queue: this one is not about reclamation.
    nodes: Mutex<Vec<Arc<Node>>>,
}

/// A batch in it.
#[derive(Debug)]
pub struct Node {
    next: AtomicPtr<Node>,
    batch: BatchId,
    taken: AtomicU32,
    tasks: u32,
}

/// One task of such a batch.
#[derive(Debug)]
pub struct Taken {
    node: *const Node,
    task: u32,
}

impl Node {
    fn new(batch: BatchId, tasks: u32) -> Arc<Self> {
        let next = AtomicPtr::new(ptr::null_mut());
        Arc::new(Self { next, batch, taken: AtomicU32::new(0), tasks })
    }

    fn take(&self) -> Option<Taken> {
        let one = |taken| (taken < self.tasks).then_some(taken + 1);
        let task = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, one).ok()?;
        Some(Taken { node: self, task })
    }
}

impl<B: Fn(BatchId) + Sync> SwapThenLink<B> {
    /// Makes an empty one.
    pub fn new(between: B) -> Self {
        let sentinel = Node::new(0, 0);
        let first = Arc::as_ptr(&sentinel).cast_mut();
        let nodes = Mutex::new(vec![sentinel]);
        Self { head: AtomicPtr::new(first), tail: AtomicPtr::new(first), between, nodes }
    }

    fn keep(&self, node: Arc<Node>) -> *mut Node {
        let pointer = Arc::as_ptr(&node).cast_mut();
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).push(node);
        pointer
    }
}

impl<B: Fn(BatchId) + Sync> Fifo for SwapThenLink<B> {
    type Own = *const Node;
    type Claim = Taken;

    fn push(&self, batch: BatchId, tasks: u32, _: Grain) -> *const Node {
        let node = self.keep(Node::new(batch, tasks));
        let before = self.tail.swap(node, Ordering::AcqRel);
        (self.between)(batch);
        // SAFETY: nodes live as long as the queue.
        unsafe { &*before }.next.store(node, Ordering::Release);
        node
    }

    fn take(&self) -> Option<Taken> {
        let mut at = self.head.load(Ordering::Acquire);
        loop {
            // SAFETY: as above.
            let node = unsafe { &*at };
            if let Some(task) = node.take() {
                return Some(task);
            }
            let next = node.next.load(Ordering::Acquire);
            if next.is_null() {
                return None;
            }
            // Whoever fails here has a head that went on.
            _ = self.head.compare_exchange(at, next, Ordering::Release, Ordering::Relaxed);
            at = next;
        }
    }

    fn own(&self, own: &*const Node) -> Option<Taken> {
        // SAFETY: as above.
        unsafe { &**own }.take()
    }

    fn advance(&self, claim: &mut Taken) -> bool {
        // SAFETY: as above.
        let more = unsafe { &*claim.node }.take();
        more.map(|more| *claim = more).is_some()
    }

    fn run(&self, claim: &mut Taken) -> Range {
        // SAFETY: as above.
        let batch = unsafe { &*claim.node }.batch;
        Range { batch, start: claim.task, end: claim.task + 1 }
    }

    fn complete(&self, _claim: Taken) {}

    fn release(&self, _own: *const Node) {}
}

impl<B> fmt::Debug for SwapThenLink<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwapThenLink").finish_non_exhaustive()
    }
}
