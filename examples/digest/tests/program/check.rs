//! What `--check` makes of good lists, bad lists, and changed files.

use std::fs;

use crate::support::{ABC, EMPTY, POOLS, Tree, feed, stderr, stdout, warnings};

/// Keeps a list outside of the tree that it is about, and gives its path.
fn keep(list: &[u8]) -> (Tree, String) {
    let tree = Tree::new();
    tree.write("list", list);
    let path = tree.path().join("list").into_os_string().into_string().unwrap();
    (tree, path)
}

/// Checks a list with the program, and compares with `sha256sum` what it prints, its warnings, and its exit code.
fn check(tree: &Tree, list: &[u8]) -> (i32, String, Vec<String>) {
    let (_kept, path) = keep(list);
    let ours = tree.digest(&["--check", &path]).output().unwrap();
    if let Some(theirs) = tree.sha256sum(["--check", &path]) {
        assert_eq!(ours.stdout, theirs.stdout);
        assert_eq!(warnings(&ours), warnings(&theirs));
        assert_eq!(ours.status.code(), theirs.status.code());
    }
    (ours.status.code().unwrap(), stdout(&ours), warnings(&ours))
}

#[test]
fn a_list_of_unchanged_files_is_accepted() {
    let tree = Tree::varied();
    let list = tree.digest_ok(&["."]);
    let (code, verdicts, warnings) = check(&tree, &list);
    assert_eq!(code, 0);
    assert_eq!(verdicts.matches(": OK\n").count(), 328);
    assert!(warnings.is_empty());
    let (_kept, path) = keep(&list);
    for pool in POOLS {
        let ours = tree.digest_ok(&["--check", &path, "--pool", pool, "--workers", "3"]);
        assert_eq!(String::from_utf8_lossy(&ours), verdicts);
    }
}

#[test]
fn a_list_of_sha256sum_is_accepted() {
    let tree = Tree::varied();
    let Some(files) = tree.find_files(".") else { return };
    for mode in ["--binary", "--text"] {
        let Some(list) = tree.sha256sum([mode.into()].into_iter().chain(files.clone())) else {
            return;
        };
        let (code, verdicts, warnings) = check(&tree, &list.stdout);
        assert_eq!((code, verdicts.matches(": OK\n").count(), warnings.len()), (0, 328, 0));
    }
}

#[test]
fn changed_and_missing_files_fail() {
    let tree = Tree::new();
    for name in ["a", "b", "c", "d\n", "e"] {
        tree.write(name, name);
    }
    let list = tree.digest_ok(&["."]);
    tree.write("b", "changed");
    tree.write("d\n", "");
    fs::remove_file(tree.path().join("c")).unwrap();
    let (code, verdicts, warnings) = check(&tree, &list);
    assert_eq!(code, 1);
    assert_eq!(verdicts, "./a: OK\n./b: FAILED\n./c: FAILED open or read\n\\./d\\n: FAILED\n./e: OK\n");
    assert_eq!(warnings, ["1 listed file could not be read", "2 computed checksums did NOT match"]);
}

#[test]
fn a_changed_list_fails() {
    let tree = Tree::new();
    tree.write("a", "abc");
    let list = format!("{}b  a\n", &ABC[..63]);
    let (code, verdicts, warnings) = check(&tree, list.as_bytes());
    assert_eq!((code, verdicts.as_str()), (1, "a: FAILED\n"));
    assert_eq!(warnings, ["1 computed checksum did NOT match"]);
}

#[test]
fn a_folder_in_a_list_cannot_be_read() {
    let tree = Tree::new();
    tree.write("folder/a", "");
    let (code, verdicts, warnings) = check(&tree, format!("{EMPTY}  folder\n").as_bytes());
    assert_eq!((code, verdicts.as_str()), (1, "folder: FAILED open or read\n"));
    assert_eq!(warnings, ["1 listed file could not be read"]);
}

#[test]
fn variants_of_a_line_are_understood() {
    let tree = Tree::new();
    tree.write("a", "abc");
    tree.write("*", "abc");
    tree.write("a\\", "abc");
    let upper = ABC.to_ascii_uppercase();
    let list = format!(
        "# {ABC}  a\n\n\r\n{ABC} *a\r\n \t{ABC}  a\n{ABC}\t a\n{upper}  a\n{ABC}  *\n{ABC} **\n{ABC}  a\\\n\\{ABC}  a\\\\\n{ABC}  a"
    );
    let (code, verdicts, warnings) = check(&tree, list.as_bytes());
    assert_eq!((code, warnings.len()), (0, 0));
    assert_eq!(verdicts, "a: OK\na: OK\na: OK\na: OK\n*: OK\n*: OK\na\\: OK\na\\: OK\na: OK\n");
}

#[test]
fn malformed_lines_are_counted() {
    let tree = Tree::new();
    tree.write("a", "abc");
    let one = format!("{ABC}  a\nnonsense\n");
    assert_eq!(
        check(&tree, one.as_bytes()),
        (0, "a: OK\n".into(), vec!["1 line is improperly formatted".into()])
    );
    let more = format!("{ABC}  a\n{}  a\n\\{ABC}  a\\t\n{ABC}xx a\n", &ABC[1..]);
    assert_eq!(check(&tree, more.as_bytes()).2, ["3 lines are improperly formatted"]);
}

#[test]
fn a_list_without_a_good_line_is_refused() {
    let tree = Tree::new();
    for list in ["", "\n", "# nothing\n", "nonsense\n"] {
        let (_kept, path) = keep(list.as_bytes());
        let output = tree.digest(&["--check", &path]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        assert_eq!(stderr(&output), format!("digest: {path}: no properly formatted checksum lines found\n"));
        assert_eq!(check(&tree, list.as_bytes()).0, 1);
    }
}

#[test]
fn a_list_can_come_from_the_standard_input() {
    let tree = Tree::new();
    tree.write("a", "abc");
    let output = feed(tree.digest(&["--check", "-"]), format!("{ABC}  a\n").as_bytes());
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "a: OK\n"));
    // In a list, this name would be the standard input, which is not read twice, and not for a file.
    let output = feed(tree.digest(&["--check", "-"]), format!("{ABC}  -\n").as_bytes());
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), "-: FAILED open or read\n"));
}

#[test]
fn a_list_that_is_not_there_is_an_error() {
    let tree = Tree::new();
    let output = tree.digest(&["--check", "nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("digest: nowhere: No such file or directory"), "{}", stderr(&output));
}
