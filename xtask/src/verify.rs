//! `cargo xtask verify`: all checks of plain `cargo test` that rest on loom once more, on a loom that misses less.
//!
//! Four steps, each of which is worth something only if the one before held:
//!
//! 1. a copy of the pinned loom is repaired, and a copy of the workspace built on it (`checker`);
//! 2. the litmus programs show, by outcomes that loom as published misses, that the repaired loom is the one that runs;
//! 3. random programs are compared with brute force, and no outcome may be missing; others run on the queue and its batches,
//!    and are judged against the sequential specification;
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
    /// How many random programs of two threads run on the queue, under each reclaimer, with a tenth of that of three.
    #[arg(long, value_name = "N", default_value_t = 500)]
    queue_programs: usize,
    /// Leaves the mutants out.
    #[arg(long)]
    no_mutants: bool,
    /// How many checks run at a time [default: one on each core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
}

/// Files of the driver's table: random programs on bare atomics, those on the queue, and litmus programs.
const PROGRAMS: &str = "programs";
const FIFO: &str = "fifo";
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
    let families = of_file(&build, PROGRAMS)?.len();
    run_programs(&build, PROGRAMS, args.programs.div_ceil(families), orders.jobs())?;
    run_programs(&build, FIFO, args.queue_programs, orders.jobs())?;
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

/// Runs so many random programs of each kind in a file; one that fails ends the run.
fn run_programs(build: &Build, file: &'static str, each: usize, jobs: usize) -> Result<()> {
    let (checks, each) = (of_file(build, file)?, each.to_string());
    let progress = Progress::new(file, checks.len());
    let notes = share(jobs, checks.len(), |at| {
        let (end, time) = build.driver.run(checks[at], &[(PROGRAMS_VARIABLE, &each)], PROGRAMS_DEADLINE)?;
        match end {
            End::Passed(notes) => {
                let note = format!("{}: {}", checks[at], notes.join("; "));
                progress.step(&format!("{note}, {:.0} s", time.as_secs_f64()));
                Ok(note)
            }
            End::Failed { message, .. } => bail!("{}: {message}", checks[at]),
            End::CutOff => bail!("{} is cut off after {} s", checks[at], time.as_secs()),
        }
    })?;
    notes.iter().for_each(|note| println!("{note}"));
    Ok(())
}
