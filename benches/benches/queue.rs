//! What does a batch cost on its way through the queue, when nobody else is there?
//!
//! One thread does both sides, so that nothing is contended and nobody sleeps: the figures are the price of the
//! instructions, the allocation of the node and its reclamation. The unit is one batch, or one node.
//!
//! - `injector/round_trip`: make a batch of one task, publish it, take it, run it, complete it, release its handle.
//! - `injector/burst_of_64`: the same, with 64 batches published before the first is taken.
//! - `queue/push_scan`: the bare list: push 64 nodes, then take each by a scan, which unlinks and retires the others.
//! - `queue/scan_past_64`: a scan that visits 64 nodes and takes nothing.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::hint::black_box;

use benches::{batch, take_tally, tally_of};
use criterion::{Criterion, Throughput};
use zero_pool::batch::Handle;
use zero_pool::injector::Injector;
use zero_pool::queue::{Node, Queue};
use zero_pool::reclaim::{Canary, Domain, Guard, Retire};
use zero_pool::sync::UnsafeCell;

const BURST: u64 = 64;
/// The sum of the numbers in a burst.
const SUM: u64 = BURST * (BURST - 1) / 2;

/// The smallest node: a number that can be taken once.
struct Number {
    next: AtomicPtr<Self>,
    place: UnsafeCell<u32>,
    value: u64,
    taken: AtomicBool,
    canary: Canary,
}

impl Number {
    fn new(value: u64, taken: bool) -> Box<Self> {
        Box::new(Self {
            next: AtomicPtr::new(ptr::null_mut()),
            place: UnsafeCell::new(0),
            value,
            taken: AtomicBool::new(taken),
            canary: Canary::new(),
        })
    }

    fn take(&self) -> Option<u64> {
        // Only one thread takes, so that reading and writing may be two steps.
        let first = !self.taken.load(Ordering::Relaxed);
        first.then(|| {
            self.taken.store(true, Ordering::Relaxed);
            self.value
        })
    }
}

impl Retire for Number {
    fn canary(&self) -> &Canary {
        &self.canary
    }
}

// SAFETY: `next` is one field that only the queue writes; `taken` never turns false; `unlinked` frees through the guard.
unsafe impl Node for Number {
    fn next(&self) -> &AtomicPtr<Self> {
        &self.next
    }

    fn place(&self) -> &UnsafeCell<u32> {
        &self.place
    }

    fn is_spent(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    fn is_finished(&self) -> bool {
        self.is_spent()
    }

    unsafe fn unlinked(node: NonNull<Self>, guard: Option<&Guard>) -> bool {
        match guard {
            // SAFETY: the queue alone holds a number, and has unlinked it once.
            Some(guard) => unsafe { guard.retire(node) },
            // SAFETY: the queue is gone, and numbers come from boxes.
            None => drop(unsafe { Box::from_raw(node.as_ptr()) }),
        }
        true
    }
}

fn push(queue: &Queue<Number>, domain: &Domain, value: u64) {
    let node = NonNull::from(Box::leak(Number::new(value, false)));
    // SAFETY: the node comes from a box, is linked once, and only the queue frees it.
    unsafe { queue.push(node, &domain.pin()) };
}

fn take_all(queue: &Queue<Number>, domain: &Domain) -> u64 {
    let take = || queue.scan(&domain.pin(), Number::take);
    core::iter::from_fn(take).sum()
}

/// Publishes `batches` batches of one task, then takes and completes every one of them.
fn through(injector: &Injector, handles: &mut Vec<Handle>, batches: u64) {
    handles.extend((0..batches).map(|_| injector.publish(batch(black_box(1), 1))));
    while let Some(mut claim) = injector.take() {
        claim.run();
        injector.complete(claim);
    }
    for handle in handles.drain(..) {
        injector.release(handle);
    }
    assert_eq!(take_tally(), batches * tally_of(1), "every task runs once");
}

fn injector(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("injector");
    let injector = Injector::new(0);
    let mut handles = Vec::with_capacity(BURST as usize);
    group.throughput(Throughput::Elements(1));
    group.bench_function("round_trip", |bencher| bencher.iter(|| through(&injector, &mut handles, 1)));
    group.throughput(Throughput::Elements(BURST));
    group.bench_function("burst_of_64", |bencher| bencher.iter(|| through(&injector, &mut handles, BURST)));
    group.finish();
}

fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue");
    group.throughput(Throughput::Elements(BURST));
    let domain = Domain::new();
    let queue = Queue::new(Number::new(0, true), 8);
    group.bench_function("push_scan", |bencher| {
        bencher.iter(|| {
            (0..BURST).for_each(|value| push(&queue, &domain, black_box(value)));
            assert_eq!(take_all(&queue, &domain), SUM, "every node is taken once");
        });
    });
    // Another queue, whose dummy adds nothing to the sum.
    let queue = Queue::new(Number::new(0, true), 8);
    (0..BURST).for_each(|value| push(&queue, &domain, value));
    group.bench_function("scan_past_64", |bencher| {
        bencher.iter(|| {
            let mut sum = 0;
            let found = queue.scan(&domain.pin(), |node| {
                sum += black_box(node.value);
                None::<()>
            });
            assert_eq!((found, sum), (None, SUM), "every node is visited once");
        });
    });
    assert_eq!(take_all(&queue, &domain), SUM, "the nodes are still there");
    group.finish();
}

fn main() {
    let mut criterion = benches::criterion();
    injector(&mut criterion);
    queue(&mut criterion);
    criterion.final_summary();
}
