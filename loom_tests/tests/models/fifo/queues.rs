//! Two queues to run programs on: the crate's own, and one that is known to be wrong.

use std::ops::Range;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use loom::cell::UnsafeCell;
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use loom::sync::atomic::{AtomicPtr, AtomicUsize};
use zero_pool_loom::batch::{Batch, Claim, Handle, Plan, Work};
use zero_pool_loom::grain::Grain;
use zero_pool_loom::injector::Injector;
use zero_pool_loom::reclaim::assert_unpinned;
use zero_pool_loom::unwind::Payload;

use super::judge::Task;

/// A FIFO of batches.
pub trait Fifo: 'static {
    /// What who pushed a batch has of it.
    type Own;

    fn new() -> Self;
    fn push(&self, batch: usize, size: usize) -> Self::Own;
    fn take(&self) -> Option<Task>;
    fn own(&self, own: &Self::Own) -> Option<Task>;
    fn let_go(&self, own: Self::Own);
}

/// The crate's queue with its batches.
pub struct Ours {
    injector: Injector,
    /// What the batches run on, for as long as the queue is there.
    contexts: Mutex<Vec<Arc<Context>>>,
    ran: Arc<Ran>,
}

/// The task that ran last. Of `std`, since it is set and read with no point between at which loom could switch threads.
type Ran = Mutex<Option<Task>>;

struct Context {
    batch: usize,
    /// Written before the batch is pushed, and read by its tasks, so that a missing edge is a reported race.
    written: UnsafeCell<usize>,
    ran: Arc<Ran>,
}

unsafe fn run(context: *const (), range: Range<usize>) -> Option<Payload> {
    assert_unpinned();
    // SAFETY: the context of `push`, which lives as long as the queue.
    let context = unsafe { &*context.cast::<Context>() };
    assert_eq!(range.len(), 1, "G2: few tasks are claimed one by one");
    // SAFETY: loom checks that the write came before.
    let batch = context.written.with(|batch| unsafe { *batch });
    assert_eq!(batch, context.batch);
    *context.ran.lock().unwrap_or_else(PoisonError::into_inner) = Some((batch, range.start));
    None
}

impl Ours {
    /// Runs one claim and completes it.
    fn finish(&self, mut claim: Claim) -> Task {
        claim.run();
        let ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.injector.complete(claim);
        ran.expect("a claim has a task")
    }
}

impl Fifo for Ours {
    type Own = Handle;

    fn new() -> Self {
        Self { injector: Injector::new(0), contexts: Mutex::default(), ran: Arc::default() }
    }

    fn push(&self, batch: usize, size: usize) -> Handle {
        let written = UnsafeCell::new(usize::MAX);
        // SAFETY: nobody else has it.
        written.with_mut(|cell| unsafe { *cell = batch });
        let context = Arc::new(Context { batch, written, ran: Arc::clone(&self.ran) });
        let work = Work { run, context: Arc::as_ptr(&context).cast() };
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner).push(context);
        let plan = Plan { tasks: size as u64, threads: 4, helpers: 9, grain: Grain::SINGLE };
        // SAFETY: the queue keeps the context.
        self.injector.publish(unsafe { Batch::new(work, plan) })
    }

    fn take(&self) -> Option<Task> {
        self.injector.take().map(|claim| self.finish(claim))
    }

    fn own(&self, own: &Handle) -> Option<Task> {
        own.claim().map(|claim| self.finish(claim))
    }

    fn let_go(&self, own: Handle) {
        self.injector.release(own);
    }
}

/// The predecessor's queue: a producer swaps itself into `tail` and links itself behind the node before only then. Who
/// stops between the two hides every batch that others push after it.
pub struct SwapThenLink {
    head: AtomicPtr<Node>,
    tail: AtomicPtr<Node>,
    /// All nodes, which live as long as the queue: this one is not about reclamation.
    nodes: Mutex<Vec<Arc<Node>>>,
}

/// A batch in it.
pub struct Node {
    next: AtomicPtr<Node>,
    batch: usize,
    taken: AtomicUsize,
    size: usize,
}

// SAFETY: loom runs all threads of a model on one thread of the system.
unsafe impl Send for SwapThenLink {}
// SAFETY: as above.
unsafe impl Sync for SwapThenLink {}

impl Node {
    fn new(batch: usize, size: usize) -> Arc<Self> {
        Arc::new(Self { next: AtomicPtr::new(ptr::null_mut()), batch, taken: AtomicUsize::new(0), size })
    }

    fn take(&self) -> Option<Task> {
        let one = |taken| (taken < self.size).then_some(taken + 1);
        self.taken.fetch_update(AcqRel, Acquire, one).ok().map(|index| (self.batch, index))
    }
}

impl SwapThenLink {
    fn keep(&self, node: Arc<Node>) -> *mut Node {
        let pointer = Arc::as_ptr(&node).cast_mut();
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).push(node);
        pointer
    }
}

impl Fifo for SwapThenLink {
    type Own = *const Node;

    fn new() -> Self {
        let sentinel = Node::new(usize::MAX, 0);
        let first = Arc::as_ptr(&sentinel).cast_mut();
        Self { head: AtomicPtr::new(first), tail: AtomicPtr::new(first), nodes: Mutex::new(vec![sentinel]) }
    }

    fn push(&self, batch: usize, size: usize) -> *const Node {
        let node = self.keep(Node::new(batch, size));
        let before = self.tail.swap(node, AcqRel);
        // SAFETY: nodes live as long as the queue.
        unsafe { &*before }.next.store(node, Release);
        node
    }

    fn take(&self) -> Option<Task> {
        let mut at = self.head.load(Acquire);
        loop {
            // SAFETY: as above.
            let node = unsafe { &*at };
            if let Some(task) = node.take() {
                return Some(task);
            }
            let next = node.next.load(Acquire);
            if next.is_null() {
                return None;
            }
            // Whoever fails here has a head that went on.
            _ = self.head.compare_exchange(at, next, Release, Relaxed);
            at = next;
        }
    }

    fn own(&self, own: &*const Node) -> Option<Task> {
        // SAFETY: as above.
        unsafe { &**own }.take()
    }

    fn let_go(&self, _own: *const Node) {}
}
