//! `cargo xtask sanitize`: the build that ships, under AddressSanitizer and ThreadSanitizer.
//!
//! Per sanitizer, in this order:
//!
//! 1. the stress program of `proptests` is built for it by nightly;
//! 2. faults that are planted in that program must be reported. A sanitizer that keeps silent there, for lost flags or too
//!    wide a suppression, would keep silent of everything, and ends the run;
//! 3. the stress program runs: every front door, panics and shutdown. No report is allowed;
//! 4. under AddressSanitizer, the tests of the pool, its contract and the faults of others run as well. Some of them leak on
//!    purpose, so leaks are looked for in the stress program alone.
//!
//! ThreadSanitizer sees only the stress program, which waits and joins in ways that it can follow (`tools.rs` has what it
//! cannot).

mod nightly;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use self::nightly::Nightly;
use self::tools::{SKIPPED, TOOLS, Tool};
use crate::child::{self, Ended};
use crate::{environment, tree};

/// What to run.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only this sanitizer.
    #[arg(long, value_name = "SANITIZER", value_parser = ["address", "thread"])]
    only: Option<String>,
    /// How many rounds the stress program runs.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    rounds: usize,
}

/// How long the stress program, and how long all tests may take.
const STRESS_DEADLINE: Duration = Duration::from_secs(900);
const TESTS_DEADLINE: Duration = Duration::from_secs(1800);

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    environment::refuse_changed_builds()?;
    let nightly = Nightly::find()?;
    let workspace = tree::workspace()?;
    for tool in TOOLS.iter().filter(|tool| args.only.as_ref().is_none_or(|only| only == tool.flag)) {
        let start = Instant::now();
        let run = Run::new(tool, &nightly, &workspace)?;
        run.see_controls()?;
        run.stress(args.rounds)?;
        run.tests(&nightly, &workspace)?;
        println!("{}: nothing to report, {} s", tool.name, start.elapsed().as_secs());
    }
    Ok(ExitCode::SUCCESS)
}

/// A build for one sanitizer.
struct Run<'a> {
    tool: &'a Tool,
    target: PathBuf,
    stress: PathBuf,
    /// The sanitizer's options, with the file of suppressions.
    options: String,
}

impl<'a> Run<'a> {
    fn new(tool: &'a Tool, nightly: &Nightly, workspace: &Path) -> Result<Self> {
        let target = tree::scratch(workspace, &format!("sanitize/{}", tool.flag));
        fs::create_dir_all(&target).with_context(|| format!("creating {}", target.display()))?;
        let file = target.join("suppressions");
        let lines = tool.suppressions.iter().map(|one| format!("# {}\n{}\n", one.why, one.pattern));
        fs::write(&file, lines.collect::<String>()).with_context(|| format!("writing {}", file.display()))?;
        let options = match tool.suppressions {
            [] => tool.options.1.to_owned(),
            _ => format!("{} suppressions={}", tool.options.1, file.display()),
        };
        let stress = build_stress(tool, nightly, workspace, &target)?;
        Ok(Self { tool, target, stress, options })
    }

    /// Runs the stress program.
    fn run(&self, args: &[&str]) -> Result<Option<Ended>> {
        let mut command = Command::new(&self.stress);
        command.args(args).env(self.tool.options.0, &self.options);
        child::run(command, STRESS_DEADLINE).with_context(|| format!("the stress program, {args:?}"))
    }

    fn see_controls(&self) -> Result<()> {
        for (fault, words) in self.tool.controls {
            let ended = self.run(&["--plant", fault])?;
            judge_control(self.tool.name, fault, words, ended.as_ref())?;
            eprintln!("{}: reports the planted {fault}", self.tool.name);
        }
        Ok(())
    }

    fn stress(&self, rounds: usize) -> Result<()> {
        let ended = self.run(&[&rounds.to_string()])?;
        let Some(ended) = ended else { bail!("{}: the stress program hangs", self.tool.name) };
        judge(self.tool.name, "the stress program", &ended)?;
        eprint!("{}", ended.out);
        Ok(())
    }

