//! Runs a check on the code as it is, or with a bug, and reads what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::inject::CHOICE;
use super::table::{Bug, Layer};
use crate::cargo::Tests;
use crate::child::{self, Ended};
use crate::models::{Check, Driver, End, first_message};
use crate::tree::Tree;

/// How long a check may take.
const DEADLINE: Duration = Duration::from_secs(180);

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// It failed, after so many schedules or cases if it counts some, and this is all it said.
    Failed {
        said: String,
        after: Option<u64>,
    },
    CutOff,
}

/// The builds of a copy with all bugs in it.
pub struct Court {
    models: Option<(Driver, Vec<Check>)>,
    /// By layer and target.
    binaries: BTreeMap<(Layer, String), PathBuf>,
    /// Where tests run, each bug's in a folder of its own: a property keeps the seed of what fails in the folder that it runs
    /// in, and begins with it the next time.
    runs: PathBuf,
}

impl Court {
    /// Builds what the checks of some bugs need.
    pub fn new(tree: &Tree, scratch: &Path, bugs: &[&Bug]) -> Result<Self> {
        let mut court = Self { models: None, binaries: BTreeMap::new(), runs: scratch.join("runs") };
        for layer in Layer::ALL {
            let checks: Vec<&str> =
                bugs.iter().filter(|bug| bug.layer == layer).map(|bug| bug.check.as_str()).collect();
            if checks.is_empty() {
                continue;
            }
            let start = Instant::now();
            if layer == Layer::Models {
                court.models = Some(Driver::new(&tree.build_models()?, [])?);
            } else {
                let targets: BTreeSet<&str> = checks.iter().map(|check| target(layer, check)).collect();
                let options: Vec<&str> = match layer {
                    Layer::Units => vec!["--lib"],
                    _ => targets.iter().flat_map(|target| ["--test", target]).collect(),
                };
                let built = tree.build(Tests { package: package(layer), options: &options })?;
                court.binaries.extend(built.into_iter().map(|(name, path)| ((layer, name), path)));
            }
            eprintln!("built the {layer} in {} s", start.elapsed().as_secs());
        }
        Ok(court)
    }

    /// Runs a check, with a bug or without one.
    pub fn run(&self, layer: Layer, check: &str, bug: Option<usize>) -> Result<(Verdict, Duration)> {
        let chosen = bug.map(|number| number.to_string());
        let env: Vec<(&str, &str)> = chosen.iter().map(|number| (CHOICE, number.as_str())).collect();
        if layer == Layer::Models {
            let (driver, checks) = self.models.as_ref().context("the models were not built")?;
            let known = checks.iter().find(|known| known.to_string() == check);
            let known = known.with_context(|| format!("the driver of the models has no check {check}"))?;
            let (end, time) = driver.run(known, &env, DEADLINE)?;
            return Ok((of_model(end), time));
        }
        let key = (layer, target(layer, check).to_owned());
        let binary = self.binaries.get(&key).with_context(|| format!("cargo built no {}", key.1))?;
        let folder = self.runs.join(chosen.as_deref().unwrap_or("none")).join(check.replace("::", "."));
        clear(&folder).with_context(|| format!("clearing {}", folder.display()))?;
        let start = Instant::now();
        let mut command = command(layer, binary, check);
        command.envs(env).current_dir(folder);
        let ended = child::run(command, DEADLINE).with_context(|| check.to_owned())?;
        let verdict = ended.map_or(Ok(Verdict::CutOff), |ended| of_test(layer, check, &ended))?;
        Ok((verdict, start.elapsed()))
    }
}

fn clear(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => std::fs::create_dir_all(folder),
    }
}

fn command(layer: Layer, binary: &Path, check: &str) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        let own = |name: &str| name.starts_with("ZERO_POOL_") || name.starts_with("PROPTEST_");
        if name.to_str().is_some_and(own) {
            command.env_remove(name);
        }
    }
    let name = match (layer, check.split_once("::")) {
        (Layer::Properties, Some((_, name))) => name,
        _ => check,
    };
    command.args(["--exact", name]).env("RUST_BACKTRACE", "0");
    if layer != Layer::Worlds {
        // What a test prints is there although its process dies.
        command.arg("--nocapture").env("PROPTEST_RNG_SEED", "1");
    }
    command
}

