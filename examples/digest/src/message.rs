//! Lines for the standard error. That it cannot be written to is no reason to stop, and there is nobody to tell.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use crate::format::escape;

/// The code that a shell reports for a program that SIGPIPE ended.
const BROKEN_PIPE: u8 = 141;

/// What failed when the list, or a verdict, could not be written.
pub(crate) const CANNOT_WRITE: &str = "standard output";

/// Says something.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "digest: {text}");
}

/// Says what is wrong with a path.
pub(crate) fn complain(path: &Path, reason: impl Display) {
    let name = escape(path.as_os_str().as_bytes());
    say(format_args!("{}: {reason}", String::from_utf8_lossy(&name)));
}

/// Says why the program ends, unless it ends because nobody reads its output any more.
pub(crate) fn fatal(error: &anyhow::Error) -> ExitCode {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    if cause.is_some_and(|cause| cause.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::from(BROKEN_PIPE);
    }
    say(format_args!("{error:#}"));
    ExitCode::FAILURE
}
