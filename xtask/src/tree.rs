//! A copy of the workspace to apply edits to, so that `src` carries no switch for what tests do to it.
//!
//! The copy is a workspace of its own: the crate, the packages that test it, and those that these name by path. Other
//! packages stay behind. A file is written only when its content changed, so that the next build of the copy compiles
//! only what is new.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

use crate::cargo::Tests;

/// Packages, named by their folders, that are copied with all that they need.
const ROOTS: &[&str] = &["", "loom_tests", "loom_tests/shuttle", "proptests"];

/// The workspace that `cargo xtask` was called in. Two checkouts may share a target folder, and with it this program, so
/// cargo's word at run time counts more than the path it was built from.
pub fn workspace() -> Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&package).parent().context("xtask lies in the workspace")?;
    ensure!(
        root.join("Cargo.toml").is_file() && root.join("xtask").is_dir(),
        "{} is not the workspace; call this as `cargo xtask`",
        root.display()
    );
    Ok(root.to_path_buf())
}

/// Returns cargo's target folder.
fn target(workspace: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    // The build runs in the copy, where a relative path would lead elsewhere.
    std::path::absolute(&target).unwrap_or(target)
}

/// Where a task keeps its copy and its builds: a folder of cargo's target folder.
pub fn scratch(workspace: &Path, task: &str) -> PathBuf {
    target(workspace).join(task)
}

/// The copy, ready to be built.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    target: PathBuf,
}

impl Tree {
    /// Copies `workspace` into `scratch` with some files, named by their paths inside, replaced or added. Its models run on
    /// the checker in the folder `loom`, or on the published one.
    pub fn write(
        workspace: &Path,
        scratch: &Path,
        edits: &BTreeMap<PathBuf, String>,
        loom: Option<&Path>,
    ) -> Result<Self> {
        let packages = needed_packages(workspace)?;
        let mut files = BTreeMap::new();
        collect(workspace, Path::new(""), &packages, &mut files)?;
        files.insert("Cargo.toml".into(), manifest(workspace, &packages, loom)?.into_bytes());
        for (path, text) in edits {
            files.insert(path.clone(), text.clone().into_bytes());
        }
        let tree = Self { root: scratch.join("tree"), target: scratch.join("build") };
        write_all(&tree.root, &files)?;
        Ok(tree)
    }

    /// Builds into the target folder of `workspace`, where the dependencies lie already. What is built of the copy itself has
    /// other names there, as its packages have another version.
    pub fn beside(self, workspace: &Path) -> Self {
        Self { target: target(workspace), ..self }
    }

    /// Builds the model driver and returns its path.
    pub fn build_models(&self) -> Result<PathBuf> {
        let built = self.build(MODELS)?.into_iter().find(|(name, _)| name == "models");
        built.map(|(_, executable)| executable).context("cargo built no model driver")
    }

    /// Builds tests; returns the names of the targets, and their binaries.
    pub fn build(&self, tests: Tests<'_>) -> Result<Vec<(String, PathBuf)>> {
        tests.build(&self.root, Some(&self.target))
    }
}

/// The driver of the models.
const MODELS: Tests<'_> = Tests { package: "loom_tests", options: &["--test", "models"] };

/// Returns the folders of the packages to copy, relative to the workspace.
fn needed_packages(workspace: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut needed = BTreeSet::new();
    let mut open: Vec<PathBuf> = ROOTS.iter().map(PathBuf::from).collect();
    while let Some(package) = open.pop() {
        if !needed.insert(package.clone()) {
            continue;
        }
        let manifest = read_manifest(&workspace.join(&package))?;
        for dependencies in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(Value::Table(dependencies)) = manifest.get(dependencies) else {
                continue;
            };
            let paths = dependencies.values().filter_map(|dependency| dependency.get("path")?.as_str());
            open.extend(paths.map(|path| lexical_join(&package, path)));
        }
    }
    Ok(needed)
}

fn read_manifest(package: &Path) -> Result<Table> {
    let path = package.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    text.parse().with_context(|| format!("parsing {}", path.display()))
}

/// Joins two relative paths, and resolves `..` by name alone.
fn lexical_join(base: &Path, path: &str) -> PathBuf {
    let mut joined = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::ParentDir => _ = joined.pop(),
            Component::Normal(name) => joined.push(name),
            _ => {}
        }
    }
    joined
}

/// Returns the workspace's manifest, with the copied packages alone for its members, and with another checker in the
/// place of the published one, if there is another.
fn manifest(workspace: &Path, packages: &BTreeSet<PathBuf>, loom: Option<&Path>) -> Result<String> {
    let mut manifest = read_manifest(workspace)?;
    let members = packages.iter().map(|package| package.display().to_string());
    let members = members.map(|member| Value::String(if member.is_empty() { ".".into() } else { member }));
    let Some(Value::Table(table)) = manifest.get_mut("workspace") else {
        bail!("Cargo.toml has no [workspace]")
    };
    // By their folders alone, which are relative to each workspace, cargo would take the copy's packages for the originals:
    // in one target folder, tests of the one would pass for tests of the other.
    let package =
        table.get_mut("package").and_then(Value::as_table_mut).context("[workspace.package] is missing")?;
    let version = package.get("version").and_then(Value::as_str).context("the packages have no version")?;
    package.insert("version".into(), Value::String(format!("{version}+copy")));
    table.insert("members".into(), Value::Array(members.collect()));
    table.remove("default-members");
    if let Some(loom) = loom {
        let path = loom.to_str().context("the target folder's name is text")?.to_owned();
        let patch = Table::from_iter([("path".to_owned(), Value::String(path))]);
        let patches = Table::from_iter([("loom".to_owned(), Value::Table(patch))]);
        let registries = Table::from_iter([("crates-io".to_owned(), Value::Table(patches))]);
        manifest.insert("patch".into(), Value::Table(registries));
    }
    Ok(manifest.to_string())
}

