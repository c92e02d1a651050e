//! Paths in, list out.

use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;

use anyhow::Context;

use crate::cli::Options;
use crate::format::write_line;
use crate::message::{CANNOT_WRITE, complain, say};
use crate::run::digest_all;
use crate::walk::find;

/// Prints the list of the files that the options name. Returns whether every file is in it.
pub(crate) fn list(options: &Options) -> anyhow::Result<bool> {
    let found = find(&options.paths);
    let run = digest_all(&found.files, options)?;
    let mut is_complete = found.is_complete;
    let mut out = BufWriter::new(io::stdout().lock());
    for (file, digest) in found.files.iter().zip(&run.digests) {
        match digest {
            Ok(digest) => {
                write_line(&mut out, digest, file.path.as_os_str().as_bytes()).context(CANNOT_WRITE)?;
            }
            Err(error) => {
                complain(&file.path, error);
                is_complete = false;
            }
        }
    }
    out.flush().context(CANNOT_WRITE)?;
    say(run.summary);
    Ok(is_complete)
}
