//! A child process with a deadline, and what it printed.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How a child ended, and what it printed.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

/// Runs a command, or ends it when the deadline comes; then there is nothing to return.
pub fn run(mut command: Command, deadline: Duration) -> Result<Option<Ended>> {
    let until = Instant::now() + deadline;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    watch(child.context("it could not be started")?, until)
}

fn watch(mut child: Child, until: Instant) -> Result<Option<Ended>> {
    let out = child.stdout.take().map(|pipe| thread::spawn(|| drain(pipe)));
    let err = child.stderr.take().map(|pipe| thread::spawn(|| drain(pipe)));
    let status = loop {
        if let Some(status) = child.try_wait().context("the child was lost")? {
            break Some(status);
        }
        if Instant::now() >= until {
            // It may have ended meanwhile; then there is nothing to kill, and the deadline has passed all the same.
            _ = child.kill();
            child.wait().context("the child was lost")?;
            break None;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let text = |reader: Option<thread::JoinHandle<String>>| reader.and_then(|reader| reader.join().ok());
    let (out, err) = (text(out).unwrap_or_default(), text(err).unwrap_or_default());
    Ok(status.map(|status| Ended { status, out, err }))
}

fn drain(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // A pipe that breaks ends the text; the exit status tells the rest.
    _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
