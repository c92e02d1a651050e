//! `digest` hashes every file below the given paths with SHA-256, on zero-pool, and prints what coreutils' `sha256sum`
//! would print, in an order that does not depend on the number of workers. `--check` verifies such a list.
//!
//! It demonstrates the pool on real input: one task per file, of very different sizes, with results written into
//! memory that the caller owns. `--pool` runs the same tasks on rayon or on the calling thread alone, to compare.
//!
//! ```text
//!   cargo run --release -p digest-example -- /usr/share > list
//!   sha256sum --check --quiet list
//! ```
//!
//! ```text
//!   cli       options                      format    lines of a list: escape, write, parse (pure)
//!   list      paths in, list out           check     list in, verdicts out
//!   walk      paths to files               hash      a file to its digest
//!   run       files to digests, on a pool  progress  files, bytes per second, time left
//!   message   lines for the standard error
//! ```
//!
//! The exit code is 0 when everything was hashed or verified, 1 when something was not, 2 when the command line was
//! wrong, and 141 when whoever read the output left early.

#![forbid(unsafe_code)]

mod check;
mod cli;
mod format;
mod hash;
mod list;
mod message;
mod progress;
mod run;
mod walk;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let options = cli::Options::parse();
    let outcome = match &options.check {
        Some(file) => check::check(file, &options),
        None => list::list(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => message::fatal(&error),
    }
}
