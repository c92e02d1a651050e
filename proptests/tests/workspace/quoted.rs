//! What the pages quote exists: tests, models, files and items by their names.
//!
//! - A name such as `q1_order`, wherever a page has it, is that of a test or a model; `q1_*` is the beginning of one.
//! - Everything in code type under *Checked by* is a test, a model, a file, an item of the sources, or a command. (Whether
//!   commands exist is for [`commands`](crate::commands) to say.)

use std::collections::BTreeSet;

use crate::commands::is_command;
use crate::invariants::{is_test_name, names_of};
use crate::markdown::Page;
use crate::pages;
use crate::source::{Source, assert_none, assert_one, tests};

/// All names that a page may quote.
#[derive(Default)]
pub(crate) struct Names {
    /// Tests and models.
    pub(crate) tests: BTreeSet<String>,
    /// Tests, and whatever else has a name: items, modules, files without their ends.
    pub(crate) all: BTreeSet<String>,
}

impl Names {
    /// Reads the names of the workspace.
    pub(crate) fn read() -> Self {
        let src = Source::tree("src");
        let mut names = Self { tests: names_of(&src), all: BTreeSet::new() };
        let folders = ["loom_tests", "proptests", "xtask", "benches", "examples"];
        for source in src.into_iter().chain(folders.into_iter().flat_map(Source::tree)) {
            names.tests.extend(tests(&source.tokens));
            names.add(&source);
        }
        names.all.extend(names.tests.iter().cloned());
        names
    }

    fn add(&mut self, source: &Source) {
        self.all.extend(source.path.trim_end_matches(".rs").split('/').map(str::to_owned));
        for token in &source.tokens {
            // Tests of the drivers have no functions of their names: they stand in texts, as `driver::a_race_fails`.
            let text = token.text.trim_matches('"');
            if text.len() < token.text.len() {
                if text.contains("::") && text.split("::").all(is_word) {
                    self.all.extend(text.split("::").map(str::to_owned));
                    self.tests.extend(text.rsplit("::").next().map(str::to_owned));
                }
            } else if is_word(text) {
                self.all.insert(text.to_owned());
            }
        }
    }

    /// Tells whether there is something of this path, whose last part may end with a star.
    fn know(&self, path: &str) -> bool {
        let plain = path.trim_start_matches('&').split(['(', '<']).next().unwrap_or_default();
        let plain = plain.trim_end_matches('!');
        let (before, last) = plain.rsplit_once("::").unwrap_or(("", plain));
        let has = |all: &BTreeSet<String>| match last.strip_suffix('*') {
            Some(beginning) => {
                all.range(beginning.to_owned()..).next().is_some_and(|it| it.starts_with(beginning))
            }
            None => all.contains(last),
        };
        let before = before.split("::").filter(|part| !part.is_empty());
        before.into_iter().all(|part| self.all.contains(part))
            && has(if is_test_name(last) { &self.tests } else { &self.all })
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns the path in a piece of code, without the reclaimer that a check's name ends with.
fn path(code: &str) -> &str {
    match code.split_once('/') {
        Some((path, _)) if path.contains("::") || is_test_name(path) => path,
        _ => code,
    }
}

fn check(pages: &[Page], names: &Names, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for page in pages {
        let checked_by = page.section("Checked by").map(|section| section.line);
        for section in &page.sections {
            for (code, line) in &section.codes {
                let path = path(code);
                let last = path.rsplit("::").next().unwrap_or_default();
                if is_test_name(last) {
                    if !names.know(path) {
                        complaints.push(page.complain(*line, &format!("there is no test or model `{code}`")));
                    }
                } else if checked_by == Some(section.line) {
                    let is_file = path.contains('/') || path.contains('.');
                    let is_known = if is_file { exists(path) } else { names.know(path) };
                    if !is_known && !is_command(code) {
                        complaints
                            .push(page.complain(*line, &format!("there is no `{code}` to check anything")));
                    }
                }
            }
        }
    }
    complaints
}

#[test]
fn each_name_that_a_page_quotes_exists() {
    let names = Names::read();
    let pages = pages::all();
    let quoted = pages.iter().flat_map(|page| &page.sections).flat_map(|section| &section.codes).count();
    assert!(names.tests.len() > 300 && quoted > 1000, "{} tests, {quoted} quotations", names.tests.len());
    assert_none(&check(&pages, &names, pages::exists));
}

#[test]
fn planted_names_that_do_not_exist_are_found() {
    let mut names = Names { tests: BTreeSet::from(["q1_order".to_owned()]), ..Names::default() };
    let text = "struct Queue; fn f() { Trial::test(\"driver::a_race_fails\", x); [\"driver::w1_asleep\"] }";
    names.add(&Source::new("loom_tests/tests/models/queue.rs", text));
    let check = |text: &str| check(&[Page::new("docs/a.md", text)], &names, |path| path == "docs/a.md");
    assert_none(&check(
        "`q1_order`, `q1_*`, `queue::q1_order/never`, `Q1_no`, `anything` and `queue::any`\n",
    ));
    assert_one(&check("x\n\n`q1_odour`\n"), &["docs/a.md:3", "no test or model `q1_odour`"]);
    assert_one(&check("`q2_*`"), &["`q2_*`"]);
    assert_one(&check("`stack::q1_order/kill`"), &["`stack::q1_order/kill`"]);
    let checked = |code: &str| check(&format!("# A\n\n## Checked by\n\n`{code}`\n\n## Sources\n\n`b`\n"));
    for good in
        ["q1_order", "driver::*", "driver::a_race_fails", "Queue", "&Queue", "docs/a.md", "cargo test"]
    {
        assert_none(&checked(good));
    }
    for bad in ["q1_odour", "driver::a_race", "Stack", "docs/b.md", "diver::*"] {
        assert_one(&checked(bad), &["docs/a.md:5", bad]);
    }
}
