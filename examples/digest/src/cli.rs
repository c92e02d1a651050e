//! The command line.

use std::num::NonZero;
use std::path::PathBuf;
use std::thread;

use clap::{Parser, ValueEnum};

/// SHA-256 of every file below the given paths, as sha256sum prints it, computed on a thread pool.
///
/// Files are listed in the order of the bytes of their paths. Below a folder, only regular files are hashed, and
/// symbolic links are not followed; they are where they are given as a PATH. The last line on the standard error tells
/// how long the hashing took, from before the pool's threads start to after they end, without the search for files.
#[derive(Debug, Parser)]
#[command(name = "digest", version)]
pub(crate) struct Options {
    /// Files, and folders to search [default: this program's repository, without folders `target` and `.git`]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Read a list from FILE, or from the standard input if it is `-`, and verify the files in it
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    pub(crate) check: Option<PathBuf>,

    /// Number of threads that hash at the same time [default: what the machine has]
    #[arg(long, value_name = "N", value_parser = parse_workers)]
    workers: Option<NonZero<usize>>,

    /// What runs the tasks
    #[arg(long, value_enum, default_value_t = PoolKind::Zero)]
    pub(crate) pool: PoolKind,

    /// When to show a progress bar; `auto` means when the standard error is a terminal
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    pub(crate) progress: When,
}

/// What runs the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PoolKind {
    /// A `zero_pool::ZeroPool`
    Zero,
    /// A `rayon::ThreadPool` of the same size
    Rayon,
    /// No pool: the calling thread alone
    Sequential,
}

/// When to show a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// When the standard error is a terminal
    Auto,
    /// Also when it is none
    Always,
    /// Never
    Never,
}

impl Options {
    /// Returns how many threads the pool shall have.
    pub(crate) fn workers(&self) -> usize {
        match self.workers {
            Some(workers) => workers.get(),
            None => thread::available_parallelism().map_or(1, NonZero::get),
        }
    }
}

/// More threads than this do not hash faster anywhere, and a system may not have them.
const MAX_WORKERS: usize = 4096;

fn parse_workers(text: &str) -> Result<NonZero<usize>, String> {
    let number: usize = text.parse().map_err(|_| "not a number of workers".to_owned())?;
    if number > MAX_WORKERS {
        return Err(format!("at most {MAX_WORKERS} workers are possible"));
    }
    NonZero::new(number).ok_or_else(|| "at least one worker is needed".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn numbers_of_workers_have_limits() {
        assert_eq!(parse_workers("1").map(NonZero::get), Ok(1));
        assert_eq!(parse_workers("4096").map(NonZero::get), Ok(4096));
        assert_eq!(parse_workers("4097"), Err("at most 4096 workers are possible".to_owned()));
        assert_eq!(parse_workers("0"), Err("at least one worker is needed".to_owned()));
        assert_eq!(parse_workers("-1"), Err("not a number of workers".to_owned()));
    }
}
