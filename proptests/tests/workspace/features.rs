//! The twins have the features of the crate: what a twin does not know is silently off in its models. And a plain
//! `cargo test` runs them: what is no default member is silently left out.

use std::collections::BTreeSet;

use toml::Table;

use crate::source::{assert_none, assert_one, read};

const TWINS: [&str; 2] = ["loom_tests/Cargo.toml", "loom_tests/shuttle/Cargo.toml"];

fn features(manifest: &str) -> BTreeSet<String> {
    let manifest: Table = manifest.parse().expect("a manifest is TOML");
    let features = manifest.get("features").and_then(|features| features.as_table());
    features.into_iter().flat_map(|features| features.keys().cloned()).collect()
}

fn check(crate_manifest: &str, twins: &[(&str, String)]) -> Vec<String> {
    let ours = features(crate_manifest);
    let complain = |(path, twin): &(&str, String)| {
        let theirs = features(twin);
        let (missing, alien): (Vec<_>, Vec<_>) =
            ours.symmetric_difference(&theirs).partition(|name| ours.contains(*name));
        (missing.len() + alien.len() > 0).then(|| {
            format!("{path}: of the crate's features it lacks {missing:?}, and it has {alien:?} besides")
        })
    };
    twins.iter().filter_map(complain).collect()
}

#[test]
fn twins_have_the_features_of_the_crate() {
    let twins = TWINS.map(|path| (path, read(path)));
    assert!(!features(&read("Cargo.toml")).is_empty(), "the crate has no features");
    assert_none(&check(&read("Cargo.toml"), &twins));
}

#[test]
fn twins_are_run_by_default() {
    let manifest: Table = read("Cargo.toml").parse().expect("a manifest is TOML");
    let members = manifest["workspace"]["default-members"].as_array().expect("a list of folders");
    let is_member = |folder: &str| members.iter().any(|member| member.as_str() == Some(folder));
    for twin in TWINS {
        let folder = twin.strip_suffix("/Cargo.toml").expect("a manifest in a folder");
        assert!(is_member(folder), "{folder} is no default member");
    }
}

#[test]
fn planted_differences_are_found() {
    let ours = "[features]\ndefault = []\na = []\nb = []\n";
    let check = |twin: &str| check(ours, &[("twin", twin.to_owned())]);
    assert_none(&check("[features]\nb = []\na = []\ndefault = ['a']\n"));
    assert_one(&check("[features]\na = []\ndefault = []\n"), &["twin", "lacks [\"b\"]"]);
    assert_one(&check(&format!("{ours}c = []\n")), &["has [\"c\"]"]);
    assert_one(&check("[package]\nname = 'x'\n"), &["\"default\"", "\"a\"", "\"b\""]);
}
