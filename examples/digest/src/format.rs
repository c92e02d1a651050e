//! The format of coreutils' `sha256sum`, in pure functions of bytes.
//!
//! ```text
//!   [\] 64 hexadecimal digits, a blank, a blank (text) or an asterisk (binary), the name, a line feed
//! ```
//!
//! A name is bytes, in any encoding or none. If it holds a line feed, a carriage return or a backslash, these are
//! written as `\n`, `\r` and `\\`, and the line starts with a backslash, which says so.
//!
//! Of what `sha256sum --check` accepts, the BSD formats (`SHA256 (name) = ..`, and one blank before the name) are not
//! understood: their lines count as malformed.

use std::borrow::Cow;
use std::io::{self, Write};

/// A SHA-256 digest.
pub(crate) type Digest = [u8; 32];

const HEX_DIGITS: usize = 2 * size_of::<Digest>();

/// What a line of a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Nothing: the line is empty or a comment.
    Nothing,
    /// The file of this name had this digest.
    Entry { digest: Digest, name: Vec<u8> },
    /// The line is in another format.
    Malformed,
}

/// Writes the line of a list for a file of this name.
pub(crate) fn write_line(out: &mut impl Write, digest: &Digest, name: &[u8]) -> io::Result<()> {
    let escaped = escape(name);
    if matches!(escaped, Cow::Owned(_)) {
        out.write_all(b"\\")?;
    }
    out.write_all(&to_hex(digest))?;
    out.write_all(b"  ")?;
    out.write_all(&escaped)?;
    out.write_all(b"\n")
}

/// Writes the line that tells how the check of a file of this name went.
///
/// Here, a name is escaped only if it holds a line feed: `sha256sum --check` does the same.
pub(crate) fn write_verdict(out: &mut impl Write, name: &[u8], verdict: &str) -> io::Result<()> {
    if name.contains(&b'\n') {
        out.write_all(b"\\")?;
        out.write_all(&escape(name))?;
    } else {
        out.write_all(name)?;
    }
    writeln!(out, ": {verdict}")
}

/// Escapes a name. What is borrowed needed no escape.
pub(crate) fn escape(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.iter().any(|byte| matches!(byte, b'\n' | b'\r' | b'\\')) {
        return Cow::Borrowed(name);
    }
    let mut escaped = Vec::with_capacity(name.len() + 8);
    for &byte in name {
        match byte {
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            b'\\' => escaped.extend(b"\\\\"),
            _ => escaped.push(byte),
        }
    }
    Cow::Owned(escaped)
}

/// Undoes [`escape`]; `None` if the bytes are no escaped name.
fn unescape(escaped: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        name.push(match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b'\\' => b'\\',
                _ => return None,
            },
            _ => byte,
        });
    }
    Some(name)
}

/// Reads a line of a list, given without its line feed.
pub(crate) fn parse_line(line: &[u8]) -> Line {
    if line.starts_with(b"#") {
        return Line::Nothing;
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Line::Nothing;
    }
    match parse_entry(line) {
        Some((digest, name)) => Line::Entry { digest, name },
        None => Line::Malformed,
    }
}

fn parse_entry(line: &[u8]) -> Option<(Digest, Vec<u8>)> {
    let blanks = line.iter().take_while(|&&byte| is_blank(byte)).count();
    let line = &line[blanks..];
    let (is_escaped, line) = match line.strip_prefix(b"\\") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (hex, rest) = line.split_at_checked(HEX_DIGITS)?;
    let [blank, b' ' | b'*', name @ ..] = rest else {
        return None;
    };
    // No file has an empty name, or a name with a zero byte.
    if !is_blank(*blank) || name.is_empty() || name.contains(&0) {
        return None;
    }
    let name = if is_escaped { unescape(name)? } else { name.to_vec() };
    Some((from_hex(hex)?, name))
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn to_hex(digest: &Digest) -> [u8; HEX_DIGITS] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; HEX_DIGITS];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    hex
}

