//! Long explorations: they tell how far they are, stop in time, and go on later.
//!
//! Everything here is asked for by `cargo loom`, in the environment of one check's process:
//!
//! | variable | what it asks for |
//! |---|---|
//! | `ZERO_POOL_EVERY` | a line `progress N` each so many schedules, and a checkpoint if one is named |
//! | `ZERO_POOL_CHECKPOINT` | the file to keep the checkpoint in, and to go on from if it is there |
//! | `ZERO_POOL_ABOUT` | its first line, which says what it belongs to; `cargo loom` compares it |
//! | `ZERO_POOL_SECONDS` | a stop after so long, at the next progress: the last line is `stopped N` then |
//!
//! A checkpoint has that first line, the number of schedules that are done, and loom's own path to the next one. loom
//! writes the path in place, and a process may die meanwhile; so it writes to a file beside, which replaces the checkpoint
//! once it is whole.

use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::support;

/// What the environment asks for.
#[derive(Debug)]
pub struct Long {
    every: usize,
    file: Option<File>,
    stop: Option<Instant>,
    /// Schedules done by earlier runs of the same exploration, or by explorations before this one in this process.
    before: usize,
}

#[derive(Debug)]
struct File {
    checkpoint: PathBuf,
    path: PathBuf,
    about: String,
}

fn asked<T: FromStr>(variable: &str) -> Option<T>
where
    T::Err: Display,
{
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|wrong| panic!("{variable} is {text:?}: {wrong}")))
}

impl Long {
    /// Reads the environment, and the checkpoint if there is one and the exploration is the `only` one of this process. One of
    /// many could not go on from it.
    pub fn asked_for(only: bool) -> Option<Self> {
        let every = asked::<usize>("ZERO_POOL_EVERY")?.max(1);
        let stop = asked("ZERO_POOL_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let file = asked::<PathBuf>("ZERO_POOL_CHECKPOINT").filter(|_| only).map(|checkpoint| File {
            path: checkpoint.with_extension("path"),
            checkpoint,
            about: asked("ZERO_POOL_ABOUT").unwrap_or_default(),
        });
        let before = file.as_ref().map_or(0, File::load) + support::schedule();
        Some(Self { every, file, stop, before })
    }

    /// Tells loom where the path lies, and how often to write it.
    pub fn configure(&self, builder: &mut loom::model::Builder) {
        builder.checkpoint_interval = self.every;
        builder.checkpoint_file = self.file.as_ref().map(|file| file.path.clone());
    }

    /// Is called at the begin of each schedule, of which it is the `number`th of this exploration, counted from one. Now and
    /// then loom has written its path just before.
    pub fn begins(&self, number: usize) {
        if !number.is_multiple_of(self.every) {
            return;
        }
        let done = self.before + number - 1;
        if let Some(file) = &self.file {
            file.save(done);
        }
        if self.stop.is_some_and(|stop| Instant::now() >= stop) {
            say(&format!("stopped {done}"));
            // Between two schedules nothing has to be dropped.
            std::process::exit(0);
        }
        say(&format!("progress {done}"));
    }

    /// Returns the number of all schedules when an exploration of so many is over, which needs no checkpoint any more.
    pub fn over(&self, schedules: usize) -> usize {
        if let Some(File { checkpoint, path, .. }) = &self.file {
            // They are there if the exploration was long enough.
            _ = fs::remove_file(checkpoint);
            _ = fs::remove_file(path);
        }
        if self.file.is_some() { self.before + schedules } else { schedules }
    }
}

impl File {
    /// Hands the path of a checkpoint to loom, and returns the number of schedules before it.
    fn load(&self) -> usize {
        // What lies there without a checkpoint was not finished.
        _ = fs::remove_file(&self.path);
        let Ok(text) = fs::read_to_string(&self.checkpoint) else { return 0 };
        let mut lines = text.splitn(3, '\n').skip(1);
        let done = lines.next().and_then(|done| done.parse().ok()).expect("a checkpoint has a number");
        fs::write(&self.path, lines.next().expect("a checkpoint has a path"))
            .expect("the folder is writable");
        done
    }

    fn save(&self, done: usize) {
        let path = fs::read_to_string(&self.path).expect("loom has written its path");
        let new = self.checkpoint.with_extension("new");
        let written = fs::write(&new, format!("{}\n{done}\n{path}", self.about));
        written.and_then(|()| fs::rename(&new, &self.checkpoint)).expect("the folder is writable");
    }
}

/// Prints a line at once.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Who reads it no more has ended, and this process will be.
    _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
