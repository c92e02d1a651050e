//! Pictures of the documentation, drawn of texts that lie beside them in `docs/pictures`.
//!
//! | source | picture | drawn by |
//! |---|---|---|
//! | `life.lanes` | `life.svg` | [`lanes`]: who does what, in columns from top to bottom |
//! | `floors.boxes` | `floors.svg` | [`boxes`]: rows of named boxes |
//! | `steps.list` and others | `steps.svg` | [`lists`]: linked nodes, and where the queue's ends point |
//!
//! `cargo xtask pictures` draws all of them, and puts them into what rustdoc shows ([`links`]). A text that does not
//! fit its place ends the run, so that nothing is cut off or covered. The pictures follow the reader's light or dark colours.

mod boxes;
mod lanes;
mod lists;
mod svg;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::{links, tree};

/// Where sources and pictures lie.
const FOLDER: &str = "docs/pictures";

/// Runs the task.
pub fn run() -> Result<ExitCode> {
    let workspace = tree::workspace()?;
    for (path, picture) in drawn(&workspace)? {
        fs::write(workspace.join(&path), picture).with_context(|| format!("writing {path}"))?;
    }
    links::run()
}

/// Draws all pictures; returns their paths and what they are.
fn drawn(workspace: &Path) -> Result<Vec<(String, String)>> {
    let mut pictures = Vec::new();
    for entry in fs::read_dir(workspace.join(FOLDER)).with_context(|| FOLDER.to_owned())? {
        let path = entry?.path();
        let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let draw = match kind.as_str() {
            "lanes" => lanes::draw,
            "boxes" => boxes::draw,
            "list" => lists::draw,
            _ => continue,
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let source = fs::read_to_string(&path).with_context(|| format!("reading {name}.{kind}"))?;
        let picture = draw(&source).with_context(|| format!("drawing {name}.{kind}"))?;
        pictures.push((format!("{FOLDER}/{name}.svg"), picture));
    }
    ensure!(!pictures.is_empty(), "{FOLDER} has nothing to be drawn");
    pictures.sort();
    Ok(pictures)
}

/// Returns the lines of a source that say something, with their numbers.
fn lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.lines().zip(1..).map(|(line, number)| (number, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_are_up_to_date() {
        let workspace = tree::workspace().expect("a workspace");
        for (path, picture) in drawn(&workspace).expect("sources") {
            let old = fs::read_to_string(workspace.join(&path)).unwrap_or_default();
            assert!(old == picture, "{path} is old: run cargo xtask pictures");
        }
    }

    #[test]
    fn remarks_and_empty_lines_say_nothing() {
        let said: Vec<_> = lines("# a remark\n\n  a: b\nc # d\n").collect();
        assert_eq!(said, [(3, "a: b"), (4, "c # d")]);
    }
}
