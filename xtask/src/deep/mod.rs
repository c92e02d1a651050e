//! `cargo loom`: the models on the real crossbeam-epoch, which take long.
//!
//! Only a cfg in `RUSTFLAGS` reaches the dependencies, so these models are another build, in a target folder of its own. The
//! driver is told to expect the real epochs, and refuses to run when the cfg was lost on the way.
//!
//! ```text
//!   driver --list ──▶ checks ──shard──▶ one process each (run.rs) ──▶ report (report.rs) ──merge──▶ report of all parts
//!                                            │    ▲
//!                                            ▼    │ --resume
//!                                          checkpoint
//! ```
//!
//! A check that is stopped, or whose machine is, goes on from its last checkpoint. Report and checkpoints name the sources that
//! they were made from, by a hash, as a path of loom's means nothing to another program.
//!
//! Parts for several machines are parts of the list of checks, or with `--split` of each check (split.rs).

mod report;
mod run;
mod shard;
mod sources;
mod split;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;

use self::report::{About, Report, State};
use self::run::{Runner, checkpoint_of};
use self::shard::Shard;
use crate::models::{Check, Driver};
use crate::share::share;
use crate::{cargo, environment, tree};

/// What the driver is told of its build.
const TOLD: (&str, &str) = ("ZERO_POOL_EXPECT_RECLAIMER", "epoch");

/// The bound of the models, unless another is asked for.
const BOUND: usize = 3;

/// Runs the models on the real crossbeam-epoch. One producer with one consumer takes seconds; some take hours.
#[derive(Parser)]
pub struct Args {
    /// Runs one part of the checks, such as 2/3, the second of three.
    #[arg(long, value_name = "I/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Makes parts of each check, and not of their list.
    #[arg(long)]
    split: bool,
    /// How many preemptions a schedule has at the most.
    #[arg(long, value_name = "N", default_value_t = BOUND)]
    bound: usize,
    /// Stops each check after so many minutes, with a checkpoint.
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    /// Goes on where an earlier run of the same command stopped.
    #[arg(long)]
    resume: bool,
    /// Where the report and the checkpoints lie [default: run in target/deep].
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Puts the reports of all parts together, and runs nothing.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["resume", "minutes"])]
    merge: Vec<PathBuf>,
    /// How many checks run at a time [default: one on each core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
    /// What the driver of the models takes: a filter, `--list`, `--exact` and so on.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    driver: Vec<String>,
}

/// Builds and runs them.
pub fn run(args: &Args) -> Result<ExitCode> {
    if !args.merge.is_empty() {
        return Ok(conclude(&Report::merge(&args.merge)?));
    }
    environment::refuse_changed_builds()?;
    ensure!(
        std::env::var_os("ZERO_POOL_BOUND").is_none(),
        "ZERO_POOL_BOUND does nothing here; say --bound instead"
    );
    let workspace = tree::workspace()?;
    let target = tree::scratch(&workspace, "deep");
    let executable = build(&workspace, &target)?;
    if args.driver.iter().any(|arg| arg == "--list") {
        let status = Command::new(&executable).args(&args.driver).env(TOLD.0, TOLD.1).status();
        return Ok(if status?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let (driver, checks) = Driver::new(&executable, [TOLD])?;
    let checks = select(&executable, &args.driver, checks)?;
    let checks = if args.split { checks } else { args.shard.of(checks) };
    ensure!(!checks.is_empty(), "part {} has no check: there are fewer checks than parts", args.shard);
    let about = About {
        sources: sources::hash(&workspace)?,
        bound: args.bound,
        filter: args.driver.clone(),
        split: args.split,
    };
    let folder = args.folder.clone().unwrap_or_else(|| target.join("run"));
    let report =
        begin(&folder, Report::new(about, args.shard, checks.iter().map(Check::to_string)), args.resume)?;
    explore(args, &driver, &folder, &checks, report)
}

/// Runs what is to be run, and keeps the report up to date, so that a run that dies can be resumed.
fn explore(
    args: &Args,
    driver: &Driver,
    folder: &Path,
    checks: &[Check],
    report: Report,
) -> Result<ExitCode> {
    let file = report_file(folder);
    report.write(&file)?;
    let is_over = |check: &&Check| {
        let row = report.rows.get(&check.to_string());
        row.is_some_and(|row| !matches!(row.state, State::Stopped | State::CutOff))
    };
    let open: Vec<&Check> = checks.iter().filter(|check| !is_over(check)).collect();
    let jobs = args.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from);
    println!(
        "{} checks, part {}, sources {}, report in {}",
        open.len(),
        args.shard,
        report.about.sources,
        file.display()
    );
    let runner = Runner { driver, folder, about: &report.about, shard: args.shard, minutes: args.minutes };
    let rows = Mutex::new(report.clone());
    share(jobs, open.len(), |at| {
        let check = open[at].to_string();
        let row = runner.run(open[at], report.rows.get(&check).map_or(0.0, |row| row.seconds))?;
        println!("{}", row.line(&check));
        let mut report = rows.lock().expect("no thread panics here");
        report.enter(&check, row);
        report.write(&file)
    })?;
    let report = rows.into_inner().context("a thread panicked")?;
    println!();
    let code = conclude(&report);
    if report.rows.values().any(|row| row.state == State::Stopped) {
        println!("what was stopped goes on with --resume before the rest of the same command");
    }
    Ok(code)
}

fn conclude(report: &Report) -> ExitCode {
    report.lines().iter().for_each(|line| println!("{line}"));
    if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn report_file(folder: &Path) -> PathBuf {
    folder.join("report.json")
}

/// Prepares the folder: empty for a new run, or with what an earlier one has left.
fn begin(folder: &Path, new: Report, resume: bool) -> Result<Report> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    if !resume {
        for file in
            [report_file(folder)].into_iter().chain(new.open.iter().map(|check| checkpoint_of(folder, check)))
        {
            if file.exists() {
                std::fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
            }
        }
        return Ok(new);
    }
    let before = Report::read(&report_file(folder))
        .context("nothing can be resumed; run it without --resume first")?;
    ensure!(
        before.about.sources == new.about.sources,
        "the run in {} is of other sources ({}, and now {}): a checkpoint means nothing to another program\n\
         go back to those sources, or begin anew without --resume",
        folder.display(),
        before.about.sources,
        new.about.sources
    );
    ensure!(
        before.about == new.about && before.shard == new.shard,
        "the run in {} was another command: bound {}, part {}, {}, driver {:?}",
        folder.display(),
        before.about.bound,
        before.shard,
        if before.about.split { "split" } else { "not split" },
        before.about.filter
    );
    for (check, _) in before.rows.iter().filter(|(_, row)| row.state == State::Stopped) {
        run::read_checkpoint(folder, check, &new.about)?.with_context(|| {
            format!("the checkpoint {} is missing", checkpoint_of(folder, check).display())
        })?;
    }
    Ok(before)
}

/// Returns the checks that the driver selects when it is called so.
fn select(executable: &Path, args: &[String], checks: Vec<Check>) -> Result<Vec<Check>> {
    let output = Command::new(executable)
        .args(args)
        .arg("--list")
        .env(TOLD.0, TOLD.1)
        .stderr(Stdio::inherit())
        .output()
        .context("starting the model driver")?;
    ensure!(
        output.status.success(),
        "the model driver does not take {args:?}; what is for `cargo loom` itself stands before that"
    );
    let listed = String::from_utf8(output.stdout).context("the list of checks is text")?;
    let names: Vec<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let selected: Vec<Check> =
        checks.into_iter().filter(|check| names.contains(&check.to_string().as_str())).collect();
    if selected.is_empty() {
        bail!("no check is selected by {args:?}; `cargo loom --list` shows all of them");
    }
    Ok(selected)
}

/// Builds the driver with the real epochs.
fn build(workspace: &Path, target: &Path) -> Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["test", "--package", "loom_tests", "--test", "models", "--no-run"])
        .args(["--message-format=json-render-diagnostics", "--target-dir"])
        .arg(target)
        .current_dir(workspace)
        .env("RUSTFLAGS", "--cfg loom --cfg crossbeam_loom")
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started")?;
    ensure!(output.status.success(), "the models do not build");
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut binaries = messages.lines().filter_map(cargo::test_binary);
    let driver = binaries.find(|(name, _)| name == "models");
    driver.map(|(_, path)| path).context("cargo built no model driver")
}

