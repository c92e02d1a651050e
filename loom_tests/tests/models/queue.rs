//! Models of the queue alone, with a node that holds one value and gives it once or twice.

use std::ptr::NonNull;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use zero_pool_loom::queue::{Node, Queue};
use zero_pool_loom::reclaim::{Canary, Domain, Guard, Retire};

use crate::fixture::{end, spawn};
use crate::support::{Bound, FOUR, KILLERS, ORACLES, THREE};

/// A node that gives its value a few times. The value is a plain cell, so that every missing edge is a reported race.
struct Item {
    next: AtomicPtr<Item>,
    place: UnsafeCell<u32>,
    left: AtomicUsize,
    value: UnsafeCell<u32>,
    canary: Canary,
}

impl Item {
    fn boxed(value: u32, times: usize) -> Box<Self> {
        let item = Self {
            next: AtomicPtr::new(std::ptr::null_mut()),
            place: UnsafeCell::new(0),
            left: AtomicUsize::new(times),
            value: UnsafeCell::new(0),
            canary: Canary::new(),
        };
        // Written after its creation, as creation itself is ordered by loom.
        // SAFETY: nobody else has it.
        item.value.with_mut(|cell| unsafe { *cell = value });
        Box::new(item)
    }

    fn take(&self) -> Option<u32> {
        let one = |left: usize| left.checked_sub(1);
        let given = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one).is_ok();
        // SAFETY: written before it was linked, and never again.
        given.then(|| self.value.with(|cell| unsafe { *cell }))
    }
}

impl Retire for Item {
    fn canary(&self) -> &Canary {
        &self.canary
    }
}

// SAFETY: one link field that only the queue writes; `left` never grows; freed through the guard.
unsafe impl Node for Item {
    fn next(&self) -> &AtomicPtr<Self> {
        &self.next
    }

    fn place(&self) -> &UnsafeCell<u32> {
        &self.place
    }

    fn is_spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn is_finished(&self) -> bool {
        self.is_spent()
    }

    unsafe fn unlinked(node: NonNull<Self>, guard: Option<&Guard>) -> bool {
        match guard {
            // SAFETY: the queue is the only holder, and it let go.
            Some(guard) => unsafe { guard.retire(node) },
            // SAFETY: as above, and nobody is left to see it.
            None => drop(unsafe { Box::from_raw(node.as_ptr()) }),
        }
        true
    }
}

/// The queue and its domain, shared by the threads of a model.
struct Fixture {
    queue: Queue<Item>,
    domain: Domain,
}

impl Fixture {
    fn new() -> Arc<Self> {
        Self::in_runs(1)
    }

    /// Makes one that unlinks so many nodes at once.
    fn in_runs(run: u32) -> Arc<Self> {
        Arc::new(Self { queue: Queue::new(Item::boxed(0, 0), run), domain: Domain::new() })
    }

    fn push(&self, value: u32) {
        self.push_times(value, 1);
    }

    /// Pushes a node that gives its value so often.
    fn push_times(&self, value: u32, times: usize) {
        let node = NonNull::from(Box::leak(Item::boxed(value, times)));
        // SAFETY: from a box, never linked, and only the queue frees it.
        unsafe { self.queue.push(node, &self.domain.pin()) };
    }

    fn take(&self) -> Option<u32> {
        self.queue.scan(&self.domain.pin(), Item::take)
    }

    fn rest(&self) -> Vec<u32> {
        std::iter::from_fn(|| self.take()).collect()
    }
}

/// Two links to the same last node: each producer's values stay in order, and none is lost.
fn q1_two_producers_keep_their_order() {
    let fixture = Fixture::new();
    let other = spawn(&fixture, |f| {
        f.push(11);
        f.push(12);
    });
    fixture.push(21);
    fixture.push(22);
    end(other);
    let all = fixture.rest();
    let of = |tens: u32| all.iter().copied().filter(|v| v / 10 == tens).collect::<Vec<_>>();
    assert_eq!((of(1), of(2), all.len()), (vec![11, 12], vec![21, 22], 4));
}

