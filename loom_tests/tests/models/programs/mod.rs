//! Random programs of a few accesses: does loom show what brute force finds?
//!
//! ```text
//!   a number ──draw──▶ a program ──every schedule──▶ what loom shows ─┐
//!           (program.rs)    │      (on_loom.rs)                       ├── none of these may be missing there
//!                           └──────every step──────▶ what a machine finds ─┘
//!                                  (machine.rs)
//! ```
//!
//! **What the comparison shows.** The machine is a part of C11: it runs one step after the other, a write is never put
//! before an older one, and what it reads may be old. loom promises all of this, so an outcome of the machine that loom does
//! not show is a schedule that loom missed. The outcomes that one memory without delay has, the sequentially consistent
//! ones, are among them, and are counted apart.
//!
//! **What it does not show.** The other direction: loom has outcomes that the machine has not, for it also puts a write before
//! an older one. Whether C11 allows each of them is not judged here; one too many would cost a false alarm, and no bug.
//! Nothing is said of locks, condition variables and threads that wait, and programs are small: two or three threads with
//! up to five steps each, and no preemption bound.
//!
//! On loom as published some outcomes are missing, and the number is pinned, so that a loom that misses more fails here. On the
//! repaired checker none may be missing. See `docs/verification.md`.

mod known;
mod machine;
mod on_loom;
mod program;

use std::ops::AddAssign;

use self::machine::{Memory, Outcome};
use self::program::{Family, Program};
use crate::checker::Checker;
use crate::child::NOTE;
use crate::support::{Body, Bound, Model, NO_RECLAIMER, programs_asked_for};

pub use self::known::own_tests;

/// How many programs of each family every run compares.
const PROGRAMS: usize = 100;

/// A family of programs, and what loom as published misses of its first [`PROGRAMS`].
struct Comparison {
    name: &'static str,
    family: Family,
    stock_misses: usize,
}

const TWO_THREADS: Comparison = Comparison {
    name: "two threads",
    family: Family { seed: 1 << 32, threads: 2, steps: (2, 5), total: 10, atomics: 2, fences: false },
    stock_misses: 35,
};

const TWO_WITH_FENCES: Comparison = Comparison {
    name: "two threads with fences",
    family: Family { seed: 2 << 32, threads: 2, steps: (3, 5), total: 10, atomics: 3, fences: true },
    stock_misses: 10,
};

const THREE_THREADS: Comparison = Comparison {
    name: "three threads",
    family: Family { seed: 3 << 32, threads: 3, steps: (1, 3), total: 6, atomics: 2, fences: false },
    stock_misses: 9,
};

const THREE_WITH_FENCES: Comparison = Comparison {
    name: "three threads with fences",
    family: Family { seed: 4 << 32, threads: 3, steps: (1, 4), total: 8, atomics: 2, fences: true },
    stock_misses: 22,
};

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    schedules: usize,
    outcomes: usize,
    sequential: usize,
    missed: usize,
    missed_sequential: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.outcomes += other.outcomes;
        self.sequential += other.sequential;
        self.missed += other.missed;
        self.missed_sequential += other.missed_sequential;
    }
}

/// Compares one program; also returns the outcomes that loom missed.
fn compare(program: &Program) -> (Counts, Vec<Outcome>) {
    let sequential = machine::outcomes(program, Memory::Sequential);
    let all = machine::outcomes(program, Memory::Weak);
    assert!(sequential.is_subset(&all), "the machine contradicts itself:\n{program}");
    let (shown, schedules) = on_loom::outcomes(program);
    let counts = Counts {
        schedules,
        outcomes: all.len(),
        sequential: sequential.len(),
        missed: all.difference(&shown).count(),
        missed_sequential: sequential.difference(&shown).count(),
    };
    (counts, all.difference(&shown).cloned().collect())
}

impl Comparison {
    /// Compares the programs of the family, tells what was found, and returns the number of schedules.
    fn run(&self) -> usize {
        let checker = Checker::current();
        let (mut sum, mut pinned) = (Counts::default(), 0);
        let programs = programs_asked_for(PROGRAMS);
        for number in 0..programs {
            let program = Program::draw(&self.family, number);
            let (counts, missed) = compare(&program);
            assert!(
                checker == Checker::Stock || missed.is_empty(),
                "loom misses outcomes of program {number}:\n{program}  of which the threads read {missed:?}"
            );
            sum += counts;
            pinned += if number < PROGRAMS { counts.missed } else { 0 };
        }
        println!("{NOTE}{}: {}", self.name, tell(programs, &sum));
        let expected = if checker == Checker::Stock { self.stock_misses } else { 0 };
        assert_eq!(pinned, expected, "outcomes that loom misses of the first {PROGRAMS} programs");
        sum.schedules
    }
}

fn tell(programs: usize, sum: &Counts) -> String {
    format!(
        "{programs} programs, {} outcomes ({} sequentially consistent), {} missed ({} of these)",
        sum.outcomes, sum.sequential, sum.missed, sum.missed_sequential
    )
}

const fn model(name: &'static str, body: fn() -> usize) -> Model {
    Model { name, file: "programs", bound: Bound::None, oracles: NO_RECLAIMER, body: Body::Many(body) }
}

/// The models of this file.
pub const TABLE: &[Model] = &[
    model("programs_of_two_threads", || TWO_THREADS.run()),
    model("programs_of_two_threads_with_fences", || TWO_WITH_FENCES.run()),
    model("programs_of_three_threads", || THREE_THREADS.run()),
    model("programs_of_three_threads_with_fences", || THREE_WITH_FENCES.run()),
];