/// Collects the files below `folder`, without other packages, hidden files and what cargo builds.
fn collect(
    workspace: &Path,
    folder: &Path,
    packages: &BTreeSet<PathBuf>,
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Result<()> {
    for (path, is_folder) in entries(workspace, folder)? {
        let name = path.file_name().unwrap_or_default();
        let hidden = name.as_encoded_bytes().starts_with(b".") && name != OsStr::new(".cargo");
        if hidden || name == OsStr::new("target") {
            continue;
        }
        if !is_folder {
            let content =
                fs::read(workspace.join(&path)).with_context(|| format!("reading {}", path.display()))?;
            files.insert(path, content);
        } else if packages.contains(&path) || !workspace.join(&path).join("Cargo.toml").is_file() {
            collect(workspace, &path, packages, files)?;
        }
    }
    Ok(())
}

/// Reads every file below a folder; the keys are the paths inside.
pub fn read_all(root: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        for (path, is_folder) in entries(root, &folder)? {
            if is_folder {
                open.push(path);
            } else {
                let content = fs::read(root.join(&path));
                let content = content.with_context(|| format!("reading {}", root.join(&path).display()))?;
                files.insert(path, content);
            }
        }
    }
    Ok(files)
}

/// Makes a folder have these files, by their paths inside, and no others.
pub fn write_all(root: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for (path, content) in files {
        write_if_changed(&root.join(path), content)?;
    }
    remove_others(root, Path::new(""), files)
}

/// Removes what an earlier copy left behind.
fn remove_others(root: &Path, folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for (path, is_folder) in entries(root, folder)? {
        if is_folder {
            remove_others(root, &path, files)?;
        } else if !files.contains_key(&path) {
            fs::remove_file(root.join(&path)).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Returns what a folder has: the paths, relative to `root`, and whether they are folders.
fn entries(root: &Path, folder: &Path) -> Result<Vec<(PathBuf, bool)>> {
    let absolute = root.join(folder);
    let list = || -> std::io::Result<Vec<_>> {
        let entries = fs::read_dir(&absolute)?;
        entries
            .map(|entry| entry.and_then(|e| Ok((folder.join(e.file_name()), e.file_type()?.is_dir()))))
            .collect()
    };
    list().with_context(|| format!("listing {}", absolute.display()))
}

fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let folder = path.parent().context("a file lies in a folder")?;
    let write = || fs::create_dir_all(folder).and_then(|()| fs::write(path, content));
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_a_workspace_of_the_crate_and_its_tests() {
        let workspace = workspace().expect("a workspace");
        let packages = needed_packages(&workspace).expect("readable manifests");
        assert!(packages.contains(Path::new("proptests")) && !packages.contains(Path::new("benches")));
        let manifest: Table =
            manifest(&workspace, &packages, None).expect("a manifest").parse().expect("TOML");
        assert_eq!(manifest["workspace"]["members"].as_array().map(Vec::len), Some(packages.len()));
        assert_eq!(manifest["profile"]["test"]["debug-assertions"].as_bool(), Some(true));
        assert!(manifest.get("patch").is_none());
        let original =
            read_manifest(&workspace).expect("a manifest")["workspace"]["package"]["version"].clone();
        let version = &manifest["workspace"]["package"]["version"];
        assert!(*version != original, "the copy's packages would be taken for those of the workspace");
    }

    #[test]
    fn the_copy_may_have_another_checker() {
        let workspace = workspace().expect("a workspace");
        let packages = needed_packages(&workspace).expect("readable manifests");
        let manifest = manifest(&workspace, &packages, Some(Path::new("/some/loom"))).expect("a manifest");
        let manifest: Table = manifest.parse().expect("TOML");
        assert_eq!(manifest["patch"]["crates-io"]["loom"]["path"].as_str(), Some("/some/loom"));
    }

    #[test]
    fn a_file_that_did_not_change_is_not_written() {
        let scratch = std::env::temp_dir().join(format!("xtask-tree-{}", std::process::id()));
        let workspace = workspace().expect("a workspace");
        let lib = scratch.join("tree/src/lib.rs");
        let stray = scratch.join("tree/src/stray.rs");
        let write = |text: &str| {
            let edits = BTreeMap::from([(PathBuf::from("src/lib.rs"), text.to_owned())]);
            Tree::write(&workspace, &scratch, &edits, None).expect("a copy");
            fs::metadata(&lib).and_then(|lib| lib.modified()).expect("a time")
        };
        let first = write("// one");
        fs::write(&stray, "").expect("writable");
        assert_eq!(write("// one"), first);
        assert!(!stray.exists());
        assert_ne!(write("// two"), first);
        fs::remove_dir_all(&scratch).expect("removable");
    }

    #[test]
    fn paths_are_joined_by_name() {
        assert_eq!(lexical_join(Path::new("loom_tests"), ".."), Path::new(""));
        assert_eq!(lexical_join(Path::new("loom_tests"), "../proptests"), Path::new("proptests"));
        assert_eq!(lexical_join(Path::new(""), "loom_tests/shuttle"), Path::new("loom_tests/shuttle"));
    }
}
