//! `cargo xtask fuzz --minutes N`: every property, again and again, on new random cases.
//!
//! The properties of plain `cargo test` run a fixed number of cases. Here each round runs every one of them once, from a
//! seed of its own, in a process of its own, with a number of cases that doubles from round to round as long as that fits
//! into its share of the time. What fails is told at once and left out of the rounds to come.
//!
//! There are two ways back to a failure. proptest keeps the seed of the case in `proptests/tests/proptest-regressions/`, which
//! every later run of the property begins with; that file is to be committed. And where the process died first, as by a
//! watchdog, the whole run comes back by its own seed. Either is one command, which the failure prints.

mod properties;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use self::properties::{PACKAGE, Property};
use crate::child::{self, Ended};
use crate::{environment, tree};

/// How long, and what.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How long to go on; the round that has begun is cut short.
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = minutes)]
    minutes: f64,
    /// Only the properties with this in their name.
    filter: Option<String>,
    /// Lists the properties, and runs nothing.
    #[arg(long)]
    list: bool,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if minutes.is_finite() && minutes > 0.0 {
        Ok(minutes)
    } else {
        Err("it must be more than nothing".into())
    }
}

/// The cases of the first round; a property that has more of its own runs those.
const FIRST: u32 = 256;

/// How many rounds the time should be enough for.
const ROUNDS: u32 = 4;

/// What one run of a property may take beyond its share, before it is said to hang.
const GRACE: Duration = Duration::from_secs(600);

/// A property, and how many cases it runs next.
struct Entry {
    property: Property,
    cases: u32,
    run: u64,
    failed: bool,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    environment::refuse_changed_builds()?;
    let workspace = tree::workspace()?;
    let mut found = properties::find(&workspace)?;
    found.retain(|property| args.filter.as_ref().is_none_or(|part| property.to_string().contains(part)));
    ensure!(!found.is_empty(), "no property has that in its name; --list shows all of them");
    if args.list {
        found.iter().for_each(|property| println!("{property}"));
        return Ok(ExitCode::SUCCESS);
    }
    let time = Duration::from_secs_f64(args.minutes * 60.0);
    let mut fuzz = Fuzz::new(found, &workspace, time);
    fuzz.rounds()?;
    Ok(fuzz.conclude())
}

struct Fuzz<'a> {
    entries: Vec<Entry>,
    workspace: &'a Path,
    end: Instant,
    /// What a run of a property should take at most.
    share: Duration,
}

impl<'a> Fuzz<'a> {
    fn new(found: Vec<Property>, workspace: &'a Path, time: Duration) -> Self {
        let share = time / (found.len() as u32 * ROUNDS);
        let entry = |property| Entry { property, cases: FIRST, run: 0, failed: false };
        let entries = found.into_iter().map(entry).collect();
        Self { entries, workspace, end: Instant::now() + time, share }
    }

