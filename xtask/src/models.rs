//! Calls the model driver of `loom_tests`, one check in one process, and judges how it ended.
//!
//! A check is a model under one reclaimer. What counts as a failure is narrow: an assertion, a report of loom, a deadlock
//! or a crash *in* the model. A driver that does not start, or refuses to, is an error of the caller's and no failure,
//! or a broken build would look like a model with teeth.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::child::{self, Ended};

/// A model under one reclaimer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check {
    /// The name of the module of `src` that the model belongs to.
    pub file: String,
    /// The model.
    pub model: String,
    /// The reclaimer.
    pub oracle: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}/{}", self.file, self.model, self.oracle)
    }
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every schedule held. With what the driver had to note, line by line.
    Passed(Vec<String>),
    /// A schedule failed, of this number if the driver could tell, with this message.
    Failed { message: String, schedule: Option<u64> },
    /// The deadline, or loom's limit on the steps of one schedule, came before an end.
    CutOff,
}

/// The driver's executable.
#[derive(Debug)]
pub struct Driver {
    executable: PathBuf,
    /// What it is told of its build.
    told: Vec<(&'static str, &'static str)>,
}

/// Variables that change what a model explores.
const OWN_PREFIXES: &[&str] = &["ZERO_POOL_", "LOOM_"];

impl Driver {
    /// Takes an executable and asks it for its checks, which also proves that it is the loom build. `told` goes into its
    /// environment each time.
    pub fn new(
        executable: &Path,
        told: impl IntoIterator<Item = (&'static str, &'static str)>,
    ) -> Result<(Self, Vec<Check>)> {
        let driver = Self { executable: executable.to_path_buf(), told: told.into_iter().collect() };
        let output = driver.command(&["--table"]).output().context("starting the model driver")?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the model driver refuses: {}", told.trim());
        let table = String::from_utf8(output.stdout).context("the table of checks is text")?;
        let checks: Vec<Check> = table.lines().map(check_of).collect::<Result<_>>()?;
        ensure!(!checks.is_empty(), "the model driver knows no check");
        Ok((driver, checks))
    }

    /// Returns the command that calls it, without the variables of this process that change what a model explores.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.executable);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| OWN_PREFIXES.iter().any(|own| name.starts_with(own))) {
                command.env_remove(name);
            }
        }
        command.args(args).envs(self.told.iter().copied()).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
        command
    }

    /// Runs one check with some more environment variables.
    pub fn run(&self, check: &Check, env: &[(&str, &str)], deadline: Duration) -> Result<(End, Duration)> {
        let start = Instant::now();
        let mut command = self.command(&["--child", &check.model, &check.oracle]);
        command.envs(env.iter().copied());
        let ended = child::run(command, deadline).with_context(|| check.to_string())?;
        let judged = ended.map_or(Ok(End::CutOff), |Ended { status, out, err }| judge(status, &out, &err));
        Ok((judged.with_context(|| check.to_string())?, start.elapsed()))
    }
}

fn check_of(line: &str) -> Result<Check> {
    let mut fields = line.split('\t').map(str::to_owned);
    match (fields.next(), fields.next(), fields.next()) {
        (Some(model), Some(file), Some(oracle)) => Ok(Check { file, model, oracle }),
        _ => bail!("the driver's table has a line that is none: {line:?}"),
    }
}

/// The exit code of a process whose main thread panicked.
const PANICKED: i32 = 101;

/// The signals by which a process dies of what it did: ILL, TRAP, ABRT, BUS, FPE, SEGV.
const CRASHES: &[i32] = &[4, 5, 6, 7, 8, 11];

/// Begins loom's report that one schedule had too many steps: a limit, and no property that was violated.
const TOO_LONG: &str = "Model exceeded maximum number of branches";

/// Begins the line in which the driver tells the number of the schedule that failed.
const IN_SCHEDULE: &str = "failed in schedule ";

