//! `cargo xtask shuttle`: the generated worlds once more, with as many schedules as one has patience for.
//!
//! The worlds are those of `cargo test -p shuttle_tests`, and so is the build; only their number differs, and the number that
//! the scenarios are generated from. That is the time of day unless it is given, so that each deep run sees new ones.

use std::process::{Command, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Parser;

use crate::environment;

/// Runs generated worlds under many schedules. Two cores do some ten thousand in a second.
#[derive(Parser)]
pub struct Args {
    /// How many schedules there are in all.
    #[arg(long, default_value_t = 1_000_000)]
    schedules: u64,
    /// Which scenarios are generated; a new choice each time if it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// What the driver of the worlds takes: a filter, `--list`, `--test-threads` and so on.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "generated::")]
    driver: Vec<String>,
}

/// Builds and runs them.
pub fn run(args: &Args) -> Result<ExitCode> {
    environment::refuse_changed_builds()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let seed = args.seed.unwrap_or(now);
    println!("seed {seed}: repeat this run with --seed {seed}");
    let status = Command::new("cargo")
        .args(["test", "--package", "shuttle_tests", "--test", "worlds", "--"])
        .args(&args.driver)
        .env("ZERO_POOL_SCHEDULES", args.schedules.to_string())
        .env("ZERO_POOL_SEED", seed.to_string())
        .status()
        .context("cargo could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
