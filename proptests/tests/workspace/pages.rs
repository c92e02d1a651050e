//! The pages of the documentation hang together.
//!
//! - A relative link leads to a file that exists, and its anchor to a heading of that page.
//! - Every page of `docs` is reached from `docs/README.md`, over any number of links, and is mounted in `src/docs.rs`.
//! - Every page of `docs` ends with the sections *Checked by* and *Sources*, and both say something.
//! - A block of code is Rust, which rustdoc compiles, or says that it is something else. None is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::markdown::{Page, Section};
use crate::source::{assert_none, assert_one, read, root};

/// Where a reader begins.
const FIRST: &str = "docs/README.md";

/// Pages outside of `docs`.
const OTHERS: [&str; 4] = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];

/// What a block of code may be, beside Rust.
const LANGUAGES: [&str; 3] = ["text", "sh", "toml"];

/// Reads all pages of the workspace.
pub(crate) fn all() -> Vec<Page> {
    let mut paths: Vec<String> = OTHERS.map(str::to_owned).into();
    for folder in ["docs", "docs/decisions"] {
        let entries = fs::read_dir(root(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let pages = names.map(|name| format!("{folder}/{}", name.to_string_lossy()));
        paths.extend(pages.filter(|path| path.ends_with(".md")));
    }
    paths.sort();
    paths.iter().map(|path| Page::new(path, &read(path))).collect()
}

/// Tells whether there is such a file or folder in the workspace.
pub(crate) fn exists(path: &str) -> bool {
    root(path).exists()
}

fn is_of_docs(path: &str) -> bool {
    path.starts_with("docs/")
}

/// Complains about links that lead nowhere.
fn check_links(pages: &[Page], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let by_path: BTreeMap<_, _> = pages.iter().map(|page| (page.path.as_str(), page)).collect();
    let mut complaints = Vec::new();
    for page in pages {
        for link in page.sections.iter().flat_map(|section| &section.links) {
            let Some((path, anchor)) = page.resolve(&link.to) else { continue };
            if let Some(target) = by_path.get(path.as_str()) {
                let is_there = anchor.is_empty() || target.sections.iter().any(|it| it.anchor == anchor);
                if !is_there {
                    complaints.push(page.complain(link.line, &format!("{path} has no heading #{anchor}")));
                }
            } else if path.is_empty() || !exists(&path) {
                complaints.push(page.complain(link.line, &format!("{} leads to no file", link.to)));
            }
        }
    }
    complaints
}

/// Complains about pages that no way leads to.
fn check_reached(pages: &[Page]) -> Vec<String> {
    let by_path: BTreeMap<_, _> = pages.iter().map(|page| (page.path.as_str(), page)).collect();
    let mut open = vec![FIRST.to_owned()];
    let mut reached = BTreeSet::new();
    while let Some(path) = open.pop() {
        let Some(page) = by_path.get(path.as_str()) else { continue };
        if reached.insert(path) {
            let links = page.sections.iter().flat_map(|section| &section.links);
            open.extend(links.filter_map(|link| page.resolve(&link.to)).map(|(path, _)| path));
        }
    }
    let lost = pages.iter().filter(|page| is_of_docs(&page.path) && !reached.contains(&page.path));
    lost.map(|page| page.complain(1, &format!("no way leads here from {FIRST}"))).collect()
}

/// Complains about pages that rustdoc does not show.
fn check_mounted(pages: &[Page], docs: &str) -> Vec<String> {
    let is_mounted = |path: &str| {
        let file = path.strip_prefix("docs/").map_or_else(|| format!("../{path}"), str::to_owned);
        path == FIRST || docs.contains(&format!(" = \"{file}\"\n"))
    };
    let missing = pages.iter().filter(|page| !is_mounted(&page.path));
    missing.map(|page| page.complain(1, "src/docs.rs does not mount this page")).collect()
}

/// Complains about pages of `docs` that do not say what checks them, and what they stand on.
fn check_ends(pages: &[Page]) -> Vec<String> {
    const ENDS: [&str; 2] = ["Checked by", "Sources"];
    let mut complaints = Vec::new();
    for page in pages.iter().filter(|page| is_of_docs(&page.path)) {
        let parts: Vec<&Section> = page.sections.iter().filter(|section| section.level == 2).collect();
        let last = &parts[parts.len().saturating_sub(2)..];
        if last.iter().map(|section| section.title.as_str()).ne(ENDS) {
            complaints.push(page.complain(1, "it does not end with `## Checked by` and `## Sources`"));
        }
        for section in last.iter().filter(|section| ENDS.contains(&section.title.as_str()) && !section.full) {
            complaints.push(page.complain(section.line, &format!("*{}* says nothing", section.title)));
        }
    }
    complaints
}

/// Complains about code that nobody compiles, and that does not say what it is.
fn check_blocks(pages: &[Page]) -> Vec<String> {
    let is_rust = |language: &str| {
        language.is_empty() || language == "rust" || language == "no_run" || {
            let number = language.strip_prefix("compile_fail,E").unwrap_or_default();
            number.len() == 4 && number.chars().all(|c| c.is_ascii_digit())
        }
    };
    let mut complaints = Vec::new();
    for page in pages {
        for (language, _, line) in page.sections.iter().flat_map(|section| &section.blocks) {
            if !is_rust(language) && !LANGUAGES.contains(&language.as_str()) {
                complaints.push(page.complain(*line, &format!("a block of code is {language:?}")));
            }
        }
    }
    complaints
}

#[test]
fn each_link_leads_somewhere() {
    let pages = all();
    let links = pages.iter().flat_map(|page| &page.sections).flat_map(|section| &section.links).count();
    assert!(links > 50, "only {links} links were found");
    assert_none(&check_links(&pages, exists));
}

#[test]
fn each_page_is_reached_and_mounted() {
    let pages = all();
    assert!(pages.len() > 20, "only {} pages were found", pages.len());
    assert_none(&check_reached(&pages));
    assert_none(&check_mounted(&pages, &read("src/docs.rs")));
}

#[test]
fn each_page_says_what_checks_it_and_what_it_stands_on() {
    assert_none(&check_ends(&all()));
}

#[test]
fn each_block_of_code_is_compiled_or_says_what_it_is() {
    assert_none(&check_blocks(&all()));
}

fn planted(texts: &[(&str, &str)]) -> Vec<Page> {
    texts.iter().map(|(path, text)| Page::new(path, text)).collect()
}

#[test]
fn planted_dead_links_are_found() {
    let check = |text: &str| {
        let pages = planted(&[("docs/README.md", text), ("docs/b.md", "# One thing\n")]);
        check_links(&pages, |path| path == "src/queue.rs")
    };
    assert_none(&check("[a](b.md), [b](b.md#one-thing), [c](../src/queue.rs), [d](https://e/f.md)"));
    assert_one(&check("x\n\n[a](c.md)"), &["docs/README.md:3: c.md leads to no file"]);
    assert_one(&check("[a](b.md#another)"), &["docs/b.md has no heading #another"]);
    assert_one(&check("[a](#here)"), &["docs/README.md has no heading #here"]);
    assert_one(&check("[a][docs/b.md]"), &["docs/b.md leads to no file"]);
    assert_one(&check("![a](pictures/b.svg)"), &["pictures/b.svg leads to no file"]);
}

#[test]
fn planted_lost_pages_are_found() {
    let pages =
        planted(&[("docs/README.md", "[b](b.md)"), ("docs/b.md", "[c](d/c.md)"), ("docs/d/c.md", "")]);
    assert_none(&check_reached(&pages));
    assert_one(&check_reached(&[&pages[..1], &pages[2..]].concat()), &["docs/d/c.md", "no way leads here"]);
    let mounts = "    b = \"b.md\"\n    c = \"d/c.md\"\n";
    assert_none(&check_mounted(&pages, mounts));
    assert_one(&check_mounted(&pages, &mounts.replace("d/c", "c")), &["docs/d/c.md", "does not mount"]);
    assert_one(&check_mounted(&planted(&[("README.md", "")]), mounts), &["README.md", "does not mount"]);
}

#[test]
fn planted_pages_without_an_end_are_found() {
    let check = |text: &str| check_ends(&planted(&[("docs/a.md", text)]));
    assert_none(&check("# A\n\n## B\n\n## Checked by\n\n`c`.\n\n### More\n\n## Sources\n\nNone.\n"));
    assert_one(&check("# A\n\n## Sources\n\nNone.\n"), &["docs/a.md", "does not end with"]);
    assert_one(&check("## Checked by\n\nb\n\n## Sources\n\nc\n\n## D\n\n"), &["does not end with"]);
    assert_one(&check("## Checked by\n\nb\n\n## Sources\n"), &["docs/a.md:5: *Sources* says nothing"]);
    assert_none(&check_ends(&planted(&[("README.md", "# A\n")])));
}

#[test]
fn planted_code_that_nobody_compiles_is_found() {
    let check = |text: &str| check_blocks(&planted(&[("docs/a.md", text)]));
    assert_none(&check(
        "```\nx\n```\n\n```rust\nx\n```\n\n```compile_fail,E0277\nx\n```\n\n```text\nx\n```\n",
    ));
    assert_one(&check("```ignore\nx\n```\n"), &["docs/a.md:1", "\"ignore\""]);
    assert_one(&check("a\n\n```compile_fail\nx\n```\n"), &["docs/a.md:3", "\"compile_fail\""]);
    assert_one(&check("```ascii\nx\n```\n"), &["\"ascii\""]);
}
