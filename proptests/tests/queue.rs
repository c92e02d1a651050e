//! Properties of the queue and of its batches, through the injector.
//!
//! Each property runs programs of one shape and judges all of it; its name says which invariant the shape is made for.
//! See `proptests::program` for what is compared, and with what.

use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptests::census::{self, Census, Counts, NodeAllocator};
use proptests::program::{self, Shape, steps};
use proptests::watchdog::watch;
use zero_pool::batch::{Batch, Claim, Handle, Plan, Work};
use zero_pool::grain::Grain;
use zero_pool::injector::Injector;
use zero_pool::queue::Node;
use zero_pool::unwind::Payload;

#[global_allocator]
static ALLOCATOR: NodeAllocator = NodeAllocator;

/// Long beyond what any of these takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Batches that admit everybody and never panic.
fn plain(tasks: u64) -> Shape {
    Shape { tasks: 1..=tasks, helpers: 1000..=1000, panics: 0..=0 }
}

proptest! {
    #![proptest_config(proptests::config!(2_000))]

    #[test]
    fn q1_batches_are_served_in_their_order(steps in steps(plain(6), 60)) {
        program::run(&steps);
    }

    #[test]
    fn q5_what_is_drained_is_empty(steps in steps(plain(1), 40)) {
        program::run(&steps);
    }

    #[test]
    fn b1_each_task_is_run_once(steps in steps(plain(300), 60)) {
        program::run(&steps);
    }

    #[test]
    fn b4_no_more_workers_join_than_are_admitted(
        steps in steps(Shape { helpers: 0..=2, ..plain(12) }, 60),
    ) {
        program::run(&steps);
    }

    #[test]
    fn b5_the_first_payload_is_given_out_once(
        steps in steps(Shape { panics: 0..=3, helpers: 0..=3, ..plain(8) }, 60),
    ) {
        program::run(&steps);
    }

    #[test]
    fn n2_nodes_are_freed_once(steps in steps(Shape { helpers: 0..=1, ..plain(2) }, 200)) {
        program::run(&steps);
    }
}

proptest! {
    #![proptest_config(proptests::config!(150))]

    #[test]
    fn n2_nodes_are_freed_once_by_threads(
        programs in prop::collection::vec(steps(Shape { panics: 0..=9, ..plain(3) }, 40), 3),
    ) {
        let _watchdog = watch("n2_nodes_are_freed_once_by_threads", DEADLINE);
        program::run_on_threads(&programs, 30);
    }

    #[test]
    fn b4_the_cap_holds_against_threads(
        programs in prop::collection::vec(steps(Shape { helpers: 0..=2, ..plain(30) }, 40), 3),
    ) {
        let _watchdog = watch("b4_the_cap_holds_against_threads", DEADLINE);
        program::run_on_threads(&programs, 30);
    }
}

unsafe fn nothing(_: *const (), _: Range<usize>) -> Option<Payload> {
    None
}

const NOTHING: Work = Work { run: nothing, context: ptr::null() };

/// A batch whose tasks do nothing, whatever their number.
fn idle_batch(plan: Plan) -> Box<Batch> {
    // SAFETY: `nothing` uses nothing.
    unsafe { Batch::new(NOTHING, plan) }
}

/// Two participants share a batch of the largest size: no number of the claim word or of the latch overflows.
#[test]
fn b1_the_largest_batch_is_partitioned() {
    let injector = Injector::new(0);
    let tasks = Batch::MAX_TASKS;
    let plan = Plan { tasks, threads: 2, helpers: u32::MAX, grain: Grain::from_bits(u64::MAX) };
    let handle = injector.publish(idle_batch(plan));
    let mut both = [injector.take().expect("it is there"), handle.claim().expect("it is there")];
    let [first, second] = [both[0].range(), both[1].range()];
    assert_eq!((first.start, first.end), (0, second.start));
    let mut next = second.end;
    for turn in 0.. {
        let claim = &mut both[turn % 2];
        claim.run();
        if !claim.advance(None) {
            both[(turn + 1) % 2].run();
            break;
        }
        assert_eq!(claim.range().start, next, "after {turn} more claims");
        next = claim.range().end;
    }
    assert_eq!(next, tasks);
    assert!(injector.take().is_none() && handle.claim().is_none());
    assert!(!handle.batch().latch().is_finished());
    both.into_iter().for_each(|claim| injector.complete(claim));
    injector.wait(&handle);
    injector.release(handle);
}

/// Refusals leave no trace: a capped batch refuses workers, then an exhausted one refuses everybody, more often than
/// the claim word could count.
#[test]
fn b2_a_batch_that_refuses_is_left_alone() {
    let injector = Injector::new(0);
    let plan = Plan { tasks: 3, threads: 1, helpers: 1, grain: Grain::SINGLE };
    let handle = injector.publish(idle_batch(plan));
    let mut worker = injector.take().expect("it admits one");
    let often = if cfg!(miri) { 100 } else { 3 << 20 };
    assert!((0..often).all(|_| injector.take().is_none()), "it admits no other");
    let mut own = handle.claim().expect("two tasks are left");
    assert_eq!((worker.range(), own.range()), (0..1, 1..2));
    worker.run();
    assert!(worker.advance(None));
    assert_eq!(worker.range(), 2..3);
    assert!((0..often).all(|_| handle.claim().is_none()), "none is left");
    worker.run();
    own.run();
    assert!((0..often).all(|_| !worker.advance(Some(Grain::from_bits(3)))));
    assert!(handle.batch().is_exhausted() && !handle.batch().is_claimable());
    [worker, own].into_iter().for_each(|claim| injector.complete(claim));
    injector.wait(&handle);
    injector.release(handle);
}

/// More workers come than the claim word can count: it refuses them, and its other numbers are left alone.
#[test]
fn b4_helpers_are_counted_to_the_end() {
    let injector = Injector::new(0);
    let limit = (1 << 20) - 1;
    let tasks = limit + 5;
    let plan = Plan { tasks, threads: u32::MAX, helpers: u32::MAX, grain: Grain::SINGLE };
    let handle = injector.publish(idle_batch(plan));
    for task in 0..limit {
        let mut claim = injector.take().expect("it admits more");
        assert_eq!(claim.range(), task..task + 1);
        claim.run();
        injector.complete(claim);
    }
    assert!(injector.take().is_none(), "nobody more is admitted");
    assert!(!handle.batch().is_claimable());
    let mut own = handle.claim().expect("the handle is");
    assert_eq!(own.range(), limit..limit + 1);
    own.run();
    while own.advance(None) {
        own.run();
    }
    injector.complete(own);
    injector.wait(&handle);
    injector.release(handle);
}

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

/// Nobody looks into the queue but who publishes: drained nodes are unlinked and freed all the same.
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
