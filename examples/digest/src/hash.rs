//! The digest of one file, read through a buffer that its thread keeps.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::format::Digest;

/// Large enough that a system call is lost in the hashing of what it reads (some 100 us), small enough for a cache.
const BUFFER_BYTES: usize = 128 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
}

/// Returns the digest of a file, and tells `on_read` of every piece how many bytes it has.
pub(crate) fn digest_of(path: &Path, on_read: impl Fn(u64)) -> io::Result<Digest> {
    if path.as_os_str() == "-" {
        // For sha256sum, this is the standard input. A list with this name would be checked against something else.
        let reason = "the standard input is not read; for a file of this name write ./-";
        return Err(io::Error::new(ErrorKind::Unsupported, reason));
    }
    let file = File::open(path)?;
    BUFFER.with_borrow_mut(|buffer| digest_of_reader(file, buffer, on_read))
}

fn digest_of_reader(mut reader: impl Read, buffer: &mut [u8], on_read: impl Fn(u64)) -> io::Result<Digest> {
    let mut sha256 = Sha256::new();
    loop {
        match reader.read(buffer) {
            Ok(0) => return Ok(sha256.finalize().into()),
            Ok(length) => {
                sha256.update(&buffer[..length]);
                on_read(length as u64);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Gives a byte, an interruption, and so on, and at the end an error.
    struct Troubled<'a> {
        bytes: &'a [u8],
        interrupted: bool,
        end: Option<ErrorKind>,
    }

    impl Read for Troubled<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(ErrorKind::Interrupted.into());
            }
            match (self.bytes, self.end) {
                ([first, rest @ ..], _) => {
                    buffer[0] = *first;
                    self.bytes = rest;
                    Ok(1)
                }
                ([], Some(kind)) => Err(kind.into()),
                ([], None) => Ok(0),
            }
        }
    }

    fn digest_of_troubled(end: Option<ErrorKind>) -> (io::Result<Digest>, u64) {
        let seen = Cell::new(0);
        let reader = Troubled { bytes: b"abc", interrupted: false, end };
        let digest = digest_of_reader(reader, &mut [0; 8], |bytes| seen.set(seen.get() + bytes));
        (digest, seen.get())
    }

    #[test]
    fn pieces_and_interruptions_do_not_matter() {
        let (digest, bytes) = digest_of_troubled(None);
        assert_eq!(digest.unwrap(), <Digest>::from(Sha256::digest(b"abc")));
        assert_eq!(bytes, 3);
    }

    #[test]
    fn an_error_after_some_bytes_is_an_error() {
        let (digest, bytes) = digest_of_troubled(Some(ErrorKind::TimedOut));
        assert_eq!(digest.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(bytes, 3);
    }
}
