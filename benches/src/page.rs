//! The page of figures in the documentation: each benchmark that writes there owns one section, between two marks.
//!
//! ```text
//! <!-- begin: peers -->
//! whatever the last run wrote
//! <!-- end: peers -->
//! ```
//!
//! What stands between the marks is computed, conclusions included, so that no sentence outlives its figure.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::machine::{self, Watch};

/// Returns the folder of the charts, and makes it if it is not there.
///
/// # Errors
///
/// If it cannot be made.
pub fn charts() -> io::Result<PathBuf> {
    let folder = docs().join("benchmarks");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Replaces a section of the page.
///
/// # Errors
///
/// If the page cannot be read or written, or does not have the marks of the section.
pub fn write(section: &str, text: &str) -> io::Result<()> {
    let path = docs().join("benchmarks.md");
    let page = fs::read_to_string(&path)?;
    let replaced = replace(&page, section, text).ok_or_else(|| {
        io::Error::other(format!("{} has no marks of the section `{section}`", path.display()))
    })?;
    fs::write(path, replaced)
}

fn replace(page: &str, section: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- begin: {section} -->\n"), format!("<!-- end: {section} -->"));
    let from = page.find(&begin)? + begin.len();
    let to = from + page[from..].find(&end)?;
    Some(format!("{}\n{}\n\n{}", &page[..from], text.trim(), &page[to..]))
}

/// Says where, when and by what a section was measured, and what speaks against it.
pub fn provenance(command: &str, watch: &Watch) -> String {
    let (day, machine) = (machine::today(), machine::description());
    let mut text = format!("Measured {day} on {machine}, by `{command}`.");
    for doubt in watch.doubts() {
        // Writing to a string does not fail.
        let _ = write!(text, " *Note:* {doubt}.");
    }
    text
}

/// A table in Markdown, row by row.
#[derive(Debug)]
pub struct Table(String);

impl Table {
    /// Begins a table; the first column is text, the others are figures.
    pub fn new<S: AsRef<str>>(heads: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self(String::new());
        let columns = table.line(heads);
        table.line((0..columns).map(|column| if column == 0 { "---" } else { "---:" }));
        table
    }

    /// Adds a row.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.line(cells);
    }

    fn line<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) -> usize {
        let mut columns = 0;
        for cell in cells {
            self.0.push_str(if columns == 0 { "| " } else { " | " });
            self.0.push_str(cell.as_ref());
            columns += 1;
        }
        self.0.push_str(" |\n");
        columns
    }

    /// Returns the text.
    pub fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page =
            "before\n<!-- begin: a -->\nold\n<!-- end: a -->\n<!-- begin: b -->\n<!-- end: b -->\nafter\n";
        let replaced = replace(page, "a", "new\n").expect("the marks are there");
        let expected = "before\n<!-- begin: a -->\n\nnew\n\n<!-- end: a -->\n<!-- begin: b -->\n<!-- end: b -->\nafter\n";
        assert_eq!(replaced, expected);
        assert_eq!(replace(&replaced, "a", "new").as_deref(), Some(expected), "a second run changes nothing");
        assert_eq!(replace(page, "c", "new"), None);
    }

    #[test]
    fn the_page_has_the_marks_of_every_section() {
        let page = fs::read_to_string(docs().join("benchmarks.md")).expect("the page is there");
        for section in ["peers", "queues", "growth", "counts"] {
            assert!(replace(&page, section, "").is_some(), "{section}");
        }
    }

    #[test]
    fn tables_align_figures_to_the_right() {
        let mut table = Table::new(["name", "a", "b"]);
        table.row(["x", "1", "2"]);
        assert_eq!(table.finish(), "| name | a | b |\n| --- | ---: | ---: |\n| x | 1 | 2 |\n");
    }
}
