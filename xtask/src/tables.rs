//! Tables of the documentation that are made of data in the repository, and the test that they are up to date.
//!
//! | table | page | made of |
//! |---|---|---|
//! | the layers of checks | `docs/verification.md` | `xtask/checks.toml` |
//! | their commands | `README.md` | `xtask/checks.toml` |
//! | what kills an invariant | `docs/invariants.md` | `xtask/bugs.toml`, `docs/mutants.md` |
//!
//! Two more tables have what a run measured, and are written by that run: `docs/mutants.md` by `cargo xtask ordmut
//! --write-docs`, and the seeded bugs in `docs/verification.md` by `cargo xtask bugs --write-docs`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::bugs::table::{self, Bug};
use crate::ordmut::record::{self, Killed};
use crate::page;
use crate::tree;

/// A table: its page, its name there, and its text.
type Made = (&'static str, &'static str, String);

/// Runs the task.
pub fn run() -> Result<ExitCode> {
    write(&tree::workspace()?)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes all tables that need no run.
pub fn write(workspace: &Path) -> Result<()> {
    made(workspace)?.iter().try_for_each(|(path, name, text)| page::write(workspace, path, name, text))
}

fn made(workspace: &Path) -> Result<Vec<Made>> {
    const FILE: &str = "xtask/checks.toml";
    let text = std::fs::read_to_string(workspace.join(FILE)).with_context(|| format!("reading {FILE}"))?;
    let checks = checks(&text).with_context(|| FILE.to_owned())?;
    let invariants = std::fs::read_to_string(workspace.join(INVARIANTS)).context("reading the invariants")?;
    let killers = killers(&invariants, &table::read(workspace)?, &record::read(workspace)?);
    Ok(vec![
        ("docs/verification.md", "layers", layers(&checks)),
        ("README.md", "checks", commands(&checks)),
        (INVARIANTS, "killers", killers),
    ])
}

const INVARIANTS: &str = "docs/invariants.md";

/// A layer of checks.
#[derive(Debug)]
struct Check {
    layer: String,
    run: String,
    explores: String,
    takes: String,
    /// Other ways to run it, and their commands.
    more: Vec<[String; 2]>,
}

fn checks(text: &str) -> Result<Vec<Check>> {
    let table: Table = text.parse()?;
    let checks = table.get("check").and_then(Value::as_array).context("it has no [[check]]")?;
    checks.iter().map(check).collect()
}

fn check(check: &Value) -> Result<Check> {
    let get = |key: &str| {
        let text = check.get(key).and_then(Value::as_str).map(str::to_owned);
        text.with_context(|| format!("a check has no text {key:?}: {check}"))
    };
    let more = check.get("more").and_then(Value::as_array).into_iter().flatten();
    let pair = |pair: &Value| {
        let [what, command] = pair.as_array()?.as_slice() else { return None };
        Some([what.as_str()?.to_owned(), command.as_str()?.to_owned()])
    };
    let more = more.map(|entry| pair(entry).with_context(|| format!("{entry} is no pair of texts")));
    Ok(Check {
        layer: get("layer")?,
        run: get("run")?,
        explores: get("explores")?,
        takes: get("takes")?,
        more: more.collect::<Result<_>>()?,
    })
}

fn layers(checks: &[Check]) -> String {
    let row = |check: &Check| vec![check.layer.clone(), check.run.clone(), check.explores.clone()];
    page::table(&["layer", "run by", "explores"], checks.iter().map(row))
}

fn commands(checks: &[Check]) -> String {
    let rows = checks.iter().flat_map(|check| {
        let first = vec![format!("{} ({})", check.layer, check.takes), check.run.clone()];
        std::iter::once(first).chain(check.more.iter().map(|pair| pair.to_vec()))
    });
    page::table(&["what", "command"], rows)
}

/// Tells whether a check that says this kills an invariant: by its name, or by what it says.
fn kills(id: &str, check: &str, message: &str) -> bool {
    let name = check.split('/').next().unwrap_or_default();
    let name = name.rsplit("::").next().unwrap_or_default();
    name.starts_with(&format!("{}_", id.to_lowercase())) || message.contains(&format!("{id}: "))
}

/// Returns the IDs that are listed and not struck through.
fn ids(invariants: &str) -> impl Iterator<Item = &str> {
    invariants.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(id, _)| id))
}

fn killers(invariants: &str, bugs: &[Bug], mutants: &[Killed]) -> String {
    let rows = ids(invariants).map(|id| {
        let seeded = bugs.iter().filter(|bug| kills(id, &bug.check, &bug.message));
        let seeded = seeded.map(|bug| format!("*{}*, by `{}`", bug.name, bug.check));
        let weakened = mutants.iter().filter(|mutant| kills(id, &mutant.check, &mutant.message));
        let weakened = weakened.map(|Killed { function, operation, check, .. }| {
            format!("the mutant of `{operation}` in `{function}`, by `{check}`")
        });
        let all: Vec<String> = seeded.chain(weakened).collect();
        let told = match all.len() {
            0 => "-".to_owned(),
            1..=3 => all.join("; "),
            many => format!("{}; and {} more", all[..2].join("; "), many - 2),
        };
        vec![id.to_owned(), told]
    });
    page::table(&["ID", "killed"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_up_to_date() {
        let workspace = tree::workspace().expect("a workspace");
        for (path, name, text) in made(&workspace).expect("data") {
            let page = page::read(&workspace, path, name).expect("a part");
            assert!(page == text, "{name} in {path} is old: run cargo xtask tables");
        }
    }

    #[test]
    fn a_check_kills_by_its_name_or_by_what_it_says() {
        assert!(kills("Q1", "queue::q1_order/never", "left == right"));
        assert!(kills("R2", "queue::q1_order/never", "R2: a node was killed twice"));
        assert!(!kills("Q1", "queue::q10_order/never", "Q10: no order"));
        assert!(kills("S3", "front::scope::s3_scopes_nest", ""));
    }

    #[test]
    fn invariants_are_listed_with_what_kills_them() {
        let page = "| ID | x |\n| `Q1` | x |\n| ~~`Q2`~~ | x |\n| `Q3` | x |\n| Q9 | x |\n";
        let mutant = Killed {
            function: "Queue::push".into(),
            operation: "fence".into(),
            check: "queue::q1_order/never".into(),
            message: String::new(),
        };
        let table = killers(page, &[], &[mutant]);
        assert_eq!(
            page::rows(&table),
            [["Q1", "the mutant of `fence` in `Queue::push`, by `queue::q1_order/never`"], ["Q3", "-"]]
        );
    }

    #[test]
    fn layers_are_read_with_all_their_commands() {
        let text = "[[check]]\nlayer='a'\nrun='b'\nexplores='c'\ntakes='d'\nmore=[['e','f']]\n";
        let checks = checks(text).expect("a layer");
        assert_eq!(page::rows(&commands(&checks)), [["a (d)", "b"], ["e", "f"]]);
        assert_eq!(page::rows(&layers(&checks)), [["a", "b", "c"]]);
        assert!(super::checks(&text.replace("takes", "take")).is_err());
        assert!(super::checks(&text.replace(",'f'", "")).is_err());
    }
}