/// A consumer that reads values while they are linked: it sees them initialised and in order.
fn q1_a_consumer_follows_the_producer() {
    let fixture = Fixture::new();
    let producer = spawn(&fixture, |f| {
        f.push(1);
        f.push(2);
    });
    let mut seen: Vec<u32> = (0..2).filter_map(|_| fixture.take()).collect();
    end(producer);
    seen.extend(fixture.rest());
    assert_eq!(seen, [1, 2]);
}

/// Two consumers on two values: each is taken once, and a consumer that takes both takes them in order.
fn q1_two_consumers_share() {
    let fixture = Fixture::new();
    fixture.push(1);
    fixture.push(2);
    let two = |f: &Fixture| [f.take(), f.take()].into_iter().flatten().collect::<Vec<_>>();
    let other = spawn(&fixture, two);
    let mine = two(&fixture);
    let theirs = end(other);
    assert!(mine.is_sorted() && theirs.is_sorted(), "out of order: {mine:?} {theirs:?}");
    let mut all = [mine, theirs].concat();
    all.sort_unstable();
    assert_eq!(all, [1, 2]);
}

/// A node that gives twice, of which the second consumer may learn from `head` alone, where the first has put it: it is
/// initialised for both.
fn q1_two_consumers_of_one_node() {
    let fixture = Fixture::new();
    let producer = spawn(&fixture, |f| f.push_times(1, 2));
    let consumer = spawn(&fixture, Fixture::take);
    let mine = fixture.take();
    end(producer);
    let theirs = end(consumer);
    let taken = usize::from(mine.is_some()) + usize::from(theirs.is_some());
    assert_eq!(fixture.rest().len(), 2 - taken);
}

/// A length is read from both ends while nodes are linked and unlinked: the numbers that it is made of are there.
fn q1_a_length_is_that_of_linked_nodes() {
    let fixture = Fixture::new();
    let other = spawn(&fixture, |f| {
        f.push(1);
        f.take();
        f.push(2);
        f.take();
    });
    let linked = fixture.queue.len(&fixture.domain.pin());
    assert!(linked <= 2, "{linked} of two nodes are linked");
    end(other);
    assert_eq!(fixture.queue.len(&fixture.domain.pin()), 0, "the last node alone is left");
}

/// A producer that stands between its two writes: what another one linked meanwhile is visible at once.
fn q2_nothing_hides_behind_a_slow_producer() {
    let fixture = Fixture::new();
    let other = spawn(&fixture, |f| f.push(1));
    fixture.push(2);
    assert!(fixture.take().is_some(), "Q2: our own push is complete, so something is there");
    end(other);
    assert_eq!(fixture.rest().len(), 1);
}

/// The unlinking of a node that `tail` still points to, against producers that pin before and after its retirement.
fn q3_tail_moves_past_a_node_before_its_retirement() {
    let fixture = Fixture::new();
    let producer = spawn(&fixture, |f| f.push(1));
    let consumer = spawn(&fixture, Fixture::take);
    fixture.push(2);
    end(producer);
    let taken = usize::from(end(consumer).is_some());
    assert_eq!(taken + fixture.rest().len(), 2);
}

/// A producer stopped before its help, a consumer that unlinks the node `tail` points to, and a second push of the
/// consumer's own that must not meet a retired node.
fn q3_who_unlinks_pushes_next() {
    let fixture = Fixture::new();
    let producer = spawn(&fixture, |f| f.push(1));
    let first = fixture.take();
    fixture.push(2);
    end(producer);
    let mut rest = fixture.rest();
    rest.extend(first);
    rest.sort_unstable();
    assert_eq!(rest, [1, 2]);
}

/// A producer stopped before its help while a consumer links behind its node and unlinks it: the late help finds `tail`
/// moved on. If it moved `tail` back to the node, the consumer's last push would meet it there, retired.
fn q3_a_late_help_moves_nothing_back() {
    let fixture = Fixture::new();
    let producer = spawn(&fixture, |f| f.push(1));
    let mut all = Vec::from_iter(fixture.take());
    fixture.push(2);
    all.extend(fixture.take());
    fixture.push(3);
    end(producer);
    all.extend(fixture.rest());
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3]);
}

