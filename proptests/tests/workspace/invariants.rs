//! Each invariant is defined once, listed in `docs/invariants.md`, checked by a test of its name, and cited by code.
//!
//! It is *defined* by a line of a module's essay such as `- `Q1`  *FIFO.* ..`. It is *checked* if a model in a table of
//! `loom_tests`, a unit test of `src`, or a test of `proptests` has a name that begins with `q1_`. It is *cited* if it is
//! named in `src` outside of essays: where it is established, or relied on.
//!
//! The page lists every invariant in a row that begins with its ID. One that was dropped is struck through there, and
//! nowhere else. The names of tests that a row gives are names of tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, Token, assert_none, assert_one, closing, is, read, tests};

const PAGE: &str = "docs/invariants.md";

/// What the rules look at.
struct Tree<'a> {
    src: &'a [Source],
    models: &'a [Source],
    properties: &'a [Source],
    page: &'a str,
}

/// Tells whether this is an ID: a capital letter and one or two digits. (The compiler's errors have four.)
fn is_id(word: &str) -> bool {
    let (letter, number) = word.split_at_checked(1).unwrap_or_default();
    letter.chars().all(|c| c.is_ascii_uppercase())
        && (1..=2).contains(&number.len())
        && number.chars().all(|c| c.is_ascii_digit())
}

/// Tells whether a test may be named so: by an ID in small letters, and what happens.
pub(crate) fn is_test_name(word: &str) -> bool {
    word.split_once('_').is_some_and(|(id, _)| id == id.to_lowercase() && is_id(&id.to_uppercase()))
}

/// If a line of an essay defines an invariant, returns its ID.
fn definition(line: &str) -> Option<&str> {
    let (id, _) = line.strip_prefix("//! - `")?.split_once('`')?;
    is_id(id).then_some(id)
}

/// Returns all words of a text that are IDs.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| is_id(word))
}

/// Returns the names of the models that stand in tables.
fn models(tokens: &[Token]) -> Vec<String> {
    let tables = (0..tokens.len()).filter(|&at| is(&tokens[at..], &["table", "!", "{"]));
    let mut names = Vec::new();
    for at in tables {
        let table = &tokens[at..];
        let mut inside = 3;
        while inside < closing(table, 2) {
            if table[inside + 1].text == "(" {
                names.push(table[inside].text.clone());
                inside = closing(table, inside + 1);
            }
            inside += 1;
        }
    }
    names
}

/// The names of all models and tests.
fn names(tree: &Tree) -> BTreeSet<String> {
    let models = tree.models.iter().flat_map(|source| models(&source.tokens));
    let tests = tree.src.iter().chain(tree.properties).flat_map(|source| tests(&source.tokens));
    models.chain(tests).collect()
}

/// The names of all models and tests of the workspace, whose `src` is this.
pub(crate) fn names_of(src: &[Source]) -> BTreeSet<String> {
    let (models, properties) = (Source::tree("loom_tests"), properties());
    names(&Tree { src, models: &models, properties: &properties, page: "" })
}

fn properties() -> Vec<Source> {
    ["proptests/src", "proptests/tests"].into_iter().flat_map(Source::tree).collect()
}

/// The IDs that essays define, and where.
pub(crate) fn definitions(src: &[Source], complaints: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut definitions = BTreeMap::new();
    for source in src {
        for (at, line) in source.lines.iter().enumerate() {
            let Some(id) = definition(line) else { continue };
            let place = format!("{}:{}", source.path, at + 1);
            if let Some(first) = definitions.insert(id.to_owned(), place.clone()) {
                complaints.push(format!("{place}: {id} is defined again, after {first}"));
            }
        }
    }
    definitions
}

/// The IDs that are named in `src` outside of essays, each with one place.
fn citations(src: &[Source]) -> BTreeMap<&str, String> {
    let mut citations = BTreeMap::new();
    for source in src {
        for (at, line) in source.lines.iter().enumerate() {
            let is_said = line.contains("//") || line.contains('"');
            if is_said && !line.starts_with("//!") {
                for id in ids(line) {
                    citations.entry(id).or_insert_with(|| format!("{}:{}", source.path, at + 1));
                }
            }
        }
    }
    citations
}

/// A row of the page.
#[derive(Debug)]
struct Row<'a> {
    id: &'a str,
    dropped: bool,
    checked_by: &'a str,
}

/// Reads a row, if this line is one of an invariant.
fn row(line: &str) -> Option<Row<'_>> {
    let cells = line.strip_prefix('|')?.trim_end().trim_end_matches('|');
    let (first, rest) = cells.split_once('|')?;
    let dropped = first.trim().starts_with('~');
    let id = first.trim().trim_matches('~').strip_prefix('`')?.strip_suffix('`')?;
    let checked_by = rest.rsplit('|').next().unwrap_or_default();
    is_id(id).then_some(Row { id, dropped, checked_by })
}

fn check(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    let definitions = definitions(tree.src, &mut complaints);
    let names = names(tree);
    let citations = citations(tree.src);
    for (id, place) in &definitions {
        let prefix = format!("{}_", id.to_lowercase());
        if !names.iter().any(|name| name.starts_with(&prefix)) {
            complaints.push(format!("{place}: {id} is checked by no model and no test named `{prefix}..`"));
        }
        if !citations.contains_key(id.as_str()) {
            complaints.push(format!("{place}: {id} is cited nowhere in src"));
        }
    }
    let letters: BTreeSet<_> = definitions.keys().map(|id| &id[..1]).collect();
    let alien = |(id, _): &(&&str, &String)| letters.contains(&id[..1]) && !definitions.contains_key(**id);
    complaints.extend(
        citations
            .iter()
            .filter(alien)
            .map(|(id, place)| format!("{place}: {id} is cited, and defined nowhere")),
    );
    complaints.extend(check_page(tree.page, &definitions, &names));
    complaints
}

