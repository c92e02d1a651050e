//! Random programs on the real queue and its batches, judged against the sequential specification.
//!
//! The models beside this one are programs that somebody thought of. Here a program is drawn from a number: two or three
//! threads push batches of one to three tasks, take from the oldest, take from their own, and now and then tell each other
//! how far they are. loom runs it in every schedule within the bound, and in each one some order of the steps must
//! explain all answers (`judge.rs`). A wrong order, a false EMPTY, a task given out twice or lost, and of course each
//! race and each touch of a dead node, fails; then the program is made as small as it gets (`shrink.rs`).
//!
//! **A control.** The same programs run on a queue that swaps and then links, as the predecessor did (`queues.rs`). The search
//! must refute it, and shrink what it found to one push beside a push and a take: the producer that stopped between its
//! two steps hides the other's batch from the other itself.

mod explore;
mod judge;
mod queues;
mod script;
mod shrink;

use self::explore::explore;
use self::queues::{Fifo, Ours, SwapThenLink};
use self::script::{Family, Script};
use crate::child::NOTE;
use crate::support::{Body, KILLERS, Model, NO_RECLAIMER, ORACLES, THREE, programs_asked_for};

pub use self::shrink::explain;

/// A kind of programs, and how many of them every run explores under each reclaimer. Programs of three threads have ten
/// times as many schedules, so that of these the environment raises the number to a tenth of what it asks for.
struct Kind {
    family: Family,
    programs: usize,
    part: usize,
}

const OF_TWO_THREADS: Kind =
    Kind { family: Family { seed: 5 << 32, threads: 2, steps: (3, 6) }, programs: 58, part: 1 };
const OF_THREE_THREADS: Kind =
    Kind { family: Family { seed: 6 << 32, threads: 3, steps: (3, 3) }, programs: 6, part: 10 };

/// Explores the programs of a kind on `F`, or the one that the environment names.
fn run<F: Fifo>(model: &'static str, kind: &Kind) -> usize {
    if let Ok(text) = std::env::var(shrink::SCRIPT_VARIABLE) {
        let script =
            text.parse().unwrap_or_else(|wrong| panic!("{} is wrong: {wrong}", shrink::SCRIPT_VARIABLE));
        shrink::begin(model, &script);
        return explore::<F>(&script, THREE);
    }
    let programs = programs_asked_for(kind.programs * kind.part) / kind.part;
    let mut schedules = 0;
    for number in 0..programs {
        let script = Script::draw(&kind.family, number);
        shrink::begin(model, &script);
        schedules += explore::<F>(&script, THREE);
    }
    println!("{NOTE}{programs} programs on the queue, {schedules} schedules, every run explained");
    schedules
}

const REFUTED: &str = "programs_refute_swap_then_link";

/// What the refutation shrinks to: two producers, of whom the second takes.
const MINIMAL: [&str; 2] = [" | push1 | push1 take", " | push1 take | push1"];

/// Explores on the queue that swaps and then links, until a program fails, and shrinks that.
fn refute() -> usize {
    if std::env::var_os(shrink::SCRIPT_VARIABLE).is_some() {
        return run::<SwapThenLink>(REFUTED, &OF_TWO_THREADS);
    }
    let scripts = (0..OF_TWO_THREADS.programs).map(|number| Script::draw(&OF_TWO_THREADS.family, number));
    let mut tried = 0;
    let refuted = scripts.inspect(|_| tried += 1).find(|script| shrink::fails(REFUTED, script));
    let refuted = refuted.expect("a queue that swaps and then links passes: the programs find nothing");
    let smallest = shrink::smallest(REFUTED, refuted).to_string();
    println!("{NOTE}swap-then-link is refuted by program {tried}, which shrinks to: {smallest}");
    assert!(MINIMAL.contains(&smallest.as_str()), "it shrinks to {smallest:?}");
    // Every program was explored in a process of its own.
    tried.max(2)
}

const fn model(name: &'static str, oracles: &'static [&'static str], body: fn() -> usize) -> Model {
    Model { name, file: "fifo", bound: THREE, oracles, body: Body::Many(body) }
}

/// The models of this file.
pub const TABLE: &[Model] = &[
    model("programs_of_two_threads_on_the_queue", ORACLES, || {
        run::<Ours>("programs_of_two_threads_on_the_queue", &OF_TWO_THREADS)
    }),
    model("programs_of_three_threads_on_the_queue", KILLERS, || {
        run::<Ours>("programs_of_three_threads_on_the_queue", &OF_THREE_THREADS)
    }),
    model(REFUTED, NO_RECLAIMER, refute),
];
