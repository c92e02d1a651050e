//! One check in a process of its own, watched by a deadline.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Model, effective_bound};
use crate::trace;

/// A model under one reclaimer.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The model.
    pub model: Model,
    /// The reclaimer.
    pub oracle: &'static str,
}

/// Begins a line that a child has for whoever reads the run.
pub const NOTE: &str = "note: ";

/// How a child's run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// It explored so many schedules, and all held.
    Passed(usize),
    /// The deadline came first, so that schedules were left out.
    CutOff,
    /// An assertion or loom stopped it, or it died.
    Failed(String),
}

impl Check {
    /// Returns the name in the test list.
    pub fn title(&self) -> String {
        format!("{}::{}/{}", self.model.file, self.model.name, self.oracle)
    }

    /// Runs it in a child.
    pub fn run(&self, deadline: Duration) -> (End, Duration) {
        let start = Instant::now();
        let end = match self.spawn() {
            Ok(child) => watch(child, start + deadline),
            Err(error) => End::Failed(format!("the child could not be started: {error}")),
        };
        (end, start.elapsed())
    }

    fn spawn(&self) -> std::io::Result<Child> {
        Command::new(std::env::current_exe()?)
            .args(["--child", self.model.name, self.oracle])
            .env_remove("ZERO_POOL_ORACLE")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }

    /// Explains a failure: the model, its bound, what it printed, and how to see it again.
    pub fn explain(&self, what: &str) -> String {
        let bound = effective_bound(&self.model);
        let title = self.title();
        let runner =
            if cfg!(crossbeam_loom) { "cargo loom --" } else { "cargo test -p loom_tests --test models --" };
        format!(
            "model {title} (preemption bound {bound}): {what}\n\
             replay: {runner} --exact {title}\n\
             its steps: ZERO_POOL_TRACE=1 before it"
        )
    }
}

fn watch(mut child: Child, deadline: Instant) -> End {
    let out = child.stdout.take().map(|pipe| thread::spawn(|| drain(pipe)));
    let err = child.stderr.take().map(|pipe| thread::spawn(|| drain(pipe)));
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                // It may have ended meanwhile; then there is nothing to kill, and the deadline has passed all the same.
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            Err(error) => return End::Failed(format!("the child was lost: {error}")),
        }
    };
    let text =
        |reader: Option<thread::JoinHandle<String>>| reader.and_then(|r| r.join().ok()).unwrap_or_default();
    let (out, err) = (text(out), text(err));
    out.lines().filter_map(|line| line.strip_prefix(NOTE)).for_each(|note| println!("{note}"));
    match status {
        None => End::CutOff,
        Some(status) => judge(status, &out, &err),
    }
}

fn judge(status: ExitStatus, out: &str, err: &str) -> End {
    let count = out.lines().last().and_then(|line| line.strip_prefix("schedules ")?.parse().ok());
    match count {
        Some(schedules) if status.success() => End::Passed(schedules),
        _ => End::Failed(format!(
            "the child ended with {status}\n{}",
            tail(err, if trace::wanted() { usize::MAX } else { 30 })
        )),
    }
}

fn drain(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // A pipe that breaks ends the text; the exit status tells the rest.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
