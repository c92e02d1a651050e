//! List in, verdicts out, like `sha256sum --check`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Options;
use crate::format::{Digest, Line, parse_line, write_verdict};
use crate::message::{CANNOT_WRITE, complain, say};
use crate::run::digest_all;
use crate::walk::FileToHash;

/// What a list says.
#[derive(Debug, Default)]
struct List {
    files: Vec<FileToHash>,
    /// The digest that each of the files had.
    expected: Vec<Digest>,
    malformed: usize,
}

/// What went wrong with the files of a list.
#[derive(Debug, Default)]
struct Failures {
    unreadable: usize,
    mismatched: usize,
}

/// Verifies the files of the list in this file. Returns whether all of them are as the list says.
///
/// As for `sha256sum`, malformed lines do no harm unless all of them are malformed.
pub(crate) fn check(file: &Path, options: &Options) -> anyhow::Result<bool> {
    let list = List::parse(&read(file).with_context(|| file.display().to_string())?);
    if list.files.is_empty() {
        complain(file, "no properly formatted checksum lines found");
        return Ok(false);
    }
    let run = digest_all(&list.files, options)?;
    let failures = list.print_verdicts(&run.digests).context(CANNOT_WRITE)?;
    for (number, one, many) in [
        (list.malformed, "line is improperly formatted", "lines are improperly formatted"),
        (failures.unreadable, "listed file could not be read", "listed files could not be read"),
        (failures.mismatched, "computed checksum did NOT match", "computed checksums did NOT match"),
    ] {
        if number > 0 {
            say(format_args!("WARNING: {number} {}", if number == 1 { one } else { many }));
        }
    }
    say(run.summary);
    Ok(failures.unreadable + failures.mismatched == 0)
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return fs::read(file);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl List {
    fn parse(bytes: &[u8]) -> Self {
        let mut list = Self::default();
        for line in bytes.split(|&byte| byte == b'\n') {
            match parse_line(line) {
                Line::Nothing => {}
                Line::Malformed => list.malformed += 1,
                Line::Entry { digest, name } => {
                    list.files.push(FileToHash::at(PathBuf::from(OsString::from_vec(name))));
                    list.expected.push(digest);
                }
            }
        }
        list
    }

    fn print_verdicts(&self, computed: &[io::Result<Digest>]) -> io::Result<Failures> {
        let mut failures = Failures::default();
        let mut out = BufWriter::new(io::stdout().lock());
        for ((file, expected), computed) in self.files.iter().zip(&self.expected).zip(computed) {
            let verdict = match computed {
                Ok(digest) if digest == expected => "OK",
                Ok(_) => {
                    failures.mismatched += 1;
                    "FAILED"
                }
                Err(error) => {
                    complain(&file.path, error);
                    failures.unreadable += 1;
                    "FAILED open or read"
                }
            };
            write_verdict(&mut out, file.path.as_os_str().as_bytes(), verdict)?;
        }
        out.flush()?;
        Ok(failures)
    }
}
