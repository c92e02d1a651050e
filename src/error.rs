//! Why a pool could not be made.

use core::fmt;
use std::error::Error;
use std::io;

/// Why [`Builder::build`](crate::Builder::build) made no pool. No thread is left in any case.
///
/// # Examples
///
/// ```
/// use zero_pool::{BuildError, ZeroPool};
///
/// let error = ZeroPool::builder().workers(0).build().unwrap_err();
/// assert!(matches!(error, BuildError::NoWorkers));
/// assert_eq!(error.to_string(), "a pool needs at least one worker");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A pool without a worker was asked for.
    NoWorkers,
    /// More workers than a pool can have.
    TooManyWorkers {
        /// How many were asked for.
        asked: usize,
        /// How many there can be.
        most: usize,
    },
    /// The system did not start a thread: there are too many, or its stack does not fit.
    Spawn {
        /// The number of the worker, from zero.
        worker: usize,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => f.write_str("a pool needs at least one worker"),
            Self::TooManyWorkers { asked, most } => {
                write!(f, "{asked} workers are too many: a pool has at most {most}")
            }
            Self::Spawn { worker, source } => write!(f, "worker {worker} could not be started: {source}"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Spawn { source, .. } => Some(source),
            Self::NoWorkers | Self::TooManyWorkers { .. } => None,
        }
    }
}
