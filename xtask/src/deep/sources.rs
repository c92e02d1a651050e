//! A number for all that the models are built from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::tree;

/// Folders and files of the workspace that the models are built from.
const FOLDERS: [&str; 2] = ["src", "loom_tests"];
const FILES: [&str; 2] = ["Cargo.toml", "Cargo.lock"];

/// Returns the number of the sources in `workspace`, in hexadecimal digits.
pub fn hash(workspace: &Path) -> Result<String> {
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for folder in FOLDERS {
        let inside = tree::read_all(&workspace.join(folder))?;
        files.extend(inside.into_iter().map(|(path, content)| (Path::new(folder).join(path), content)));
    }
    for file in FILES {
        let content = std::fs::read(workspace.join(file)).with_context(|| format!("reading {file}"))?;
        files.insert(file.into(), content);
    }
    Ok(hash_of(&files))
}

fn hash_of(files: &BTreeMap<PathBuf, Vec<u8>>) -> String {
    let bytes = files.iter().flat_map(|(path, content)| {
        let path = path.to_string_lossy().into_owned().into_bytes();
        // The lengths keep one file's end from being another's begin.
        let lengths = [path.len(), content.len()].map(|length| (length as u64).to_le_bytes()).concat();
        lengths.into_iter().chain(path).chain(content.iter().copied())
    });
    // FNV-1a, which is the same on every machine and with every compiler.
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[(&str, &str)]) -> BTreeMap<PathBuf, Vec<u8>> {
        all.iter().map(|&(path, text)| (path.into(), text.into())).collect()
    }

    #[test]
    fn every_change_is_another_number() {
        let all = [
            hash_of(&files(&[])),
            hash_of(&files(&[("a", "bc")])),
            hash_of(&files(&[("ab", "c")])),
            hash_of(&files(&[("a", "bd")])),
            hash_of(&files(&[("a", "b"), ("c", "")])),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        assert_eq!(hash_of(&files(&[])), "cbf29ce484222325", "the number of nothing is a constant of FNV");
    }

    #[test]
    fn the_workspace_has_a_number() {
        let workspace = tree::workspace().expect("a workspace");
        let number = hash(&workspace).expect("readable");
        assert_eq!(number.len(), 16);
        assert_eq!(number, hash(&workspace).expect("readable"));
    }
}