/// Judges how the process of a check ended, by what it printed.
pub fn judge(status: ExitStatus, out: &str, err: &str) -> Result<End> {
    if status.success() {
        let counted = out.lines().last().is_some_and(|line| line.starts_with("schedules "));
        ensure!(counted, "it ended well without a count of schedules");
        let notes = out.lines().filter_map(|line| line.strip_prefix("note: "));
        return Ok(End::Passed(notes.map(str::to_owned).collect()));
    }
    let message = first_message(err);
    let schedule = err.lines().find_map(|line| line.strip_prefix(IN_SCHEDULE)?.parse().ok());
    let failed = |message| Ok(End::Failed { message, schedule });
    match (status.code(), status.signal(), message) {
        (_, _, Some(message)) if message.starts_with(TOO_LONG) => Ok(End::CutOff),
        (Some(PANICKED), _, Some(message)) => failed(message),
        (_, Some(signal), message) if CRASHES.contains(&signal) => {
            failed(message.unwrap_or_else(|| format!("died of signal {signal}")))
        }
        _ => bail!("it ended with {status}, which says nothing about the model:\n{}", err.trim()),
    }
}

/// Returns the first line that the first panic had to say.
pub fn first_message(err: &str) -> Option<String> {
    let mut lines = err.lines().skip_while(|line| !line.contains("panicked at "));
    lines.next()?;
    lines.map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const PANIC: &str = "\nthread 'main' (7) panicked at src/a.rs:1:2:\nQ5: 1 was there\nnote: run with\n";

    fn exit(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn only_what_happens_in_a_model_is_a_failure() {
        let failed = |message: &str| End::Failed { message: message.to_owned(), schedule: None };
        let noted = judge(exit(0), "note: 3 programs\nschedules 7\n", "");
        assert_eq!(noted.ok(), Some(End::Passed(vec!["3 programs".to_owned()])));
        assert_eq!(judge(exit(101), "", PANIC).ok(), Some(failed("Q5: 1 was there")));
        let numbered = judge(exit(101), "", &format!("{PANIC}failed in schedule 7\n"));
        let seventh = End::Failed { message: "Q5: 1 was there".to_owned(), schedule: Some(7) };
        assert_eq!(numbered.ok(), Some(seventh));
        assert_eq!(judge(ExitStatus::from_raw(6), "", PANIC).ok(), Some(failed("Q5: 1 was there")));
        assert_eq!(judge(ExitStatus::from_raw(11), "", "").ok(), Some(failed("died of signal 11")));
    }

    #[test]
    fn what_did_not_run_is_an_error() {
        assert!(judge(exit(1), "", "error: there is no model").is_err());
        assert!(judge(exit(0), "", "").is_err(), "no count of schedules");
        assert!(judge(exit(101), "", "").is_err(), "no message");
        assert!(judge(ExitStatus::from_raw(9), "", "").is_err(), "killed from outside");
    }

    #[test]
    fn a_driver_that_refuses_stops_with_what_it_said() {
        let folder = std::env::temp_dir().join(format!("xtask-models-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("writable");
        let driver = folder.join("models");
        let script = "#!/bin/sh\necho 'error: the models were built without cfg(loom)' >&2\nexit 1\n";
        std::fs::write(&driver, script).expect("writable");
        std::fs::set_permissions(&driver, std::fs::Permissions::from_mode(0o755)).expect("ours");
        let error = Driver::new(&driver, []).expect_err("it refuses").to_string();
        assert!(error.contains("without cfg(loom)"), "{error}");
        std::fs::remove_dir_all(&folder).expect("removable");
    }

    #[test]
    fn a_limit_of_the_checker_is_no_failure() {
        let err =
            PANIC.replace("Q5: 1 was there", "Model exceeded maximum number of branches. This is often");
        assert_eq!(judge(exit(101), "", &err).ok(), Some(End::CutOff));
    }

    #[test]
    fn a_line_of_the_table_is_a_check() {
        let check = check_of("q1_order\tqueue\tnever\t3").expect("a check");
        assert_eq!(check.to_string(), "queue::q1_order/never");
        assert!(check_of("q1_order").is_err());
    }
}