    /// Runs the tests.
    fn tests(&self, nightly: &Nightly, workspace: &Path) -> Result<()> {
        if self.tool.tests.is_empty() {
            return Ok(());
        }
        let mut command = nightly.cargo(workspace, "test", &flags(self.tool), &self.target);
        command.args(["--package", "proptests", "--no-fail-fast"]);
        self.tool.tests.iter().for_each(|test| _ = command.args(["--test", test]));
        command.arg("--");
        for (test, why) in SKIPPED {
            eprintln!("{}: leaves out {test}: {why}", self.tool.name);
            command.args(["--skip", test]);
        }
        // Some tests forget handles and throw payloads that panic when they are dropped; both leak, as documented.
        command.env(self.tool.options.0, format!("{} detect_leaks=0", self.options));
        let ended = child::run(command, TESTS_DEADLINE)?;
        let Some(ended) = ended else { bail!("{}: the tests hang", self.tool.name) };
        let counts = ended.out.lines().filter(|line| line.starts_with("test result"));
        counts.for_each(|line| eprintln!("{}: {line}", self.tool.name));
        // What a test has its children print is in `out`.
        let both = Ended { err: ended.out + &ended.err, out: String::new(), status: ended.status };
        judge(self.tool.name, "the tests", &both)
    }
}

/// The flags with which all code but std is built for a tool. Suppressions are found by full names, of which the profile keeps none.
fn flags(tool: &Tool) -> String {
    format!("-Zsanitizer={} -Cunsafe-allow-abi-mismatch=sanitizer -Cdebuginfo=2", tool.flag)
}

fn build_stress(tool: &Tool, nightly: &Nightly, workspace: &Path, target: &Path) -> Result<PathBuf> {
    eprintln!("{}: building the stress program", tool.name);
    let mut command = nightly.cargo(workspace, "build", &flags(tool), target);
    command.args(["--package", "proptests", "--bin", "stress", "--profile", "test"]);
    let output = command.output().context("starting cargo by rustup")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the stress program does not build for {}:\n{told}", tool.name);
    // Cargo puts the profile `test` where it puts `dev`.
    Ok(target.join(&nightly.host).join("debug").join("stress"))
}

/// Fails unless a planted fault was reported.
fn judge_control(tool: &str, fault: &str, words: &str, ended: Option<&Ended>) -> Result<()> {
    let reported = ended.is_some_and(|ended| ended.err.contains(words) && !ended.status.success());
    ensure!(
        reported,
        "{tool} does not report the planted {fault}: it watches nothing\n\
         either the flags of the build were lost, and then removing target/sanitize builds it anew, or a suppression \
         of xtask/src/sanitize/tools.rs is too wide"
    );
    Ok(())
}

/// Fails if the run was not clean: an exit status, or a report that did not change it.
fn judge(tool: &str, what: &str, ended: &Ended) -> Result<()> {
    let report = ended.err.lines().position(|line| line.contains("Sanitizer: "));
    if ended.status.success() && report.is_none() {
        return Ok(());
    }
    let lines: Vec<&str> = ended.err.lines().skip(report.unwrap_or_default()).take(80).collect();
    bail!("{tool}: {what} ended with {}:\n{}", ended.status, lines.join("\n"));
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn ended(code: i32, err: &str) -> Ended {
        Ended { status: ExitStatus::from_raw(code << 8), out: String::new(), err: err.to_owned() }
    }

    #[test]
    fn a_control_that_is_not_reported_fails() {
        let judge = |ended: Option<&Ended>| judge_control("Tool", "race", "data race", ended);
        judge(Some(&ended(66, "WARNING: ThreadSanitizer: data race (pid=1)"))).expect("reported");
        for silent in [None, Some(ended(0, "")), Some(ended(101, "panicked")), Some(ended(0, "data race"))] {
            let error = judge(silent.as_ref()).expect_err("not reported").to_string();
            assert!(error.contains("planted race") && error.contains("target/sanitize"), "{error}");
        }
    }

    #[test]
    fn a_report_fails_whatever_the_exit_status() {
        judge("Tool", "it", &ended(0, "all is well")).expect("clean");
        for wrong in [ended(0, "WARNING: ThreadSanitizer: data race"), ended(101, "panicked")] {
            assert!(judge("Tool", "it", &wrong).is_err());
        }
    }
}
