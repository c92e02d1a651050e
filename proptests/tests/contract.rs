//! The contract, line by line: each test here is named by a line of `docs/contract.md`, and each line names its test.
//!
//! | file | what it is about |
//! |---|---|
//! | [`panics`] | panics, in all that a caller hands over |
//! | [`waits`] | who may wait for whom, and under what |
//! | [`sizes`] | nothing, very much, and things of strange sizes |
//! | [`ends`] | the beginning and the end of a pool, and what outlives it |
//! | [`caller`] | what a call does to the thread that calls |
//! | `system` | the process: its environment, limits, signals, forks, stacks |
//! | `costs` | memory, allocations, processor time |
//!
//! A test whose failure would be a hang has a deadline. One that may hang for good, that ends its process, or that
//! measures it, runs in a [child](support::child), so that all its failures are failures of a test with a name.

#[path = "contract/caller.rs"]
mod caller;
#[cfg(target_os = "linux")]
#[path = "contract/costs.rs"]
mod costs;
#[path = "contract/counting.rs"]
mod counting;
#[path = "contract/ends.rs"]
mod ends;
#[path = "contract/panics.rs"]
mod panics;
#[path = "contract/sizes.rs"]
mod sizes;
#[path = "contract/support.rs"]
mod support;
#[cfg(target_os = "linux")]
#[path = "contract/system.rs"]
mod system;
#[path = "contract/waits.rs"]
mod waits;

use std::collections::BTreeSet;

/// The page, and the files of its tests.
const PAGE: &str = include_str!("../../docs/contract.md");
const FILES: [(&str, &str); 7] = [
    ("caller", include_str!("contract/caller.rs")),
    ("costs", include_str!("contract/costs.rs")),
    ("ends", include_str!("contract/ends.rs")),
    ("panics", include_str!("contract/panics.rs")),
    ("sizes", include_str!("contract/sizes.rs")),
    ("system", include_str!("contract/system.rs")),
    ("waits", include_str!("contract/waits.rs")),
];

/// Returns the tests of a file: functions that follow a `#[test]`.
fn tests_of<'a>(module: &'a str, text: &'a str) -> impl Iterator<Item = String> + 'a {
    let after_mark = text.split("#[test]").skip(1);
    after_mark.filter_map(move |text| {
        let (name, _) = text.split_once("fn ")?.1.split_once('(')?;
        Some(format!("{module}::{name}"))
    })
}

/// Returns the tests that the page names.
fn named() -> BTreeSet<String> {
    let in_ticks = PAGE.split('`').skip(1).step_by(2);
    let is_test = |word: &&str| FILES.iter().any(|(module, _)| word.starts_with(&format!("{module}::")));
    in_ticks.filter(is_test).map(str::to_owned).collect()
}

/// A line without a test would be a promise that nobody keeps, and a test without a line one that nobody knows of.
#[test]
fn each_line_has_its_test_and_each_test_its_line() {
    let tests: BTreeSet<_> = FILES.iter().flat_map(|(module, text)| tests_of(module, text)).collect();
    assert!(tests.len() > 30, "the files have tests: {tests:?}");
    assert_eq!(named(), tests);
}
