//! The repaired checker: a copy of the pinned loom with the edits of `edits.rs`, made from cargo's own sources.
//!
//! ```text
//!   cargo metadata ──▶ where loom lies ──▶ the version that the edits are for? ──▶ copy, edited ──▶ [patch.crates-io]
//! ```
//!
//! loom as published misses schedules by mistake. We neither ship a fork nor wait for a release: the copy is made anew
//! for each run, in cargo's target folder, and nothing of it enters the repository but the edits. An edit names its place
//! by a few words that must stand there exactly once; a loom that does not fit stops the run and says what to do.

mod edits;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use self::edits::{EDITS, Edit, Put, VERSION};
use crate::tree;

/// What the driver of the models is told of its checker, and the value for a repaired one.
pub const TOLD: (&str, &str) = ("ZERO_POOL_CHECKER", "repaired");

/// Copies loom into `scratch`, applies the edits, and returns the copy's folder.
pub fn write(workspace: &Path, scratch: &Path) -> Result<PathBuf> {
    let original = find(&metadata(workspace)?)?;
    let copy = scratch.join("loom");
    let mut files = tree::read_all(&original)?;
    for (file, text) in edited(&original)? {
        files.insert(file.into(), text.into_bytes());
    }
    tree::write_all(&copy, &files)?;
    Ok(copy)
}

/// Asks cargo for the packages of the workspace, which also fetches what is not there yet.
fn metadata(workspace: &Path) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(workspace)
        .output()
        .context("starting cargo metadata")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo does not say where loom lies: {}", told.trim());
    serde_json::from_slice(&output.stdout).context("reading what cargo metadata says")
}

/// Returns the folder of the loom that the workspace is built with, if the edits are for it.
fn find(metadata: &Value) -> Result<PathBuf> {
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let looms: Vec<&Value> = packages.iter().filter(|package| package["name"] == "loom").collect();
    let [loom] = looms[..] else {
        bail!("the workspace is built with {} versions of loom; it must be one", looms.len())
    };
    let version = loom["version"].as_str().unwrap_or_default();
    ensure!(
        version == VERSION,
        "the workspace is built with loom {version}, and the edits of xtask/src/checker/edits.rs are for {VERSION}\n\
         run `cargo update -p loom --precise {VERSION}`, or look whether {version} still needs the edits, and bring them \
         up to it"
    );
    let manifest = loom["manifest_path"].as_str().context("cargo metadata does not say where loom lies")?;
    let folder = Path::new(manifest).parent().context("a manifest lies in a folder")?;
    Ok(folder.to_path_buf())
}

/// Returns the edited files of the loom in `original`, with their paths inside.
fn edited(original: &Path) -> Result<Vec<(&'static str, String)>> {
    let mut files: Vec<(&'static str, String)> = Vec::new();
    for edit in EDITS {
        let at = match files.iter().position(|(file, _)| *file == edit.file) {
            Some(at) => at,
            None => {
                let path = original.join(edit.file);
                let text =
                    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
                files.push((edit.file, text));
                files.len() - 1
            }
        };
        files[at].1 = apply(edit, &files[at].1)?;
    }
    Ok(files)
}

/// Applies one edit, whose anchor must stand in `text` once.
fn apply(edit: &Edit, text: &str) -> Result<String> {
    let Edit { why, file, anchor, put } = edit;
    let (before, after) = match text.matches(anchor).count() {
        1 => text.split_once(anchor).ok_or_else(|| anyhow!("it was there a moment ago"))?,
        found => bail!(
            "an edit ({why}) no longer fits {file} of loom {VERSION}: `{anchor}` stands there {found} times, not once\n\
             if cargo's copy of loom was changed by hand, remove it, so that cargo fetches it again; otherwise correct \
             the anchor in xtask/src/checker/edits.rs"
        ),
    };
    Ok(match put {
        Put::Before(new) => format!("{before}{new}{anchor}{after}"),
        Put::After(new) => format!("{before}{anchor}{new}{after}"),
        Put::Instead(new) => format!("{before}{new}{after}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said_of(version: &str) -> Value {
        json!({ "packages": [
            { "name": "other", "version": "1.0.0", "manifest_path": "/other/Cargo.toml" },
            { "name": "loom", "version": version, "manifest_path": "/some/loom/Cargo.toml" },
        ] })
    }

    #[test]
    fn another_loom_stops_with_what_to_do() {
        assert_eq!(find(&said_of(VERSION)).expect("the pinned one"), Path::new("/some/loom"));
        let error = find(&said_of("0.8.0")).expect_err("another one").to_string();
        assert!(error.contains("loom 0.8.0") && error.contains("--precise 0.7.3"), "{error}");
        let error = find(&json!({ "packages": [] })).expect_err("none").to_string();
        assert!(error.contains("0 versions"), "{error}");
    }

    #[test]
    fn a_copy_that_does_not_match_stops_with_what_to_do() {
        let edit = Edit { why: "", file: "src/a.rs", anchor: "here", put: Put::After(" and there") };
        assert_eq!(apply(&edit, "one here two").expect("once"), "one here and there two");
        for text in ["nothing", "here and here"] {
            let error = apply(&edit, text).expect_err("not once").to_string();
            assert!(error.contains("src/a.rs") && error.contains("remove it"), "{error}");
        }
    }

    #[test]
    fn an_edit_goes_before_after_or_instead() {
        let put = |put| apply(&Edit { why: "", file: "", anchor: "b", put }, "abc").expect("once");
        let all = [put(Put::Before("1")), put(Put::After("1")), put(Put::Instead("1"))];
        assert_eq!(all, ["a1bc", "ab1c", "a1c"]);
    }

    #[test]
    fn every_edit_fits_the_loom_that_the_workspace_is_built_with() {
        let workspace = tree::workspace().expect("a workspace");
        let loom = find(&metadata(&workspace).expect("cargo")).expect("the pinned loom");
        let files = edited(&loom).expect("all edits fit");
        assert_eq!(files.len(), 3);
        assert!(EDITS.iter().all(|edit| !edit.why.is_empty() && edit.anchor.lines().count() <= 2));
    }
}
