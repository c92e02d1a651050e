//! From the given paths to the files to hash, like `find -type f`.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::message::complain;

/// A file to hash.
#[derive(Debug)]
pub(crate) struct FileToHash {
    /// Its path, as it is printed.
    pub(crate) path: PathBuf,
    /// Its length when it was found, or 0 if that cannot be told. It may have changed since: a hint.
    pub(crate) length: u64,
}

impl FileToHash {
    /// Looks up the length of a file.
    pub(crate) fn at(path: PathBuf) -> Self {
        let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        Self { path, length }
    }
}

/// What was found below some paths.
#[derive(Debug)]
pub(crate) struct Found {
    /// The files, in the order of the bytes of their paths.
    pub(crate) files: Vec<FileToHash>,
    /// Whether everything could be searched; what could not has been complained about.
    pub(crate) is_complete: bool,
}

/// Finds the files at and below the given paths; below this program's repository if none is given.
pub(crate) fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found { files: Vec::new(), is_complete: true };
    if paths.is_empty() {
        found.search_folder(&default_root(), is_no_output);
    }
    for path in paths {
        found.search(path);
    }
    // A path's own order is that of its components, which puts `a/b` before `a-b`.
    found.files.sort_by(|a, b| a.path.as_os_str().as_bytes().cmp(b.path.as_os_str().as_bytes()));
    found
}

impl Found {
    /// Adds what a given path stands for: symbolic links are followed, and special files are files.
    fn search(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.search_folder(path, |_| true),
            Ok(metadata) => self.files.push(FileToHash { path: path.to_owned(), length: metadata.len() }),
            Err(error) => self.miss(path, &error),
        }
    }

    /// Adds the regular files below a folder, except those below folders that `enter` refuses.
    fn search_folder(&mut self, folder: &Path, enter: fn(&DirEntry) -> bool) {
        for entry in WalkDir::new(folder).into_iter().filter_entry(enter) {
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    let length = entry.metadata().map_or(0, |metadata| metadata.len());
                    self.files.push(FileToHash { path: entry.into_path(), length });
                }
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(folder);
                    match error.io_error() {
                        Some(reason) => self.miss(path, reason),
                        None => self.miss(path, &error),
                    }
                }
            }
        }
    }

    fn miss(&mut self, path: &Path, reason: &dyn Display) {
        complain(path, reason);
        self.is_complete = false;
    }
}

/// The repository that this program was built in, if it is still there; otherwise the current folder.
fn default_root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    match package.ancestors().nth(2) {
        Some(repository) if package.is_dir() => repository.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether an entry is neither what cargo writes nor what git keeps.
fn is_no_output(entry: &DirEntry) -> bool {
    let is_output =
        entry.file_type().is_dir() && [OsStr::new("target"), OsStr::new(".git")].contains(&entry.file_name());
    // The root itself is searched whatever its name is.
    entry.depth() == 0 || !is_output
}
