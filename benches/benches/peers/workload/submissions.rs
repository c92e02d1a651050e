//! Submissions: tasks that are submitted, one by one or as a batch of parameters that lie ready, and then waited for.

use core::sync::atomic::{AtomicU64, Ordering};

use super::{Question, Row, Unit};
use crate::measure::{Budget, Outcome, expect, timed};
use crate::peer::{Each, Session};

#[derive(Clone, Copy)]
pub(crate) enum Submission {
    /// Submit so many tasks in one call if there is one, and wait.
    Batch(usize),
    /// Submit so many tasks one by one, then wait for all.
    Singles(usize),
}

pub(crate) fn rows() -> Vec<Row> {
    let row = |group, name: String, question| Row {
        group,
        name,
        unit: Unit::Time,
        real_work: false,
        question: Question::Submission(question),
    };
    let mut rows = Vec::new();
    for tasks in [1, 2, 8, 64] {
        rows.push(row("submit and wait", format!("batch of {tasks}"), Submission::Batch(tasks)));
    }
    rows.push(row("submit and wait", "1000 singles".to_owned(), Submission::Singles(1000)));
    rows
}

impl Submission {
    pub(crate) fn ask<S: Session>(self, session: &mut S, budget: &Budget) -> Outcome {
        match self {
            Self::Batch(tasks) => marks(tasks, budget, |params| session.batch(params)),
            Self::Singles(tasks) => marks(tasks, budget, |params| session.scope(Each(params))),
        }
    }
}

/// Measures a call that runs each of these tasks once. They are built beforehand, and every call's own share of a mark is
/// the number of calls so far, as the tasks count them.
fn marks(tasks: usize, budget: &Budget, mut call: impl FnMut(&[Counted<'_>]) -> Option<()>) -> Outcome {
    let places: Vec<_> = (0..tasks).map(|_| AtomicU64::new(0)).collect();
    let params: Vec<_> = places.iter().map(Counted).collect();
    timed(
        budget,
        |_| call(&params),
        |epoch| {
            places.iter().try_for_each(|place| expect("runs of a task", place.load(Ordering::Relaxed), epoch))
        },
    )
}

/// A task that counts its runs, which no two threads do at once.
pub(crate) struct Counted<'a>(&'a AtomicU64);

impl crate::peer::Task for Counted<'_> {
    fn run(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}
