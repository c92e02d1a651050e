//! Properties of a node's end: it is freed along the way, and takes nobody's code along.
//!
//! Nodes are counted by the allocator; see `proptests::census`. That each is freed once, whatever a program does, is
//! shown by the programs in `tests/queue.rs`.

use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptests::census::{self, Census, Counts, NodeAllocator};
use zero_pool::batch::{Batch, Claim, Handle, Home, Plan, Work};
use zero_pool::grain::Grain;
use zero_pool::injector::Injector;
use zero_pool::unwind::Payload;
use zero_pool::worker;

#[global_allocator]
static ALLOCATOR: NodeAllocator = NodeAllocator;

unsafe fn nothing(_: *const (), _: Range<usize>) -> Option<Payload> {
    None
}

const NOTHING: Work = Work { run: nothing, context: ptr::null() };

/// How many batches show whether nodes are freed along the way.
const MANY: usize = if cfg!(miri) { 300 } else { 5_000 };

/// So many nodes may wait for their reclamation.
const FEW: usize = 1_000;

/// An injector whose nodes are counted.
struct Yard {
    census: Census,
    injector: Injector,
    published: AtomicUsize,
    most_alive: AtomicUsize,
}

impl Yard {
    fn new() -> Arc<Self> {
        let census = Census::new();
        let injector = census.enrol(|| Injector::new(0));
        Arc::new(Self { census, injector, published: AtomicUsize::new(0), most_alive: AtomicUsize::new(0) })
    }

    fn publish(&self, work: Work) -> Handle {
        let plan = Plan { tasks: 2, threads: 1, helpers: 1, grain: Grain::SINGLE };
        self.published.fetch_add(1, Ordering::Relaxed);
        // SAFETY: each test keeps the context of its work, and says what may run it.
        self.injector.publish(self.census.enrol(|| unsafe { Batch::new(work, plan) }))
    }

    /// Claims both tasks of a batch, one through the queue, so that it cannot hold up the unlinking of others.
    fn claim_both(&self, handle: &Handle) -> [Claim; 2] {
        [self.injector.take(), handle.claim()].map(|claim| claim.expect("nobody else is here"))
    }

    fn run(&self, mut claim: Claim) {
        claim.run();
        self.injector.complete(claim);
    }

    /// Publishes many batches, runs them through their handles alone, and counts the nodes that are alive.
    fn churn(&self) {
        for batch in 1..=MANY {
            let handle = self.publish(NOTHING);
            [handle.claim(), handle.claim()].into_iter().flatten().for_each(|claim| self.run(claim));
            self.injector.sweep_after(&handle);
            self.injector.release(handle);
            if batch % 500 == 0 {
                let Counts { born, dead, .. } = self.census.counts();
                self.most_alive.fetch_max(born - dead, Ordering::Relaxed);
            }
        }
    }

    /// Asserts that few nodes were alive at any time, and that none is in the end.
    fn close(self: Arc<Self>) {
        let Self { census, injector, published, most_alive } =
            Arc::into_inner(self).expect("the last to leave");
        drop(injector);
        census::flush();
        assert_eq!(census.counts(), Counts::all_dead(published.into_inner() + 1));
        let most = most_alive.into_inner();
        assert!(most < FEW, "up to {most} nodes were alive at a time");
    }
}

/// No worker comes by: who runs its batches through their handles unlinks what is drained, and nodes are freed along the way.
#[test]
fn n2_nodes_are_freed_along_the_way() {
    let yard = Yard::new();
    (0..4).for_each(|_| yard.churn());
    yard.close();
}

/// A thread that were pinned while it runs foreign code would hold up every reclamation. Here that code is a task, of a
/// worker and of a waiter, and the drop of a payload.
#[test]
fn r4_foreign_code_runs_while_nodes_are_freed() {
    unsafe fn churning(yard: *const (), _: Range<usize>) -> Option<Payload> {
        // SAFETY: the context given below.
        unsafe { &*yard.cast::<Yard>() }.churn();
        None
    }
    let yard = Yard::new();
    let handle = yard.publish(Work { run: churning, context: Arc::as_ptr(&yard).cast() });
    yard.claim_both(&handle).into_iter().for_each(|claim| yard.run(claim));
    yard.injector.release(handle);
    yard.close();
}

/// What a task throws: something whose drop is foreign code.
struct Churning(Arc<Yard>);

impl Drop for Churning {
    fn drop(&mut self) {
        self.0.churn();
    }
}

/// Throws one payload for each range.
///
/// # Safety
///
/// - The context is a yard in an `Arc`.
unsafe fn throwing(yard: *const (), _: Range<usize>) -> Option<Payload> {
    let yard = yard.cast::<Yard>();
    // SAFETY: the caller owes that it is in an `Arc`.
    unsafe { Arc::increment_strong_count(yard) };
    // SAFETY: just counted.
    Some(Box::new(Churning(unsafe { Arc::from_raw(yard) })))
}

