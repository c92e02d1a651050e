//! Properties of the queue and of its batches, through the injector.
//!
//! Each property runs programs of one shape and judges all of it; its name says which invariant the shape is made for.
//! See `proptests::program` for what is compared, and with what.

use std::ops::Range;
use std::ptr;
use std::time::Duration;

use proptest::prelude::*;
use proptests::census::{self, Census, Counts, NodeAllocator};
use proptests::program::{self, Shape, steps};
use proptests::watchdog::watch;
use zero_pool::batch::{Batch, Plan, Work};
use zero_pool::grain::Grain;
use zero_pool::injector::Injector;
use zero_pool::unwind::Payload;

#[global_allocator]
static ALLOCATOR: NodeAllocator = NodeAllocator;

/// Long beyond what any of these takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Batches that admit everybody and never panic.
fn plain(tasks: u64) -> Shape {
    Shape {
        tasks: 1..=tasks,
        helpers: 1000..=1000,
        panics: 0..=0,
    }
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

/// A batch whose tasks do nothing, whatever their number.
fn idle_batch(plan: Plan) -> Box<Batch> {
    // SAFETY: `nothing` uses nothing.
    unsafe {
        Batch::new(
            Work {
                run: nothing,
                context: ptr::null(),
            },
            plan,
        )
    }
}

/// Two participants share a batch of the largest size: no number of the claim word or of the latch overflows.
#[test]
fn b1_the_largest_batch_is_partitioned() {
    let injector = Injector::new(0);
    let tasks = Batch::MAX_TASKS;
    let plan = Plan {
        tasks,
        threads: 2,
        helpers: u32::MAX,
        grain: Grain::from_bits(u64::MAX),
    };
    let handle = injector.publish(idle_batch(plan));
    let mut both = [
        injector.take().expect("it is there"),
        handle.claim().expect("it is there"),
    ];
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

/// More workers come than the claim word can count: it refuses them, and its other numbers are left alone.
#[test]
fn b4_helpers_are_counted_to_the_end() {
    let injector = Injector::new(0);
    let limit = (1 << 20) - 1;
    let tasks = limit + 5;
    let plan = Plan {
        tasks,
        threads: u32::MAX,
        helpers: u32::MAX,
        grain: Grain::SINGLE,
    };
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

/// Nobody looks into the queue but who publishes: drained nodes are unlinked and freed all the same.
#[test]
fn n2_nodes_are_freed_along_the_way() {
    let census = Census::new();
    let injector = census.enrol(|| Injector::new(0));
    let batches = if cfg!(miri) { 300 } else { 20_000 };
    for batch in 1..=batches {
        let plan = Plan {
            tasks: 1,
            threads: 1,
            helpers: 1,
            grain: Grain::SINGLE,
        };
        let handle = injector.publish(census.enrol(|| idle_batch(plan)));
        let mut claim = handle.claim().expect("nobody else is here");
        claim.run();
        injector.complete(claim);
        injector.release(handle);
        if batch % 1_000 == 0 {
            let Counts { born, dead, .. } = census.counts();
            assert!(born - dead < 1_000, "{} of {born} nodes are alive", born - dead);
        }
    }
    drop(injector);
    census::flush();
    assert_eq!(census.counts(), Counts::all_dead(batches + 1));
}
