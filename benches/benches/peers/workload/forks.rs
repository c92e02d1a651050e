//! Forks: a function that calls itself by `join`, with leaves of next to nothing and with leaves that are worth a thread.

use core::hint::black_box;

use benches::work::{chain, steps};

use super::{Question, Row};
use crate::measure::{Budget, Outcome, expect, timed};
use crate::peer::Session;

#[derive(Clone, Copy)]
pub(crate) enum Fork {
    Fibonacci,
    Leaves,
}

/// The number that is computed, by 832,039 calls.
const N: u64 = 27;
const NTH: u64 = 196_418;
const LEAVES: u64 = 16;
/// How long a leaf takes, in nanoseconds.
const LEAF: f64 = 160_000.0;

pub(crate) fn rows() -> Vec<Row> {
    let row = |name: &str, question| Row::new("fork and join", name, Question::Fork(question));
    let leaves = Row { real_work: true, ..row("16 leaves of 160 us", Fork::Leaves) };
    vec![row("fib(27)", Fork::Fibonacci), leaves]
}

fn fibonacci<S: Session>(session: &mut S, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = session.join(|session| fibonacci(session, n - 1), |session| fibonacci(session, n - 2));
    a + b
}

fn leaves<S: Session>(session: &mut S, first: u64, count: u64, steps: u64) -> u64 {
    if count == 1 {
        return chain(first, steps);
    }
    let half = count / 2;
    let left = |session: &mut S| leaves(session, first, half, steps);
    let right = |session: &mut S| leaves(session, first + half, count - half, steps);
    let (left, right) = session.join(left, right);
    left ^ right
}

impl Fork {
    pub(crate) fn ask<S: Session>(self, session: &mut S, budget: &Budget) -> Outcome {
        let found = core::cell::Cell::new(0);
        match self {
            Self::Fibonacci if !S::CHEAP_JOIN => Ok(None),
            Self::Fibonacci => {
                let call =
                    |_| session.fork(|session| fibonacci(session, black_box(N))).map(|nth| found.set(nth));
                timed(budget, call, |_| expect("fib(27)", found.take(), NTH))
            }
            Self::Leaves => {
                let steps = steps(LEAF);
                let expected = (0..LEAVES).fold(0, |all, leaf| all ^ chain(leaf, steps));
                let call =
                    |_| session.fork(|session| leaves(session, 0, LEAVES, steps)).map(|all| found.set(all));
                timed(budget, call, |_| expect("leaves", found.take(), expected))
            }
        }
    }
}
