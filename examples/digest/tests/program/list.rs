//! What is listed, how, and in which order.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use crate::support::{ABC, EMPTY, POOLS, Tree, names, noise, repository, stderr};

#[test]
fn names_are_escaped_and_written_as_bytes() {
    let tree = Tree::new();
    for name in [&b"plain"[..], b"line\nfeed", b"carriage\rreturn", b"back\\slash", b"\xff\xfe"] {
        tree.write(name, "abc");
    }
    tree.write("empty", "");
    let lines = [
        [b"\\", ABC.as_bytes(), b"  ./back\\\\slash\n"].concat(),
        [b"\\", ABC.as_bytes(), b"  ./carriage\\rreturn\n"].concat(),
        [EMPTY.as_bytes(), b"  ./empty\n"].concat(),
        [b"\\", ABC.as_bytes(), b"  ./line\\nfeed\n"].concat(),
        [ABC.as_bytes(), b"  ./plain\n"].concat(),
        [ABC.as_bytes(), b"  ./\xff\xfe\n"].concat(),
    ];
    assert_eq!(tree.digest_ok(&["."]), lines.concat());
}

#[test]
fn a_tree_is_listed_as_find_and_sha256sum_do() {
    let tree = Tree::varied();
    let Some(files) = tree.find_files(".") else { return };
    assert_eq!(files.len(), 328);
    let Some(expected) = tree.sha256sum(files) else {
        return;
    };
    assert!(expected.status.success());
    assert_eq!(tree.digest_ok(&["."]), expected.stdout);
}

#[test]
fn sha256sum_accepts_a_list() {
    let tree = Tree::varied();
    let list = Tree::new();
    list.write("list", tree.digest_ok(&["."]));
    let list = list.path().join("list");
    let Some(check) = tree.sha256sum(["--check", "--strict", list.to_str().unwrap()]) else {
        return;
    };
    assert!(check.status.success(), "{}", stderr(&check));
}

#[test]
fn pools_and_workers_do_not_change_a_list() {
    let tree = Tree::varied();
    let expected = tree.digest_ok(&["--pool", "sequential", "."]);
    for pool in POOLS {
        for workers in ["1", "2", "8"] {
            let list = tree.digest_ok(&["--pool", pool, "--workers", workers, "."]);
            assert!(list == expected, "{pool}, {workers} workers");
        }
    }
}

#[test]
fn a_large_file_is_hashed_to_its_end() {
    let tree = Tree::new();
    let mut contents = noise((8 << 20) + 1);
    tree.write("a", &contents);
    *contents.last_mut().unwrap() ^= 1;
    tree.write("b", &contents);
    let list = tree.digest_ok(&["a", "b"]);
    assert_ne!(list[..64], list[68..132]);
    let Some(expected) = tree.sha256sum(["a", "b"]) else {
        return;
    };
    assert_eq!(list, expected.stdout);
}

#[test]
fn paths_are_printed_as_given() {
    let tree = Tree::new();
    tree.write("a/b", "");
    tree.write("a-b", "");
    assert_eq!(names(&tree.digest_ok(&["a"])), ["a/b"]);
    assert_eq!(names(&tree.digest_ok(&["a/"])), ["a/b"]);
    assert_eq!(names(&tree.digest_ok(&["a//"])), ["a//b"]);
    assert_eq!(names(&tree.digest_ok(&["./a/."])), ["./a/./b"]);
    assert_eq!(names(&tree.digest_ok(&["a/../a-b", "a-b"])), ["a-b", "a/../a-b"]);
    // The order is that of the bytes, over all paths, and what is given twice is listed twice.
    assert_eq!(names(&tree.digest_ok(&["a", "a-b", "a/b"])), ["a-b", "a/b", "a/b"]);
}

#[test]
fn given_paths_are_searched_whole() {
    let tree = Tree::new();
    for name in [".git/a", "target/b", ".hidden/c", "x/target/d"] {
        tree.write(name, "");
    }
    assert_eq!(names(&tree.digest_ok(&["."])), ["./.git/a", "./.hidden/c", "./target/b", "./x/target/d"]);
}

#[test]
fn only_given_links_are_followed() {
    let tree = Tree::new();
    tree.write("folder/file", "abc");
    symlink("file", tree.path().join("folder/to_file")).unwrap();
    symlink("../folder", tree.path().join("folder/to_folder")).unwrap();
    symlink("nowhere", tree.path().join("folder/dangling")).unwrap();
    symlink("folder", tree.path().join("to_folder")).unwrap();
    assert_eq!(names(&tree.digest_ok(&["folder"])), ["folder/file"]);
    assert_eq!(names(&tree.digest_ok(&["to_folder"])), ["to_folder/file"]);
    let list = tree.digest_ok(&["folder/to_file"]);
    assert_eq!(list, format!("{ABC}  folder/to_file\n").as_bytes());
}

#[test]
fn special_files_below_a_folder_are_passed_over() {
    let tree = Tree::new();
    tree.write("folder/file", "");
    let _socket = UnixListener::bind(tree.path().join("folder/socket")).unwrap();
    let output = tree.digest(&["folder"]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(names(&output.stdout), ["folder/file"]);
    assert_eq!(stderr(&output).lines().count(), 1);
}

#[test]
fn nothing_to_hash_is_no_failure() {
    let tree = Tree::new();
    for pool in POOLS {
        assert!(tree.digest_ok(&["--pool", pool, "."]).is_empty());
    }
}

#[test]
fn the_repository_is_hashed_by_default() {
    let elsewhere = Tree::new();
    // Whether it succeeds is not asked: somebody may be removing a file of the repository just now.
    let list = elsewhere.digest(&[]).output().unwrap().stdout;
    let root = repository().into_os_string().into_string().unwrap();
    let list = String::from_utf8_lossy(&list);
    let names: Vec<&str> = list.lines().map(|line| line[66..].strip_prefix(&root).unwrap()).collect();
    assert!(names.contains(&"/Cargo.toml"));
    assert!(names.contains(&"/examples/digest/src/main.rs"));
    assert!(!names.iter().any(|name| name.contains("/target/") || name.contains("/.git/")));
}