/// Two producers stopped before their helps, and a consumer that unlinks two nodes at once, at the second of which `tail` may
/// stand: its own push must not meet a retired node.
fn q3_tail_goes_along_to_the_end_of_a_run() {
    let fixture = Fixture::in_runs(2);
    let producers = [1, 2].map(|value| spawn(&fixture, move |f| f.push(value)));
    let mut all: Vec<u32> = (0..2).filter_map(|_| fixture.take()).collect();
    fixture.push(3);
    producers.into_iter().for_each(end);
    all.extend(fixture.rest());
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3]);
}

/// A scan that takes nothing walks past nodes that have something to give, while another takes: they stay.
fn q4_who_takes_nothing_unlinks_nothing() {
    let fixture = Fixture::new();
    fixture.push(1);
    fixture.push(2);
    let other = spawn(&fixture, Fixture::take);
    let passed = fixture.queue.scan(&fixture.domain.pin(), |_| None::<u32>);
    assert_eq!(passed, None);
    let taken = end(other);
    let all: Vec<u32> = taken.into_iter().chain(fixture.rest()).collect();
    assert_eq!(all, [1, 2]);
}

/// Two scans that unlink the same exhausted nodes: each is retired once, and a third value stays reachable.
fn q4_two_scans_unlink_a_node_once() {
    let fixture = Fixture::new();
    fixture.push(1);
    assert_eq!(fixture.take(), Some(1));
    fixture.push(2);
    let other = spawn(&fixture, Fixture::take);
    let mine = fixture.take();
    let theirs = end(other);
    assert_eq!(mine.xor(theirs), Some(2));
}

/// The same in a run of two: each of the two is retired once, and the value behind stays reachable.
fn q4_two_scans_unlink_a_run_once() {
    let fixture = Fixture::in_runs(2);
    fixture.push(1);
    assert_eq!(fixture.take(), Some(1));
    fixture.push(2);
    fixture.push(3);
    let other = spawn(&fixture, Fixture::take);
    let mine = fixture.take();
    let theirs = end(other);
    assert_eq!(mine.into_iter().chain(theirs).sum::<u32>(), 5);
    assert!(fixture.take().is_none());
}

/// A scan that finds nothing although a push has returned: a false EMPTY.
fn q5_empty_is_true() {
    let fixture = Fixture::new();
    let pushed = Arc::new(AtomicBool::new(false));
    let producer = {
        let pushed = Arc::clone(&pushed);
        spawn(&fixture, move |f| {
            f.push(1);
            pushed.store(true, Ordering::Release);
            f.push(2);
        })
    };
    let there = pushed.load(Ordering::Acquire);
    let first = fixture.take();
    assert!(!there || first == Some(1), "Q5: 1 was there, and the scan answered {first:?}");
    end(producer);
    assert_eq!(fixture.rest().len(), 2 - usize::from(first.is_some()));
}

crate::table! { "queue":
    q1_two_producers_keep_their_order(FOUR, ORACLES),
    q1_a_consumer_follows_the_producer(FOUR, ORACLES),
    q1_two_consumers_share(FOUR, ORACLES),
    q1_two_consumers_of_one_node(THREE, ORACLES),
    q1_a_length_is_that_of_linked_nodes(THREE, KILLERS),
    q2_nothing_hides_behind_a_slow_producer(Bound::None, ORACLES),
    q3_tail_moves_past_a_node_before_its_retirement(THREE, ORACLES),
    q3_who_unlinks_pushes_next(Bound::None, ORACLES),
    q3_a_late_help_moves_nothing_back(THREE, ORACLES),
    q3_tail_goes_along_to_the_end_of_a_run(THREE, ORACLES),
    q4_who_takes_nothing_unlinks_nothing(THREE, ORACLES),
    q4_two_scans_unlink_a_node_once(Bound::None, ORACLES),
    q4_two_scans_unlink_a_run_once(Bound::None, ORACLES),
    q5_empty_is_true(Bound::None, ORACLES),
}