/// Payloads that nobody takes are dropped by who throws the second one, by the release, or by who throws after it; and
/// by nobody who is pinned, nor with the node.
#[test]
fn r3_payloads_are_dropped_before_their_node() {
    let yard = Yard::new();
    let work = Work { run: throwing, context: Arc::as_ptr(&yard).cast() };
    let payloads = |expected: usize| assert_eq!(Arc::strong_count(&yard) - 1, expected, "payloads are alive");
    let handle = yard.publish(work);
    yard.claim_both(&handle).into_iter().for_each(|claim| yard.run(claim));
    payloads(1);
    yard.injector.release(handle);
    payloads(0);
    let handle = yard.publish(work);
    let claims = yard.claim_both(&handle);
    yard.injector.release(handle);
    claims.into_iter().for_each(|claim| yard.run(claim));
    payloads(0);
    yard.close();
}

/// Makes a batch of a node that is used again, and queues it.
fn publish_recycled(census: &Census, injector: &Injector) -> Handle {
    let plan = Plan { tasks: 1, threads: 1, helpers: 1, grain: Grain::SINGLE };
    // SAFETY: its task touches nothing.
    injector.publish(census.enrol(|| unsafe { injector.batch(NOTHING, plan) }))
}

/// Runs the oldest batch, and gives its handle up.
fn finish(injector: &Injector, handle: Handle) {
    let mut claim = injector.take().expect("it was queued");
    claim.run();
    injector.complete(claim);
    injector.release(handle);
}

/// A burst of batches is queued at once. When it is over, most of its nodes are freed, and none is made as long as a few
/// batches are queued at a time.
#[test]
fn n4_a_burst_is_not_kept() {
    let census = Census::new();
    let injector = census.enrol(|| Injector::new(0));
    let burst: Vec<_> = (0..4 * MANY).map(|_| publish_recycled(&census, &injector)).collect();
    burst.into_iter().for_each(|handle| finish(&injector, handle));
    (0..MANY).for_each(|_| finish(&injector, publish_recycled(&census, &injector)));
    let Counts { born, dead, .. } = census.counts();
    assert!(born <= 4 * MANY + FEW, "{born} nodes were made for a burst of {}", 4 * MANY);
    assert!(cfg!(miri) || born - dead < 2 * MANY, "{} nodes are kept", born - dead);
    let before = census.counts().born;
    (0..MANY).for_each(|_| finish(&injector, publish_recycled(&census, &injector)));
    assert_eq!(census.counts().born, before, "nodes are made although there are unused ones");
}

/// The thread that ends a pool keeps none of its nodes, although it had registered, and had retired some; the handle that outlives
/// the pool takes the rest along.
#[test]
fn h1_a_pool_leaves_nothing_to_who_ends_it() {
    let census = Census::new();
    let injector = census.enrol(|| Injector::new(0));
    (0..FEW).for_each(|_| finish(&injector, publish_recycled(&census, &injector)));
    let last = publish_recycled(&census, &injector);
    let mut claim = injector.take().expect("it was queued");
    claim.run();
    injector.complete(claim);
    drop(injector);
    Home::give_up(last);
    let born = census.counts().born;
    assert_eq!(census.counts(), Counts::all_dead(born));
}

/// Threads that publish and end, beside each other and before the pool ends and after: all nodes are freed once.
#[test]
fn n5_nothing_stays_of_a_pool() {
    let census = Census::new();
    for _ in 0..20 {
        let injector = census.enrol(|| Arc::new(Injector::new(0)));
        std::thread::scope(|threads| {
            let part = || {
                let (injector, census) = (Arc::clone(&injector), &census);
                threads.spawn(move || {
                    for _ in 0..100 {
                        let handles: Vec<_> = (0..5).map(|_| publish_recycled(census, &injector)).collect();
                        handles.into_iter().for_each(|handle| finish(&injector, handle));
                    }
                })
            };
            let parts = [part(), part(), part()];
            drop(injector);
            // The end of a scope does not wait for the ends of thread-local variables.
            parts.into_iter().for_each(|part| part.join().expect("no task panics"));
        });
    }
    census::flush();
    let born = census.counts().born;
    assert_eq!(census.counts(), Counts::all_dead(born));
}

/// Somebody who is pinned keeps all that a worker has retired. The worker looks for more after short tasks; it gives that duty back before
/// it tidies up, and what is submitted later wakes it.
#[test]
fn n6_who_tidies_up_keeps_nobody_asleep() {
    let injector = Injector::new(1);
    std::thread::scope(|threads| {
        // SAFETY: the seat is taken once, on the thread of its worker.
        threads.spawn(|| worker::work(&injector, unsafe { injector.seat(0) }));
        let guard = injector.domain().pin();
        let plan = Plan { tasks: 1, threads: 1, helpers: 1, grain: Grain::SINGLE };
        // SAFETY: the tasks touch nothing.
        let publish = || injector.publish(unsafe { injector.batch(NOTHING, plan) });
        let is_run = |handle: Handle| {
            let is_run = injector.wait_timeout(&handle, Duration::from_secs(10));
            injector.release(handle);
            is_run
        };
        (0..128 * Home::MAGAZINE).for_each(|_| injector.release(publish()));
        let is_awake = is_run(publish());
        std::thread::sleep(Duration::from_millis(50));
        let is_woken = is_run(publish());
        drop(guard);
        injector.close();
        assert!(is_awake && is_woken, "W1: who has tidied up keeps itself asleep");
    });
}