fn check_page(page: &str, definitions: &BTreeMap<String, String>, names: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut listed = BTreeSet::new();
    for Row { id, dropped, checked_by } in page.lines().filter_map(row) {
        if !listed.insert(id) {
            complaints.push(format!("{PAGE}: {id} is listed twice"));
        }
        match definitions.get(id) {
            None if !dropped => {
                complaints.push(format!("{PAGE}: {id} is defined nowhere, and not struck through"))
            }
            Some(place) if dropped => {
                complaints.push(format!("{place}: {id} was dropped, and is never used again"))
            }
            _ => {}
        }
        let quoted = checked_by.split('`').skip(1).step_by(2);
        let unknown = quoted.filter(|name| is_test_name(name) && !names.contains(*name));
        complaints
            .extend(unknown.map(|name| format!("{PAGE}: {id} is checked by `{name}`, which does not exist")));
    }
    for (id, place) in definitions.iter().filter(|(id, _)| !listed.contains(id.as_str())) {
        complaints.push(format!("{place}: {id} is not listed in {PAGE}"));
    }
    complaints
}

#[test]
fn each_invariant_is_listed_checked_and_cited() {
    let page = read(PAGE);
    let (src, models) = (Source::tree("src"), Source::tree("loom_tests"));
    let properties = properties();
    let tree = Tree { src: &src, models: &models, properties: &properties, page: &page };
    assert!(definitions(&src, &mut Vec::new()).len() > 20, "the definitions were not found");
    assert!(names(&tree).len() > 50, "the tests were not found");
    assert_none(&check(&tree));
}

const ESSAY: &str = "//! - `Q1`  *FIFO.* In order.\n//! - `Q2`  *Nothing hides.* Q1.\nfn f() {\n // Q1: so.\n g(\"Q2: so\")\n}\n";
const TABLE: &str = "crate::table! { \"queue\": q1_order(THREE, all(x)), }\nfn q9_no_model() {}\n";
const TEST: &str = "proptest! { #[test] fn q2_nothing(x in y) {} }\n";
const LIST: &str =
    "| `Q1` | in order | `queue`: `push` | `q1_order` |\n| `Q2` | nothing | | property `q2_nothing` |\n";

/// Checks the texts above, of which one has something put in another's place.
fn planted(which: usize, from: &str, to: &str) -> Vec<String> {
    let mut texts = [ESSAY, TABLE, TEST, LIST].map(str::to_owned);
    assert!(texts[which].contains(from), "{from:?} is not in the planted text");
    texts[which] = texts[which].replace(from, to);
    let source = |path, at: usize| [Source::new(path, &texts[at])];
    check(&Tree {
        src: &source("src/queue.rs", 0),
        models: &source("loom_tests/tests/models/queue.rs", 1),
        properties: &source("proptests/tests/queue.rs", 2),
        page: &texts[3],
    })
}

#[test]
fn planted_invariants_are_found() {
    assert_none(&planted(0, "", ""));
    let again = "//! - `Q1`  *Again.*\nfn f";
    assert_one(&planted(0, "fn f", again), &["src/queue.rs:3", "Q1 is defined again", "src/queue.rs:1"]);
    assert_one(&planted(0, "// Q1: so", "// so"), &["src/queue.rs:1", "Q1 is cited nowhere"]);
    assert_one(
        &planted(0, "// Q1: so", "// Q1, Q7: so"),
        &["src/queue.rs:4", "Q7 is cited, and defined nowhere"],
    );
    let dropped = planted(1, "q1_order(THREE, all(x)),", "");
    assert_one(&dropped[..1], &["src/queue.rs:1", "Q1 is checked by no model", "`q1_..`"]);
    assert_one(&dropped[1..], &[PAGE, "Q1", "`q1_order`, which does not exist"]);
    let no_test = planted(2, "#[test]", "");
    assert_one(&no_test[..1], &["src/queue.rs:2", "Q2 is checked by no model", "`q2_..`"]);
}

#[test]
fn planted_pages_are_found() {
    assert_none(&planted(3, "`q1_order`", "`q1_order`, with `Q1_ORDER` and `assert_order`"));
    let second = LIST.lines().nth(1).expect("two rows");
    assert_one(&planted(3, second, ""), &["src/queue.rs:2", "Q2 is not listed"]);
    assert_one(&planted(3, "`q1_order`", "`q1_odour`"), &[PAGE, "`q1_odour`, which does not exist"]);
    assert_one(&planted(3, second, &format!("{second}\n{second}")), &[PAGE, "Q2 is listed twice"]);
    assert_one(
        &planted(3, second, &format!("{second}\n| `Q3` | old | | |")),
        &[PAGE, "Q3 is defined nowhere"],
    );
    assert_none(&planted(3, second, &format!("{second}\n| ~~`Q3`~~ | old | | |")));
    assert_one(&planted(3, "| `Q2`", "| ~~`Q2`~~"), &["src/queue.rs:2", "Q2 was dropped"]);
}