    fn rounds(&mut self) -> Result<()> {
        for round in 1.. {
            for at in 0..self.entries.len() {
                if Instant::now() >= self.end {
                    return Ok(());
                }
                self.step(round, at)?;
            }
            if self.entries.iter().all(|entry| entry.failed) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Runs one property.
    fn step(&mut self, round: usize, at: usize) -> Result<()> {
        let entry = &mut self.entries[at];
        if entry.failed {
            return Ok(());
        }
        let seed = RandomState::new().hash_one(at);
        let start = Instant::now();
        let ended = run_once(&entry.property, self.workspace, entry.cases, seed, self.share + GRACE)?;
        let took = start.elapsed();
        entry.run += 1;
        let left = self.end.saturating_duration_since(Instant::now()).as_secs();
        let line =
            format!("round {round}, {left} s left: {}, {} cases at least", entry.property, entry.cases);
        match judge(ended) {
            Ok(()) => {
                eprintln!("{line}, {:.1} s", took.as_secs_f64());
                entry.cases = next(entry.cases, took, self.share);
            }
            Err(told) => {
                eprintln!("{line}: FAILED\n{told}\n{}", replay(&entry.property, entry.cases, seed));
                entry.failed = true;
            }
        }
        Ok(())
    }

    fn conclude(&self) -> ExitCode {
        let runs: u64 = self.entries.iter().map(|entry| entry.run).sum();
        let failed: Vec<_> = self.entries.iter().filter(|entry| entry.failed).collect();
        let never = self.entries.iter().filter(|entry| entry.run == 0).count();
        failed.iter().for_each(|entry| println!("failed: {}", entry.property));
        println!(
            "fuzz: {} properties, {runs} runs, {} failed, {never} not reached",
            self.entries.len(),
            failed.len()
        );
        if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// How many cases come next: twice as many, if they fit.
fn next(cases: u32, took: Duration, share: Duration) -> u32 {
    if took * 2 <= share { cases.saturating_mul(2) } else { cases }
}

fn run_once(
    property: &Property,
    workspace: &Path,
    cases: u32,
    seed: u64,
    deadline: Duration,
) -> Result<Option<Ended>> {
    let mut command = Command::new(&property.executable);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PROPTEST_")) {
            command.env_remove(name);
        }
    }
    command
        .args(["--exact", &property.name])
        .env("PROPTEST_CASES", cases.to_string())
        .env("PROPTEST_RNG_SEED", seed.to_string())
        .env("RUST_BACKTRACE", "0")
        // As cargo does; the files of seeds are found from there.
        .current_dir(workspace.join(PACKAGE));
    child::run(command, deadline).with_context(|| property.to_string())
}

/// Tells why a run is no success.
fn judge(ended: Option<Ended>) -> Result<(), String> {
    let Some(Ended { status, out, err }) = ended else { return Err("it hangs".into()) };
    if status.success() && out.contains("test result: ok. 1 passed") {
        return Ok(());
    }
    let why = if status.success() { "no test was run".into() } else { format!("it ended with {status}") };
    Err(format!("{why}\n{out}{err}"))
}

/// Says how to see a failure again.
fn replay(property: &Property, cases: u32, seed: u64) -> String {
    let Property { target, name, .. } = property;
    let which = if target == PACKAGE { "--lib".to_owned() } else { format!("--test {target}") };
    let command = format!("cargo test -p {PACKAGE} {which} -- --exact {name}");
    format!(
        "replay: {command}\n\
         which begins with the seeds that are kept in {PACKAGE}/tests/proptest-regressions; commit a new one\n\
         if none was kept, as the process died first: PROPTEST_RNG_SEED={seed} PROPTEST_CASES={cases} {command}"
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn ended(code: i32, out: &str) -> Option<Ended> {
        Some(Ended { status: ExitStatus::from_raw(code << 8), out: out.to_owned(), err: String::new() })
    }

    #[test]
    fn a_run_that_tested_nothing_is_a_failure() {
        judge(ended(0, "test result: ok. 1 passed; 0 failed")).expect("a success");
        assert!(
            judge(ended(0, "test result: ok. 0 passed; 0 failed"))
                .is_err_and(|told| told.contains("no test"))
        );
        assert!(judge(ended(101, "minimal failing input")).is_err_and(|told| told.contains("minimal")));
        assert!(judge(None).is_err());
    }

    #[test]
    fn cases_double_while_they_fit() {
        let seconds = Duration::from_secs;
        assert_eq!(next(256, seconds(4), seconds(10)), 512);
        assert_eq!(next(512, seconds(6), seconds(10)), 512);
        assert_eq!(next(u32::MAX, seconds(0), seconds(10)), u32::MAX);
    }

    #[test]
    fn a_failure_says_how_to_replay_it() {
        let property =
            Property { target: "front".into(), executable: "/b".into(), name: "join::s2_joins_sort".into() };
        let said = replay(&property, 512, 7);
        assert!(
            said.contains("cargo test -p proptests --test front -- --exact join::s2_joins_sort"),
            "{said}"
        );
        assert!(said.contains("PROPTEST_RNG_SEED=7 PROPTEST_CASES=512"), "{said}");
    }

    #[test]
    fn no_time_is_refused() {
        assert!(minutes("0").is_err() && minutes("-1").is_err() && minutes("long").is_err());
        assert_eq!(minutes("0.5"), Ok(0.5));
    }
}
