//! What an ordering in a source file is, and where it stands.

use std::fmt;
use std::ops::Range;

/// A memory ordering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    Relaxed,
    Acquire,
    Release,
    AcqRel,
    SeqCst,
}

impl Order {
    const ALL: [Self; 5] = [Self::Relaxed, Self::Acquire, Self::Release, Self::AcqRel, Self::SeqCst];

    /// Returns the ordering of this name, if it is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.to_string() == name)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What an ordering belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Load,
    Store,
    /// A read-modify-write that always succeeds.
    Rmw,
    /// The write of a compare-exchange.
    CasSuccess,
    /// The load of a failed compare-exchange.
    CasFailure,
    Fence,
}

/// One ordering in a source file.
#[derive(Clone, Debug)]
pub struct Site {
    /// The path in the workspace.
    pub file: String,
    /// The line of the ordering.
    pub line: usize,
    /// The type and the function around it.
    pub function: String,
    /// The operation, as `self.head.load` or `self.tail.compare_exchange, success`. The second of the same name in one
    /// function has `(2)` behind its name.
    pub operation: String,
    /// What the ordering belongs to.
    pub kind: Kind,
    /// The ordering.
    pub order: Order,
    /// Where an edit goes: the ordering, or the whole call of a fence.
    pub span: Range<usize>,
    /// The ordering as it is written.
    pub written: String,
}
