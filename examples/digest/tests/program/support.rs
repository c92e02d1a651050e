//! A temporary tree, the program, and the tools that it is compared with.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The digest of an empty file.
pub(crate) const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The digest of a file that holds `abc`.
pub(crate) const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// All that `--pool` accepts.
pub(crate) const POOLS: [&str; 3] = ["zero", "rayon", "sequential"];

/// Names that are easy to get wrong.
pub(crate) const ODD_NAMES: [&[u8]; 10] = [
    b" blanks  around ",
    b"*star",
    b"-dash",
    b"\\backslash",
    b"carriage\rreturn",
    b"line\nfeed",
    b"\\n\n\\\r\\",
    b"not\xffutf\xfe8",
    "\u{fc}nic\u{f6}de".as_bytes(),
    b"#comment",
];

/// A folder that is removed in the end, and is the current folder of what runs in it.
pub(crate) struct Tree(TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A tree with nested folders, odd names, an empty file, and files around the size of the program's buffer.
    pub(crate) fn varied() -> Self {
        let tree = Self::new();
        for (i, name) in ODD_NAMES.into_iter().enumerate() {
            tree.write([b"odd/", name].concat(), "x".repeat(i));
            tree.write([b"in ", name, b"/deeper/file"].concat(), name);
        }
        for size in [0, 1, 63, 64, 131_071, 131_072, 131_073, 300_000] {
            tree.write(format!("sizes/{size}"), noise(size));
        }
        for i in 0..300 {
            tree.write(format!("many/{}/{i}", i % 7), format!("file {i}"));
        }
        tree
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and makes the folders above it.
    pub(crate) fn write(&self, name: impl AsRef<[u8]>, contents: impl AsRef<[u8]>) {
        let path = self.path().join(OsStr::from_bytes(name.as_ref()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    /// The program, to be run in this tree.
    pub(crate) fn digest(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_digest"));
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the program in this tree; it must do all that was asked.
    pub(crate) fn digest_ok(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.digest(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        output.stdout
    }

    /// Runs `sha256sum`; `None` if coreutils are not installed.
    pub(crate) fn sha256sum(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Option<Output> {
        let version = Command::new("sha256sum").arg("--version").output();
        if !version.is_ok_and(|output| output.stdout.windows(13).any(|window| window == b"GNU coreutils")) {
            println!("skipped: sha256sum of GNU coreutils is not installed");
            return None;
        }
        let mut command = Command::new("sha256sum");
        Some(command.env("LC_ALL", "C").current_dir(self.path()).args(arguments).output().unwrap())
    }

    /// The files that `find` finds, in the order of their bytes; `None` if it is not installed.
    pub(crate) fn find_files(&self, root: &str) -> Option<Vec<OsString>> {
        let find =
            Command::new("find").args([root, "-type", "f", "-print0"]).current_dir(self.path()).output();
        let Ok(find) = find else {
            println!("skipped: find is not installed");
            return None;
        };
        let names = find.stdout.split(|&byte| byte == 0).filter(|name| !name.is_empty());
        let mut names: Vec<OsString> = names.map(|name| OsString::from_vec(name.to_vec())).collect();
        names.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
        Some(names)
    }
}

/// Runs a command that reads `input`.
pub(crate) fn feed(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// Bytes without a pattern that a hash could miss.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = length as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// The names in a list, without the digests.
pub(crate) fn names(list: &[u8]) -> Vec<String> {
    String::from_utf8(list.to_vec()).unwrap().lines().map(|line| line[66..].to_owned()).collect()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What the program or `sha256sum` says on the standard error about a whole list, without its own name.
pub(crate) fn warnings(output: &Output) -> Vec<String> {
    let lines = stderr(output);
    lines.lines().filter_map(|line| line.split_once(": WARNING: ")).map(|(_, text)| text.to_owned()).collect()
}

/// A path that the program can have been built at.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}
