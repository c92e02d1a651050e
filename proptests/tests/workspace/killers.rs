//! Each invariant is killed: some seeded bug or ordering mutant makes a check of its name fail, or one that says its ID.
//!
//! The bugs are those of `xtask/bugs.toml`, and the mutants those that `docs/mutants.md` has as killed; that both pages are
//! true is for `cargo xtask bugs` and `cargo xtask ordmut` to show. A bug names a check that exists.
//!
//! The layers of checks in `xtask/checks.toml` are those that `README.md` and `docs/verification.md` list.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::invariants::{definitions, names_of};
use crate::source::{Source, assert_none, assert_one, read};

const BUGS: &str = "xtask/bugs.toml";
const MUTANTS: &str = "docs/mutants.md";
const CHECKS: &str = "xtask/checks.toml";

/// A check that failed on something, and what it said.
#[derive(Debug)]
struct Kill {
    /// Whose check it is, if a bug names it.
    bug: Option<String>,
    check: String,
    message: String,
}

impl Kill {
    /// The name of the model or test, without its modules and its reclaimer.
    fn name(&self) -> &str {
        let name = self.check.split('/').next().unwrap_or_default();
        name.rsplit("::").next().unwrap_or_default()
    }

    fn is_of(&self, id: &str) -> bool {
        self.name().starts_with(&format!("{}_", id.to_lowercase()))
            || self.message.contains(&format!("{id}: "))
    }
}

/// Returns the tables of an array in a file of data.
fn entries(text: &str, key: &str) -> Vec<Table> {
    let data: Table = text.parse().unwrap_or_else(|error| panic!("no data: {error}"));
    let entries = data.get(key).and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| entry.as_table().cloned()).collect()
}

fn text(entry: &Table, key: &str) -> String {
    let text = entry.get(key).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no text {key:?} in {entry}")).to_owned()
}

fn bugs(data: &str) -> Vec<Kill> {
    let kill = |bug: Table| Kill {
        bug: Some(text(&bug, "name")),
        check: text(&bug, "check"),
        message: text(&bug, "message"),
    };
    entries(data, "bug").into_iter().map(kill).collect()
}

/// Reads the rows of mutants that were killed: file, function, operation, from, to, check, message.
fn mutants(page: &str) -> Vec<Kill> {
    let rows = page.lines().filter(|line| line.starts_with("| `src/"));
    let kill = |row: &str| {
        let mut cells = row.trim_matches('|').split(" | ").skip(5).map(str::trim);
        let check = cells.next()?.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        Some(Kill { bug: None, check, message: cells.next()?.to_owned() })
    };
    rows.filter_map(kill).collect()
}

/// Complains about invariants that nothing kills, and about checks of bugs that do not exist.
fn check<'a>(
    invariants: impl IntoIterator<Item = &'a str>,
    kills: &[Kill],
    names: &BTreeSet<String>,
) -> Vec<String> {
    let unharmed = invariants.into_iter().filter(|id| !kills.iter().any(|kill| kill.is_of(id)));
    let mut complaints: Vec<String> = unharmed
        .map(|id| {
            format!(
                "{id} is killed by no bug of {BUGS} and by no mutant of {MUTANTS}: seed a bug that breaks it"
            )
        })
        .collect();
    for kill in kills {
        if let Some(bug) = &kill.bug
            && !names.contains(kill.name())
        {
            complaints.push(format!("{BUGS}: {bug}: there is no check {}", kill.check));
        }
    }
    complaints
}

/// Complains about layers that a page does not list as the data has them.
fn check_layers(data: &str, readme: &str, verification: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for layer in entries(data, "check") {
        let [name, run, explores, takes] = ["layer", "run", "explores", "takes"].map(|key| text(&layer, key));
        let rows = [
            ("README.md", readme, format!("| {name} ({takes}) | {run} |")),
            ("docs/verification.md", verification, format!("| {name} | {run} | {explores} |")),
        ];
        for (path, page, row) in rows {
            if !page.lines().any(|line| line == row) {
                complaints.push(format!("{path} has no row {row:?} of {CHECKS}: run cargo xtask tables"));
            }
        }
    }
    complaints
}

#[test]
fn each_invariant_is_killed() {
    let (src, worlds) = (Source::tree("src"), Source::tree("loom_tests/shuttle/tests"));
    let invariants = definitions(&src, &mut Vec::new());
    let (bugs, mutants) = (bugs(&read(BUGS)), mutants(&read(MUTANTS)));
    assert!(bugs.len() >= 25, "{} bugs", bugs.len());
    let count = format!(" {} bugs,", bugs.len());
    assert!(read("README.md").contains(&count), "README.md does not say {count:?}");
    assert!(mutants.len() > 30, "{} mutants", mutants.len());
    let mut names = names_of(&src);
    // Worlds have names that are texts.
    let texts = worlds.iter().flat_map(|source| &source.tokens).map(|token| token.text.trim_matches('"'));
    names.extend(texts.filter_map(|text| Some(text.split_once("::")?.1.to_owned())));
    let kills: Vec<Kill> = bugs.into_iter().chain(mutants).collect();
    assert_none(&check(invariants.keys().map(String::as_str), &kills, &names));
}

#[test]
fn the_layers_are_listed_everywhere() {
    let data = read(CHECKS);
    assert!(entries(&data, "check").len() >= 10, "the layers were not found");
    assert_none(&check_layers(&data, &read("README.md"), &read("docs/verification.md")));
}

const PLANTED: &str = "[[bug]]\nname = 'a'\ncheck = 'queue::q1_order/never'\nmessage = 'left == right'\n[[bug]]\nname = 'b'\n\
     check = 'queue::q1_order/kill'\nmessage = 'R2: killed twice'\n";
const ROW: &str =
    "| `src/queue.rs` | `Queue::push` | `fence` | SeqCst | removed | `idle::e3_close/never` | deadlock |\n";

#[test]
fn planted_invariants_without_a_killer_are_found() {
    let names = BTreeSet::from(["q1_order".to_owned()]);
    let kills = || [bugs(PLANTED), mutants(ROW)].into_iter().flatten().collect::<Vec<_>>();
    assert_none(&check(["Q1", "R2", "E3"], &kills(), &names));
    assert_one(&check(["Q1", "Q2"], &kills(), &names), &["Q2 is killed by no bug", BUGS, MUTANTS]);
    assert_one(&check(["R1"], &kills(), &names), &["R1"]);
    assert_one(&check(["E3"], &mutants(&ROW.replace("`idle::e3_close/never`", "-")), &names), &["E3"]);
    let unknown = check([], &bugs(&PLANTED.replace("q1_order/kill", "q1_odour/kill")), &names);
    assert_one(&unknown, &["b: there is no check queue::q1_odour/kill"]);
}

#[test]
fn planted_layers_are_found() {
    let data = "[[check]]\nlayer = 'models'\nrun = '`run`'\nexplores = 'all'\ntakes = 'long'\n";
    let (readme, page) = ("| models (long) | `run` |\n", "| models | `run` | all |\n");
    assert_none(&check_layers(data, readme, page));
    assert_one(&check_layers(data, "", page), &["README.md", "models (long)"]);
    assert_one(
        &check_layers(data, readme, "| models | `walk` | all |\n"),
        &["docs/verification.md", "`run`"],
    );
}
