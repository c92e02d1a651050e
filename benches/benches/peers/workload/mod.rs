//! The workloads: rows of the comparison, each of which asks every peer the same.

use std::sync::Arc;

use benches::stats;

use crate::measure::{Budget, Outcome};
use crate::peer::{Pool, PoolVisitor, Session, Visitor};

mod forks;
mod load;
mod loops;
mod producers;
mod resources;
mod submissions;

/// What the figures of a row are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds per operation.
    Time,
    /// Milliseconds of processor time per second.
    CpuPerSecond,
    /// A number.
    Count,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// Differences below this are none: what the measuring thread itself uses, and what amortises to nothing.
    pub(crate) fn margin(self) -> f64 {
        match self {
            Self::Time => 0.0,
            Self::CpuPerSecond => 2.0,
            Self::Count => 0.1,
            Self::Bytes => 2.0,
        }
    }

    pub(crate) fn write(self, value: f64) -> String {
        match self {
            Self::Time => stats::time(value),
            Self::CpuPerSecond => format!("{} ms/s", stats::number(value)),
            Self::Count => stats::number(value),
            Self::Bytes => format!("{} B", stats::number(value)),
        }
    }
}

/// One row.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) unit: Unit,
    /// Whether the tasks take so long that half of the sequential time is a bound: below it, work was removed.
    pub(crate) real_work: bool,
    /// Whether one round shows all that there is to see.
    pub(crate) once: bool,
    question: Question,
}

#[derive(Clone)]
enum Question {
    Loop(Arc<loops::Loop>),
    Submission(submissions::Submission),
    Producers(producers::Producers),
    Fork(forks::Fork),
    Resource(resources::Resource),
}

impl Row {
    /// Makes a row of times whose work is next to nothing.
    fn new(group: &'static str, name: impl Into<String>, question: Question) -> Self {
        Self { group, name: name.into(), unit: Unit::Time, real_work: false, once: false, question }
    }

    /// Returns group and name in one, to be filtered and printed.
    pub(crate) fn title(&self) -> String {
        format!("{}, {}", self.group, self.name)
    }
}

/// Returns all rows, in the order of the report.
pub(crate) fn rows() -> Vec<Row> {
    [loops::rows(), submissions::rows(), producers::rows(), forks::rows(), resources::rows()].concat()
}

/// Asks a row of a pool.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) row: &'a Row,
    pub(crate) budget: &'a Budget,
}

impl PoolVisitor for Ask<'_> {
    type Out = Outcome;

    fn visit<P: Pool>(self, pool: &P) -> Outcome {
        match &self.row.question {
            Question::Producers(question) => question.ask(pool, self.budget),
            _ => pool.enter(self),
        }
    }
}

impl Visitor for Ask<'_> {
    type Out = Outcome;

    fn visit<S: Session>(self, session: &mut S) -> Outcome {
        match &self.row.question {
            Question::Loop(question) => question.ask(session, self.budget),
            Question::Submission(question) => question.ask(session, self.budget),
            Question::Fork(question) => question.ask(session, self.budget),
            Question::Resource(question) => question.ask(session, self.budget),
            Question::Producers(_) => unreachable!("these ask the pool"),
        }
    }
}
