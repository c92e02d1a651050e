//! Random programs on one injector, beside the sequential specification.
//!
//! A program is a list of [`Step`]s. It runs on one thread, on which several *participants* take turns: each may hold
//! one claim, of which it runs a range, claims the next, and at last completes, while the others do something in between.
//! After each step the injector has answered what the specification (`spec`) answers, and is in its state. Every number
//! of a step is valid: a step that is not possible does what comes nearest to it, so that lists can be shrunk freely.
//!
//! A program ends by the rules: what was claimed is run and completed, what was not is claimed, handles are released.
//! Then each task ran once, no payload is left, and each node was freed once ([`census`]).
//!
//! No program strands tasks. Real participants claim until their batch is exhausted; here they may leave earlier, as
//! long as somebody else can claim what they leave.
//!
//! # Files
//!
//! - `job`: the tasks.
//! - `spec`: the specification.
//! - `world`: the injector, and the comparison.
//! - `threads`: the same steps on real threads, where only the end can be judged.

mod job;
mod spec;
mod threads;
mod world;

use std::ops::RangeInclusive;

use proptest::prelude::*;
use zero_pool::batch::Plan;
use zero_pool::grain::Grain;

use self::world::World;
use crate::census::{self, Census, Counts};

pub use self::threads::run_on_threads;

/// How many participants take turns in a program.
const PARTICIPANTS: usize = 4;

/// What batches are like in a program.
#[derive(Clone, Debug)]
pub struct Shape {
    /// How many tasks they have.
    pub tasks: RangeInclusive<u64>,
    /// How many workers they admit.
    pub helpers: RangeInclusive<u32>,
    /// Every task whose index is a multiple of such a number panics, or none if it is zero.
    pub panics: RangeInclusive<u64>,
}

/// One step of a program.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "`who` is a participant, `batch` counts from the newest")]
pub enum Step {
    /// Somebody publishes a batch and keeps its handle.
    Publish { plan: Plan, panics: u64 },
    /// An idle participant joins a batch through the queue.
    Take { who: usize },
    /// An idle participant claims through a handle.
    Own { who: usize, batch: usize },
    /// An idle participant joins a batch through a handle, as a guest.
    Visit { who: usize, batch: usize },
    /// A busy participant runs what it claimed, claims more, or completes, whichever is next.
    Work { who: usize, grain: Option<Grain> },
    /// A busy participant completes although tasks are left.
    Leave { who: usize },
    /// Somebody asks a handle whether the batch is finished, and for its outcome.
    Ask { batch: usize },
    /// A handle is cloned.
    Clone { batch: usize },
    /// A handle is given up; the last one is released.
    Release { batch: usize },
}

/// Makes the steps of a program, at most `length` of them.
pub fn steps(shape: Shape, length: usize) -> impl Strategy<Value = Vec<Step>> {
    let grain = || (0..6_u64).prop_map(Grain::from_bits);
    let plan = (shape.tasks, 0..5_u32, shape.helpers, grain())
        .prop_map(|(tasks, threads, helpers, grain)| Plan { tasks, threads, helpers, grain });
    let who = || 0..PARTICIPANTS;
    let batch = || 0..8_usize;
    let step = prop_oneof![
        3 => (plan, shape.panics).prop_map(|(plan, panics)| Step::Publish { plan, panics }),
        4 => who().prop_map(|who| Step::Take { who }),
        2 => (who(), batch()).prop_map(|(who, batch)| Step::Own { who, batch }),
        1 => (who(), batch()).prop_map(|(who, batch)| Step::Visit { who, batch }),
        8 => (who(), prop::option::weighted(0.3, grain())).prop_map(|(who, grain)| Step::Work { who, grain }),
        1 => who().prop_map(|who| Step::Leave { who }),
        2 => batch().prop_map(|batch| Step::Ask { batch }),
        1 => batch().prop_map(|batch| Step::Clone { batch }),
        3 => batch().prop_map(|batch| Step::Release { batch }),
    ];
    prop::collection::vec(step, 0..=length)
}

/// Runs a program beside the specification, and panics where they differ.
pub fn run(steps: &[Step]) {
    let census = Census::new();
    let mut world = World::new(&census);
    for &step in steps {
        world.step(step);
        world.compare();
    }
    let batches = world.end();
    census::flush();
    assert_all_dead(&census, batches);
}

/// Asserts that the nodes of so many batches, and the sentinel, were freed once each.
fn assert_all_dead(census: &Census, batches: usize) {
    assert_eq!(census.counts(), Counts::all_dead(batches + 1), "N2: nodes are freed once, and none is left");
}