fn from_hex(hex: &[u8]) -> Option<Digest> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let mut digest = Digest::default();
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = (value(pair[0])? << 4 | value(pair[1])?) as u8;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const ABC_HEX: &[u8; 64] = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn line(digest: &Digest, name: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_line(&mut out, digest, name).unwrap();
        out
    }

    /// Parses a line that has the digest of `abc` in its middle.
    fn parse(before: &[u8], after: &[u8]) -> Line {
        parse_line(&[before, ABC_HEX, after].concat())
    }

    fn abc(name: &[u8]) -> Line {
        Line::Entry { digest: from_hex(ABC_HEX).unwrap(), name: name.to_vec() }
    }

    #[test]
    fn lines_are_written_as_sha256sum_writes_them() {
        let digest = from_hex(ABC_HEX).unwrap();
        let table: [(&[u8], &[u8], &[u8]); 7] = [
            (b"plain", b"", b"plain"),
            (b" two  blanks ", b"", b" two  blanks "),
            (b"*star", b"", b"*star"),
            (b"\xff\xfe", b"", b"\xff\xfe"),
            (b"line\nfeed", b"\\", b"line\\nfeed"),
            (b"carriage\rreturn", b"\\", b"carriage\\rreturn"),
            (b"back\\slash", b"\\", b"back\\\\slash"),
        ];
        for (name, mark, written) in table {
            assert_eq!(line(&digest, name), [mark, ABC_HEX, b"  ", written, b"\n"].concat());
        }
    }

    #[test]
    fn verdicts_escape_names_only_for_line_feeds() {
        let table: [(&[u8], &[u8]); 3] =
            [(b"a", b"a: OK\n"), (b"a\\\r", b"a\\\r: OK\n"), (b"a\\\n", b"\\a\\\\\\n: OK\n")];
        for (name, written) in table {
            let mut out = Vec::new();
            write_verdict(&mut out, name, "OK").unwrap();
            assert_eq!(out, written);
        }
    }

    #[test]
    fn variants_of_a_line_are_understood() {
        assert_eq!(parse(b"", b"  a"), abc(b"a"));
        assert_eq!(parse(b"", b" *a"), abc(b"a"));
        assert_eq!(parse(b"", b"\t a"), abc(b"a"));
        assert_eq!(parse(b" \t ", b"  a"), abc(b"a"));
        assert_eq!(parse(b"", b"  a\r"), abc(b"a"));
        assert_eq!(parse(b"", b"  a\r\r"), abc(b"a\r"));
        assert_eq!(parse(b"", b"   a "), abc(b" a "));
        assert_eq!(parse(b"", b"  **"), abc(b"**"));
        assert_eq!(parse(b"", b"  a\\n"), abc(b"a\\n"));
        assert_eq!(parse(b"\\", b"  a\\n\\r\\\\"), abc(b"a\n\r\\"));
        assert_eq!(parse_line(&[&ABC_HEX.to_ascii_uppercase(), &b"  a"[..]].concat()), abc(b"a"));
    }

    #[test]
    fn empty_lines_and_comments_say_nothing() {
        for line in [&b""[..], b"\r", b"#", b"# anything"] {
            assert_eq!(parse_line(line), Line::Nothing);
        }
    }

    #[test]
    fn other_lines_are_malformed() {
        for (before, after) in [
            (&b""[..], &b""[..]),
            (b"", b"  "),
            (b"", b" a"),
            (b"", b"a  a"),
            (b"0", b"  a"),
            (b"\\\\", b"  a"),
            (b"\\", b"  a\\"),
            (b"\\", b"  a\\t"),
            (b" #", b"  a"),
            (b"", b"  a\0b"),
        ] {
            assert_eq!(parse(before, after), Line::Malformed, "{before:?} {after:?}");
        }
        assert_eq!(parse_line(b"SHA256 (a) = 00"), Line::Malformed);
        assert_eq!(parse_line(&[&[b'g'; 64], &b"  a"[..]].concat()), Line::Malformed);
    }

    proptest! {
        #[test]
        fn every_line_that_is_written_can_be_read(digest: Digest, name in vec(1..=255_u8, 1..40)) {
            let written = line(&digest, &name);
            let (&end, rest) = written.split_last().unwrap();
            prop_assert_eq!(end, b'\n');
            prop_assert!(!rest.contains(&b'\n') && !rest.contains(&b'\r'));
            prop_assert_eq!(parse_line(rest), Line::Entry { digest, name });
        }

        #[test]
        fn escaped_names_are_read_back(name in r"[ab\\\n\r]{0,12}") {
            prop_assert_eq!(unescape(&escape(name.as_bytes())), Some(name.into_bytes()));
        }

        #[test]
        fn no_line_is_too_strange(line in vec(any::<u8>(), 0..100)) {
            parse_line(&line);
        }

        #[test]
        fn no_end_of_a_line_is_too_strange(mark in r"[ \t\\]{0,2}", end in vec(any::<u8>(), 0..8)) {
            if let Line::Entry { digest, name } = parse(mark.as_bytes(), &end) {
                prop_assert_eq!(parse_line(line(&digest, &name).strip_suffix(b"\n").unwrap()), Line::Entry { digest, name });
            }
        }
    }
}
