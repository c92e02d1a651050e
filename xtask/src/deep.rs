//! `cargo loom`: the models on the real crossbeam-epoch.
//!
//! Only a cfg in `RUSTFLAGS` reaches the dependencies, so these models are another build, in a target folder of its own. The
//! driver is told to expect the real epochs, and refuses to run when the cfg was lost on the way.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Parser;

use crate::environment;

/// Where that build lies, so that it does not push the everyday one out.
const TARGET: &str = "target/deep";

/// Runs the models on the real crossbeam-epoch. One producer with one consumer takes seconds; some take hours.
#[derive(Parser)]
pub struct Args {
    /// What the driver of the models takes: a filter, `--list`, `--exact` and so on.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    driver: Vec<String>,
}

/// Builds and runs them.
pub fn run(args: &Args) -> Result<ExitCode> {
    environment::refuse_changed_builds()?;
    let status = Command::new("cargo")
        .args(["test", "--package", "loom_tests", "--test", "models", "--target-dir", TARGET, "--"])
        .args(&args.driver)
        .env("RUSTFLAGS", "--cfg loom --cfg crossbeam_loom")
        .env("ZERO_POOL_EXPECT_RECLAIMER", "epoch")
        .status()
        .context("cargo could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
