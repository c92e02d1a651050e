//! Properties of a batch at its limits: numbers that nearly do not fit, refusals without end, and two threads at once.
//!
//! What batches do in the middle of programs is shown in `tests/queue.rs`.

use std::hint;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use proptests::census::{self, Census, Counts, NodeAllocator};
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

unsafe fn nothing(_: *const (), _: Range<usize>) -> Option<Payload> {
    None
}

/// A batch whose tasks do nothing, whatever their number.
fn idle_batch(plan: Plan) -> Box<Batch> {
    // SAFETY: `nothing` uses nothing.
    unsafe { Batch::new(Work { run: nothing, context: ptr::null() }, plan) }
}

/// Runs a participation to its end.
fn run_out(injector: &Injector, mut claim: Claim) {
    claim.run();
    while claim.advance(None) {
        claim.run();
    }
    injector.complete(claim);
}

/// Gives an injector to a test. In the end, each of its so many nodes was freed once.
fn with_injector(nodes: usize, test: impl FnOnce(&Census, &Injector)) {
    let census = Census::new();
    let injector = census.enrol(|| Injector::new(0));
    test(&census, &injector);
    drop(injector);
    census::flush();
    assert_eq!(census.counts(), Counts::all_dead(nodes + 1), "N2: nodes are freed once, and none is left");
}

/// Publishes a batch whose tasks do nothing on an injector of its own. What the test leaves is judged: the batch is
/// finished, and its node was freed once.
fn with_idle_batch(name: &'static str, plan: Plan, test: impl FnOnce(&Injector, &Handle)) {
    let _watchdog = watch(name, DEADLINE);
    with_injector(1, |census, injector| {
        let handle = injector.publish(census.enrol(|| idle_batch(plan)));
        test(injector, &handle);
        injector.wait(&handle);
        injector.release(handle);
    });
}

/// Publishes many batches of one task that does nothing.
fn with_idle_batches(batches: usize, test: impl FnOnce(&Injector, Vec<Handle>)) {
    let plan = Plan { tasks: 1, threads: 1, helpers: 1, grain: Grain::SINGLE };
    with_injector(batches, |census, injector| {
        let publish = |_| injector.publish(census.enrol(|| idle_batch(plan)));
        test(injector, (0..batches).map(publish).collect());
    });
}

/// Two participants share a batch of the largest size: no number of the claim word or of the latch overflows.
#[test]
fn b1_the_largest_batch_is_partitioned() {
    let tasks = Batch::MAX_TASKS;
    let plan = Plan { tasks, threads: 2, helpers: u32::MAX, grain: Grain::from_bits(u64::MAX) };
    with_idle_batch("b1_the_largest_batch_is_partitioned", plan, |injector, handle| {
        let mut both = [injector.take(), handle.claim()].map(|claim| claim.expect("it is there"));
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
    });
}

/// Refusals leave no trace: a capped batch refuses workers, then an exhausted one refuses everybody, more often than
/// the claim word could count.
#[test]
fn b2_a_batch_that_refuses_is_left_alone() {
    let plan = Plan { tasks: 3, threads: 1, helpers: 1, grain: Grain::SINGLE };
    with_idle_batch("b2_a_batch_that_refuses_is_left_alone", plan, |injector, handle| {
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
        assert!(handle.batch().is_spent() && !handle.batch().is_claimable());
        [worker, own].into_iter().for_each(|claim| injector.complete(claim));
    });
}

/// More workers come than the claim word can count: it refuses them, and its other numbers are left alone.
#[test]
#[cfg_attr(miri, ignore = "a million workers")]
fn b4_helpers_are_counted_to_the_end() {
    let limit = (1 << 20) - 1;
    let plan = Plan { tasks: limit + 5, threads: u32::MAX, helpers: u32::MAX, grain: Grain::SINGLE };
    with_idle_batch("b4_helpers_are_counted_to_the_end", plan, |injector, handle| {
        for task in 0..limit {
            let mut claim = injector.take().expect("it admits more");
            assert_eq!(claim.range(), task..task + 1);
            claim.run();
            injector.complete(claim);
        }
        assert!(injector.take().is_none(), "nobody more is admitted");
        assert!(!handle.batch().is_claimable());
        let own = handle.claim().expect("the handle is");
        assert_eq!(own.range(), limit..limit + 1);
        run_out(injector, own);
    });
}

/// Two threads give up the clones of many handles in step: of each pair one is the last, and one alone.
#[test]
fn b6_two_clones_go_at_once() {
    let _watchdog = watch("b6_two_clones_go_at_once", DEADLINE);
    let (rounds, batches) = if cfg!(miri) { (2, 10) } else { (40, 2_000) };
    for round in 0..rounds {
        with_idle_batches(batches, |injector, handles| {
            while let Some(claim) = injector.take() {
                run_out(injector, claim);
            }
            let at = [AtomicUsize::new(0), AtomicUsize::new(0)];
            let give_up = |me: usize, handles: Vec<Handle>| {
                let part = |(step, handle): (usize, Handle)| {
                    // Waits for the other, but not for one that does not run.
                    at[me].store(step, Ordering::Relaxed);
                    (0..500)
                        .take_while(|_| at[1 - me].load(Ordering::Relaxed) < step)
                        .for_each(|_| hint::spin_loop());
                    handle.part()
                };
                let last = handles.into_iter().enumerate().filter_map(part);
                last.map(|last| injector.release(last)).count()
            };
            let last = thread::scope(|scope| {
                let clones = handles.clone();
                let threads = [scope.spawn(|| give_up(0, clones)), scope.spawn(|| give_up(1, handles))];
                threads.map(|thread| thread.join().expect("the thread ends"))
            });
            assert_eq!(last[0] + last[1], batches, "of the handles were the last ones, in round {round}");
        });
    }
}

/// A thread that waits claims the only task and is long about it. Whoever finds the batch taken, and then waits for all, finds the
/// task finished: that is all that a pool which is dropped can do.
#[test]
fn w5_who_waits_for_all_sees_it_finished() {
    let _watchdog = watch("w5_who_waits_for_all_sees_it_finished", DEADLINE);
    let batches = if cfg!(miri) { 10 } else { 5_000 };
    let plan = Plan { tasks: 1, threads: 1, helpers: 1, grain: Grain::SINGLE };
    with_injector(batches, |census, injector| {
        let (give, taken) = mpsc::channel::<Handle>();
        let be_guest = |(step, handle): (usize, Handle)| {
            let mut claim = handle.join().expect("nobody else is here");
            (0..step % 4).for_each(|_| thread::yield_now());
            claim.run();
            injector.complete(claim);
            handle.part().into_iter().for_each(|last| injector.release(last));
        };
        thread::scope(|scope| {
            let guest = scope.spawn(|| taken.into_iter().enumerate().for_each(be_guest));
            for step in 0..batches {
                let handle = injector.publish(census.enrol(|| idle_batch(plan)));
                give.send(handle.clone()).expect("the guest is there");
                wait_until(|| !handle.batch().is_claimable());
                injector.wait_for_all();
                assert!(handle.batch().latch().is_finished(), "the guest is still at it, in step {step}");
                handle.part().into_iter().for_each(|last| injector.release(last));
            }
            drop(give);
            // A join, unlike the end of the scope, waits for the thread's registration to be dropped.
            guest.join().expect("the guest ends");
        });
    });
}

/// Looks as often as can be, and yet lets other threads run.
fn wait_until(condition: impl Fn() -> bool) {
    for looks in 1.. {
        if condition() {
            return;
        }
        if looks % 256 == 0 { thread::yield_now() } else { hint::spin_loop() }
    }
}