#[cfg(test)]
mod tests {
    use super::report::Row;
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("xtask-deep-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("writable");
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn report(sources: &str, bound: usize) -> Report {
        let about = About { sources: sources.to_owned(), bound, filter: Vec::new(), split: false };
        Report::new(about, Shard::WHOLE, ["a::b/epoch".to_owned()])
    }

    /// A folder in which the only check was stopped after seven schedules.
    fn stopped(name: &str) -> Folder {
        let folder = Folder::new(name);
        let mut before = report("a1", 3);
        before.enter("a::b/epoch", Row { state: State::Stopped, schedules: 7, seconds: 1.0 });
        before.write(&report_file(&folder.0)).expect("writable");
        let text = format!("{}\n7\n{{}}", run::first_line("a::b/epoch", &before.about));
        std::fs::write(checkpoint_of(&folder.0, "a::b/epoch"), text).expect("writable");
        folder
    }

    fn refusal(folder: &Folder, new: Report) -> String {
        format!("{:#}", begin(&folder.0, new, true).expect_err("it is refused"))
    }

    #[test]
    fn a_run_goes_on_where_it_stopped() {
        let folder = stopped("on");
        let report = begin(&folder.0, report("a1", 3), true).expect("it goes on");
        assert_eq!(report.rows["a::b/epoch"].schedules, 7);
        assert!(report.open.is_empty());
    }

    #[test]
    fn a_new_run_forgets_the_old_one() {
        let folder = stopped("anew");
        let report = begin(&folder.0, report("b2", 3), false).expect("it begins");
        assert!(report.rows.is_empty() && report.open.len() == 1);
        assert!(!checkpoint_of(&folder.0, "a::b/epoch").exists() && !report_file(&folder.0).exists());
    }

    #[test]
    fn what_cannot_go_on_says_why() {
        let folder = stopped("refused");
        let error = refusal(&folder, report("b2", 3));
        assert!(error.contains("other sources (a1, and now b2)"), "{error}");
        let error = refusal(&folder, report("a1", 2));
        assert!(error.contains("another command: bound 3, part 1/1"), "{error}");
        std::fs::write(checkpoint_of(&folder.0, "a::b/epoch"), "of another time\n7\n{}").expect("writable");
        let error = refusal(&folder, report("a1", 3));
        assert!(error.contains("belongs to \"of another time\""), "{error}");
        std::fs::remove_file(checkpoint_of(&folder.0, "a::b/epoch")).expect("removable");
        let error = refusal(&folder, report("a1", 3));
        assert!(error.contains("is missing"), "{error}");
        std::fs::remove_file(report_file(&folder.0)).expect("removable");
        let error = refusal(&folder, report("a1", 3));
        assert!(error.contains("nothing can be resumed") && error.contains("there is no report"), "{error}");
    }
}
