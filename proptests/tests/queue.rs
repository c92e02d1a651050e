//! Properties of the queue and of its batches, by programs on the injector.
//!
//! Each property runs programs of one shape and judges all of it; its name says which invariant the shape is made for.
//! See `proptests::program` for what is compared, and with what.

use std::time::Duration;

use proptest::prelude::*;
use proptests::census::NodeAllocator;
use proptests::program::{self, Shape, Step, steps};
use proptests::watchdog::watch;

#[global_allocator]
static ALLOCATOR: NodeAllocator = NodeAllocator;

/// Long beyond what any of these takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Batches that admit everybody and never panic.
fn plain(tasks: u64) -> Shape {
    Shape { tasks: 1..=tasks, helpers: 1000..=1000, panics: 0..=0 }
}

fn run(test: &'static str, steps: &[Step]) {
    let _watchdog = watch(test, DEADLINE);
    program::run(steps);
}

/// The steps of three threads.
fn threads(shape: Shape) -> impl Strategy<Value = Vec<Vec<Step>>> {
    prop::collection::vec(steps(shape, 40), 3)
}

fn run_on_threads(test: &'static str, programs: &[Vec<Step>]) {
    let _watchdog = watch(test, DEADLINE);
    program::run_on_threads(programs, 30);
}

proptest! {
    #![proptest_config(proptests::config!(3_000))]

    #[test]
    fn q1_batches_are_served_in_their_order(steps in steps(plain(6), 60)) {
        run("q1_batches_are_served_in_their_order", &steps);
    }

    #[test]
    fn q5_what_is_drained_is_empty(steps in steps(plain(1), 40)) {
        run("q5_what_is_drained_is_empty", &steps);
    }

    #[test]
    fn b1_each_task_is_run_once(steps in steps(plain(300), 60)) {
        run("b1_each_task_is_run_once", &steps);
    }

    #[test]
    fn b4_no_more_workers_join_than_are_admitted(steps in steps(Shape { helpers: 0..=2, ..plain(12) }, 60)) {
        run("b4_no_more_workers_join_than_are_admitted", &steps);
    }

    #[test]
    fn b5_the_first_payload_is_given_out_once(
        steps in steps(Shape { panics: 0..=3, helpers: 0..=3, ..plain(8) }, 60),
    ) {
        run("b5_the_first_payload_is_given_out_once", &steps);
    }

    #[test]
    fn n2_nodes_are_freed_once(steps in steps(Shape { helpers: 0..=1, ..plain(2) }, 200)) {
        run("n2_nodes_are_freed_once", &steps);
    }
}

proptest! {
    #![proptest_config(proptests::config!(200))]

    #[test]
    fn b4_the_cap_holds_against_threads(programs in threads(Shape { helpers: 0..=2, ..plain(30) })) {
        run_on_threads("b4_the_cap_holds_against_threads", &programs);
    }

    #[test]
    fn b6_one_of_the_clones_is_the_last(programs in threads(Shape { panics: 1..=1, ..plain(1) })) {
        run_on_threads("b6_one_of_the_clones_is_the_last", &programs);
    }

    #[test]
    fn n2_nodes_are_freed_once_by_threads(programs in threads(Shape { panics: 0..=9, ..plain(3) })) {
        run_on_threads("n2_nodes_are_freed_once_by_threads", &programs);
    }
}
