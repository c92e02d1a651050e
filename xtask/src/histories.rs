//! `cargo xtask histories`: recorded histories of real threads once more, with as many operations as one has patience for.
//!
//! The test is that of plain `cargo test`; only the number of operations differs. It records and judges round by round, so
//! that memory does not grow with the number, and tells how far it is.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Parser;

use crate::environment;

/// The test, and the variable that it takes its number from.
const TEST: &str = "q1_recorded_histories_are_linearizable";
const VARIABLE: &str = "ZERO_POOL_HISTORY";

/// Records and judges histories of real threads. A hundred million operations took 25 s on two cores.
#[derive(Parser)]
pub struct Args {
    /// How many operations are recorded at least; plain `cargo test` has ten million.
    #[arg(long, default_value_t = 100_000_000)]
    operations: u64,
}

/// Builds and runs the test.
pub fn run(args: &Args) -> Result<ExitCode> {
    environment::refuse_changed_builds()?;
    let status = Command::new("cargo")
        .args(["test", "--package", "proptests", "--test", "histories", "--", "--exact", TEST, "--nocapture"])
        .env(VARIABLE, args.operations.to_string())
        .status()
        .context("cargo could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
