//! The workloads: rows of the comparison, each of which asks every peer the same.

use std::sync::Arc;

use crate::measure::{Budget, Outcome};
use crate::peer::{Pool, PoolVisitor, Session, Visitor};

pub(crate) mod load;
mod loops;
mod submissions;

/// What the figures of a row are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds per operation.
    Time,
}

/// One row.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) unit: Unit,
    /// Whether the tasks take so long that half of the sequential time is a bound: below it, work was removed.
    pub(crate) real_work: bool,
    question: Question,
}

#[derive(Clone)]
enum Question {
    Loop(Arc<loops::Loop>),
    Submission(submissions::Submission),
}

impl Row {
    /// Returns group and name in one, to be filtered and printed.
    pub(crate) fn title(&self) -> String {
        format!("{}, {}", self.group, self.name)
    }
}

/// Returns all rows, in the order of the report.
pub(crate) fn rows() -> Vec<Row> {
    [loops::rows(), submissions::rows()].concat()
}

/// Asks a row of a pool.
pub(crate) struct Ask<'a> {
    pub(crate) row: &'a Row,
    pub(crate) budget: &'a Budget,
}

impl PoolVisitor for Ask<'_> {
    type Out = Outcome;

    fn visit<P: Pool>(self, pool: &P) -> Outcome {
        pool.enter(self)
    }
}

impl Visitor for Ask<'_> {
    type Out = Outcome;

    fn visit<S: Session>(self, session: &mut S) -> Outcome {
        match &self.row.question {
            Question::Loop(question) => question.ask(session, self.budget),
            Question::Submission(question) => question.ask(session, self.budget),
        }
    }
}
