//! `cargo xtask verify`: all checks of plain `cargo test` that rest on loom once more, on a loom that misses less.
//!
//! Four steps, each of which is worth something only if the one before held:
//!
//! 1. a copy of the pinned loom is repaired, and a copy of the workspace built on it (`checker`);
//! 2. the litmus programs show, by outcomes that loom as published misses, that the repaired loom is the one that runs;
//! 3. random programs are compared with brute force, and no outcome may be missing;
//! 4. all models run on the code as it is, and on every ordering mutant (`ordmut`).

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::models::{Check, End};
use crate::ordmut::{self, Build};
use crate::progress::Progress;
use crate::share::share;
use crate::{checker, environment, tree};

/// How much to compare.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How many random programs are compared with brute force, all families together.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    programs: usize,
    /// Leaves the mutants out.
    #[arg(long)]
    no_mutants: bool,
    /// How many checks run at a time [default: one on each core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
}

/// The file of the random programs in the driver's table, and of the litmus programs.
const PROGRAMS: &str = "programs";
const LITMUS: &str = "litmus";

/// The variable by which a family is told how many programs to run.
const PROGRAMS_VARIABLE: &str = "ZERO_POOL_PROGRAMS";

/// How long a litmus, and how long a family of programs may take.
const LITMUS_DEADLINE: Duration = Duration::from_secs(120);
const PROGRAMS_DEADLINE: Duration = Duration::from_secs(3600);

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    environment::refuse_changed_builds()?;
    let workspace = tree::workspace()?;
    let scratch = tree::scratch(&workspace, "verify");
    let loom = checker::write(&workspace, &scratch)?;
    let build = Build::repaired(&workspace, scratch, &loom)?;
    let orders = ordmut::Args::all(args.jobs);
    prove_repaired(&build, orders.jobs())?;
    compare_programs(&build, args.programs, orders.jobs())?;
    if args.no_mutants {
        build.baseline(orders.jobs())?;
        return Ok(ExitCode::SUCCESS);
    }
    build.examine(&orders)
}

/// Returns the checks of one file of models.
fn of_file<'a>(build: &'a Build, file: &str) -> Result<Vec<&'a Check>> {
    let checks: Vec<_> = build.checks.iter().filter(|check| check.file == file).collect();
    ensure!(!checks.is_empty(), "the driver has no checks of {file}");
    Ok(checks)
}

/// Sees that the models run on the repaired loom: the litmus programs pin what it shows and the published one does not.
fn prove_repaired(build: &Build, jobs: usize) -> Result<()> {
    let litmus = of_file(build, LITMUS)?;
    let progress = Progress::new("litmus", litmus.len());
    share(jobs, litmus.len(), |at| {
        let (end, time) = build.driver.run(litmus[at], &[], LITMUS_DEADLINE)?;
        if end != End::Passed(Vec::new()) {
            bail!(
                "{} ends as {end:?}: either the models were built on another loom than the repaired one, and then \
                 removing target/verify builds them anew, or a repair of xtask/src/checker/edits.rs is none",
                litmus[at]
            );
        }
        progress.step(&format!("{}: as pinned, {:.2} s", litmus[at], time.as_secs_f64()));
        Ok(())
    })?;
    Ok(())
}

/// Compares random programs with brute force; a missing outcome ends the run.
fn compare_programs(build: &Build, programs: usize, jobs: usize) -> Result<()> {
    let families = of_file(build, PROGRAMS)?;
    let each = programs.div_ceil(families.len()).to_string();
    let progress = Progress::new("programs", families.len());
    let notes = share(jobs, families.len(), |at| {
        let (end, time) = build.driver.run(families[at], &[(PROGRAMS_VARIABLE, &each)], PROGRAMS_DEADLINE)?;
        match end {
            End::Passed(notes) => {
                let notes = notes.join("; ");
                progress.step(&format!("{notes}, {:.0} s", time.as_secs_f64()));
                Ok(notes)
            }
            End::Failed(message) => bail!("{}: {message}", families[at]),
            End::CutOff => bail!("{} is cut off after {} s", families[at], time.as_secs()),
        }
    })?;
    notes.iter().for_each(|note| println!("{note}"));
    Ok(())
}
