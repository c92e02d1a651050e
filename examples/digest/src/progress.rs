//! How far the hashing is: files, bytes per second, time left.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::cli::When;

const TEMPLATE: &str =
    "{wide_bar} {files} files, {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
const DRAWS_PER_SECOND: u8 = 10;

/// What was hashed so far, counted by all threads, and the bar that shows it.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    files: Arc<AtomicUsize>,
}

impl Progress {
    /// Begins to show the progress of hashing so many bytes.
    pub(crate) fn start(when: When, bytes: u64) -> Self {
        let target = match when {
            // It hides itself if the standard error is no terminal.
            When::Auto => ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND),
            When::Always => ProgressDrawTarget::term_like_with_hz(Box::new(Term::stderr()), DRAWS_PER_SECOND),
            When::Never => ProgressDrawTarget::hidden(),
        };
        let files = Arc::new(AtomicUsize::new(0));
        let bar = ProgressBar::with_draw_target(Some(bytes), target).with_style(style(&files));
        Self { bar, files }
    }

    /// Counts bytes that were hashed.
    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Counts a file that was hashed.
    pub(crate) fn add_file(&self) {
        // ORDERING: Relaxed; a number that is only shown orders nothing.
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the bar away. Returns how many files and bytes were hashed.
    pub(crate) fn finish(self) -> (usize, u64) {
        self.bar.finish_and_clear();
        // ORDERING: Relaxed; whoever has `self` knows by other means that the counting has ended.
        (self.files.load(Ordering::Relaxed), self.bar.position())
    }
}

fn style(files: &Arc<AtomicUsize>) -> ProgressStyle {
    let files = Arc::clone(files);
    let show_files = move |_: &ProgressState, out: &mut dyn Write| {
        // ORDERING: Relaxed; see `add_file`. A writer that fails loses a picture.
        let _ = write!(out, "{}", files.load(Ordering::Relaxed));
    };
    ProgressStyle::with_template(TEMPLATE).expect("the template is well-formed").with_key("files", show_files)
}
