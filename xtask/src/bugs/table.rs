//! The table of bugs, `xtask/bugs.toml`: what each changes, and which check must find it with which words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

/// Where the table is.
pub const FILE: &str = "xtask/bugs.toml";

/// By what a bug is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// A model under one reclaimer: `queue::q1_order/never`.
    Models,
    /// A larger world on shuttle: `fixed::w1_at_rest`.
    Worlds,
    /// A test of `proptests`, which begins with the name of its binary: `front::scope::s3_scopes_nest`.
    Properties,
    /// A unit test of the crate.
    Units,
}

impl Layer {
    pub const ALL: [Self; 4] = [Self::Models, Self::Worlds, Self::Properties, Self::Units];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.to_string() == name)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Models => "models",
            Self::Worlds => "worlds",
            Self::Properties => "properties",
            Self::Units => "units",
        })
    }
}

/// One known mistake.
#[derive(Clone, Debug)]
pub struct Bug {
    /// Counts from 1, in the order of the table.
    pub number: usize,
    /// What is wrong.
    pub name: String,
    /// Whose mistake it was, or why somebody could make it.
    pub source: String,
    /// The file that is edited.
    pub file: String,
    /// Stands there once; what is replaced is all of it, or what is between `«` and `»`.
    pub text: String,
    /// What stands there instead.
    pub with: String,
    pub layer: Layer,
    /// The check that must find it.
    pub check: String,
    /// What that check must say.
    pub message: String,
    /// Whether plain `cargo test` tries it.
    pub control: bool,
}

impl Bug {
    /// The check without its reclaimer: two bugs that the same assertion of the same model finds are one too many.
    fn assertion(&self) -> (Layer, &str, &str) {
        (self.layer, self.check.split('/').next().unwrap_or_default(), &self.message)
    }
}

/// Reads the table of a workspace.
pub fn read(workspace: &Path) -> Result<Vec<Bug>> {
    let text = fs::read_to_string(workspace.join(FILE)).with_context(|| format!("reading {FILE}"))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Bug>> {
    let table: Table = text.parse().with_context(|| format!("parsing {FILE}"))?;
    let bugs =
        table.get("bug").and_then(Value::as_array).with_context(|| format!("{FILE} has no [[bug]]"))?;
    let bugs: Vec<Bug> = bugs
        .iter()
        .enumerate()
        .map(|(at, bug)| bug_of(at + 1, bug).with_context(|| format!("bug {} of {FILE}", at + 1)))
        .collect::<Result<_>>()?;
    let faults = faults(&bugs);
    ensure!(faults.is_empty(), "{FILE}:\n{}", faults.join("\n"));
    Ok(bugs)
}

fn bug_of(number: usize, bug: &Value) -> Result<Bug> {
    const KEYS: [&str; 9] =
        ["name", "source", "file", "text", "with", "layer", "check", "message", "control"];
    let table = bug.as_table().context("it is no table")?;
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        bail!("it has a key {key:?}, and may have {KEYS:?}");
    }
    let get = |key: &str| {
        let text = table.get(key).and_then(Value::as_str).map(|text| text.trim_end_matches('\n').to_owned());
        text.with_context(|| format!("it has no text {key:?}"))
    };
    let layer = get("layer")?;
    Ok(Bug {
        number,
        name: get("name")?,
        source: get("source")?,
        file: get("file")?,
        text: get("text")?,
        with: get("with")?,
        layer: Layer::named(&layer).with_context(|| format!("there is no layer {layer:?}"))?,
        check: get("check")?,
        message: get("message")?,
        control: table.get("control").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// Tells what is wrong with the table by itself.
fn faults(bugs: &[Bug]) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut names, mut assertions) = (BTreeSet::new(), BTreeMap::new());
    for bug in bugs {
        if !names.insert(&bug.name) {
            faults.push(format!("{}: the name stands there twice", bug.name));
        }
        if let Some(earlier) = assertions.insert(bug.assertion(), &bug.name) {
            faults.push(format!("{}: the same assertion of the same check finds {earlier}", bug.name));
        }
        if [&bug.name, &bug.source, &bug.check, &bug.message].iter().any(|text| text.trim().is_empty()) {
            faults.push(format!("{}: something is empty", bug.name));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[[bug]]\nname = 'a'\nsource = 's'\nfile = 'src/queue.rs'\ntext = '''\nf();\n'''\nwith = ''\n\
                       layer = 'models'\ncheck = 'queue::q1/never'\nmessage = 'Q1'\n";

    #[test]
    fn a_table_is_read() {
        let bugs = parse(ONE).expect("a table");
        let [bug] = bugs.as_slice() else { panic!("one bug") };
        assert_eq!((bug.number, bug.text.as_str(), bug.with.as_str(), bug.control), (1, "f();", "", false));
        assert_eq!(bug.layer, Layer::Models);
    }

    #[test]
    fn planted_faults_are_found() {
        let refused = |text: &str, words: &str| {
            let error = format!("{:#}", parse(text).expect_err("it is wrong"));
            assert!(error.contains(words), "{error}");
        };
        refused("", "no [[bug]]");
        refused(&ONE.replace("'models'", "'model'"), "no layer");
        refused(&ONE.replace("with", "wiht"), "\"wiht\"");
        refused(&ONE.replace("message = 'Q1'\n", ""), "no text \"message\"");
        refused(&ONE.replace("message = 'Q1'", "message = ''"), "something is empty");
        refused(&format!("{ONE}{ONE}"), "twice");
        let other = ONE.replace("'a'", "'b'");
        refused(&format!("{ONE}{}", other.replace("never", "kill")), "finds a");
        assert_eq!(parse(&format!("{ONE}{}", other.replace("'Q1'", "'R1'"))).expect("two").len(), 2);
    }
}
