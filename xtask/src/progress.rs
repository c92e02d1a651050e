//! Tells on standard error how far a run is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Counts the steps of one run.
#[derive(Debug)]
pub struct Progress {
    name: &'static str,
    steps: usize,
    done: AtomicUsize,
    start: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins a run of so many steps.
    pub fn new(name: &'static str, steps: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(steps as u64).with_style(style).with_prefix(name)
        });
        if let Some(bar) = &bar {
            bar.enable_steady_tick(Duration::from_millis(500));
        }
        Self { name, steps, done: AtomicUsize::new(0), start: Instant::now(), bar }
    }

    /// Tells of one more step.
    pub fn step(&self, line: &str) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let numbered = format!("{} {done}/{}", self.name, self.steps);
        match &self.bar {
            Some(bar) => {
                bar.println(format!("{numbered}: {line}"));
                bar.inc(1);
            }
            None => eprintln!("{numbered}, {} s left: {line}", self.left(done).as_secs()),
        }
    }

    fn left(&self, done: usize) -> Duration {
        self.start.elapsed() * (self.steps - done) as u32 / done as u32
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