fn package(layer: Layer) -> &'static str {
    match layer {
        Layer::Models => "loom_tests",
        Layer::Worlds => "shuttle_tests",
        Layer::Properties => "proptests",
        Layer::Units => "zero-pool",
    }
}

/// Returns the name of the binary that has a check.
fn target(layer: Layer, check: &str) -> &str {
    match layer {
        Layer::Models => "models",
        Layer::Worlds => "worlds",
        Layer::Properties => check.split("::").next().unwrap_or(check),
        Layer::Units => "zero_pool",
    }
}

fn of_model(end: End) -> Verdict {
    match end {
        End::Passed(_) => Verdict::Passed,
        End::Failed { message, schedule } => Verdict::Failed { said: message, after: schedule },
        End::CutOff => Verdict::CutOff,
    }
}

fn of_test(layer: Layer, check: &str, ended: &Ended) -> Result<Verdict> {
    let Ended { status, out, err } = ended;
    if out.contains("running 0 tests") || out.contains("0 passed; 0 failed") {
        bail!("there is no test {check}");
    }
    if status.success() {
        ensure!(
            out.contains("test result: ok. 1 passed"),
            "{check} ended well, and ran no test:\n{out}{err}"
        );
        return Ok(Verdict::Passed);
    }
    let said = format!("{err}\n{out}");
    let after = match layer {
        Layer::Worlds => number_after(&said, "that held, ").map(|held| held.max(1)),
        _ => number_after(&said, "successes: ").map(|held| held + 1),
    };
    Ok(Verdict::Failed { said, after })
}

fn number_after(text: &str, words: &str) -> Option<u64> {
    let (_, rest) = text.split_once(words)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Cuts a line that is longer than a line.
fn cut(line: &str) -> &str {
    line.char_indices().nth(120).map_or(line, |(end, _)| &line[..end])
}

/// Returns the line with the expected words, or what was said instead.
pub fn explain<'a>(said: &'a str, expected: &str) -> Result<&'a str, String> {
    let found = said.lines().find(|line| line.contains(expected));
    found.map(|line| cut(line.trim())).ok_or_else(|| {
        let lead = first_message(said).unwrap_or_default();
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        format!("it says: {lead}\n{}", lines[..lines.len().min(12)].join("\n"))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn ended(code: i32, out: &str, err: &str) -> Ended {
        Ended { status: ExitStatus::from_raw(code << 8), out: out.to_owned(), err: err.to_owned() }
    }

    #[test]
    fn a_test_that_did_not_run_is_no_verdict() {
        let judged = |code, out| of_test(Layer::Units, "a::b", &ended(code, out, ""));
        assert!(judged(0, "running 0 tests\ntest result: ok. 0 passed; 0 failed").is_err());
        assert!(judged(0, "").is_err());
        assert_eq!(judged(0, "test result: ok. 1 passed").ok(), Some(Verdict::Passed));
    }

    #[test]
    fn cases_and_schedules_are_counted() {
        let after = |layer, err| match of_test(layer, "a::b", &ended(101, "running 1 test", err)) {
            Ok(Verdict::Failed { after, .. }) => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(Layer::Properties, "minimal failing input\n\tsuccesses: 3\n"), Some(4));
        assert_eq!(after(Layer::Worlds, "schedule: x, after 0 that held, 17 in all"), Some(17));
        assert_eq!(after(Layer::Properties, "panicked at"), None);
    }

    #[test]
    fn what_is_said_instead_is_told() {
        assert_eq!(explain("a\n  left == right: B1\n", "B1"), Ok("left == right: B1"));
        let instead = explain("thread panicked at x\nB2: no\n", "B1").expect_err("another");
        assert!(instead.starts_with("it says: B2: no"), "{instead}");
    }
}
