//! The command line, what cannot be read or written, and what is said on the standard error.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use crate::support::{ABC, POOLS, Tree, names, stderr, stdout};

/// Someone who is not allowed everything.
const NOBODY: u32 = 65534;

#[test]
fn what_cannot_be_read_does_not_stop_the_rest() {
    let tree = Tree::new();
    tree.write("a", "abc");
    tree.write("b/c", "abc");
    for pool in POOLS {
        let output = tree.digest(&["--pool", pool, "b", "no\nfile", "a", "-"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stdout(&output), format!("{ABC}  a\n{ABC}  b/c\n"));
        let said = stderr(&output);
        assert!(said.contains("digest: no\\nfile: No such file or directory"), "{said}");
        assert!(said.contains("digest: -: "), "{said}");
    }
}

#[test]
fn a_file_that_fails_while_it_is_read_is_reported() {
    let tree = Tree::new();
    tree.write("a", "abc");
    // Its first page is never mapped, so that every read fails, for root as well.
    let memory = "/proc/self/mem";
    if File::open(memory).is_err() {
        println!("skipped: there is no {memory}");
        return;
    }
    for pool in POOLS {
        let output = tree.digest(&["--pool", pool, memory, "a"]).output().unwrap();
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), format!("{ABC}  a\n")));
        assert!(stderr(&output).contains("digest: /proc/self/mem: "), "{}", stderr(&output));
        assert!(stderr(&output).contains("digest: 1 file, 3 B in "), "{}", stderr(&output));
    }
}

/// Runs a command as somebody for whom permissions count; `None` if that cannot be done.
fn run_without_privileges(mut command: Command) -> Option<Output> {
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        command.uid(NOBODY).gid(NOBODY);
    }
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            println!("skipped: the program cannot be run without privileges: {error}");
            None
        }
    }
}

#[test]
fn forbidden_files_and_folders_are_reported() {
    let tree = Tree::new();
    for name in ["a", "file", "folder/b", "z"] {
        tree.write(name, "abc");
    }
    let set_mode =
        |name, mode| fs::set_permissions(tree.path().join(name), Permissions::from_mode(mode)).unwrap();
    for (name, mode) in [("", 0o755), ("file", 0), ("folder", 0)] {
        set_mode(name, mode);
    }
    let output = run_without_privileges(tree.digest(&["."]));
    set_mode("folder", 0o755);
    let Some(output) = output else { return };
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), format!("{ABC}  ./a\n{ABC}  ./z\n"));
    for name in ["./file", "./folder"] {
        let line = format!("digest: {name}: Permission denied");
        assert_eq!(stderr(&output).matches(&line).count(), 1, "{}", stderr(&output));
    }
}

#[test]
fn wrong_command_lines_are_refused() {
    let tree = Tree::new();
    for (arguments, reason) in [
        (&["--workers", "0"][..], "at least one worker is needed"),
        (&["--workers", "many"], "not a number of workers"),
        (&["--pool", "swimming"], "[possible values: zero, rayon, sequential]"),
        (&["--progress", "some"], "[possible values: auto, always, never]"),
        (&["--check", "list", "path"], "cannot be used with"),
    ] {
        let output = tree.digest(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
    }
}

#[test]
fn a_reader_that_leaves_early_ends_the_program_quietly() {
    let tree = Tree::varied();
    let list = tree.digest_ok(&["."]);
    tree.write("list", list);
    for arguments in [&["."][..], &["--check", "list"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = tree.digest(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(141));
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_list_that_cannot_be_written_is_an_error() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        println!("skipped: there is no /dev/full");
        return;
    };
    let tree = Tree::new();
    tree.write("a", "");
    let output = tree.digest(&["a"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("digest: standard output: No space left"), "{}", stderr(&output));
}

#[test]
fn a_standard_error_that_nobody_reads_does_no_harm() {
    let tree = Tree::new();
    tree.write("a", "abc");
    let mut command = tree.digest(&["--progress", "always", "nowhere", "a"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), format!("{ABC}  a\n")));
}

#[test]
fn the_last_line_tells_what_was_done() {
    let tree = Tree::new();
    tree.write("a", "abc");
    tree.write("b", "abc");
    for (arguments, end) in [
        (&["--workers", "3"][..], "(pool zero, 3 workers)"),
        (&["--workers", "1", "--pool", "rayon"], "(pool rayon, 1 worker)"),
        (&["--workers", "3", "--pool", "sequential"], "(pool sequential, 1 worker)"),
    ] {
        let output = tree.digest(arguments).arg(".").output().unwrap();
        let said = stderr(&output);
        assert_eq!(said.lines().count(), 1);
        assert!(said.starts_with("digest: 2 files, 6 B in "), "{said}");
        assert!(said.trim_end().ends_with(end), "{said}");
    }
}

#[test]
fn progress_is_shown_when_it_should_be() {
    let tree = Tree::varied();
    for (when, shown) in [("auto", false), ("never", false), ("always", true)] {
        let output = tree.digest(&["--progress", when, "."]).output().unwrap();
        assert_eq!(stderr(&output).contains("/s, "), shown, "{when}: {}", stderr(&output));
        assert_eq!(output.stdout.iter().filter(|&&byte| byte == b'\n').count(), 328);
    }
    assert_eq!(names(&tree.digest_ok(&["--progress", "always", "sizes/0"])), ["sizes/0"]);
}
