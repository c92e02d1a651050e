//! Parts of a page that a command writes: what is between `<!-- begin: name -->` and `<!-- end: name -->`.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Returns where a part is, without its marks.
fn place(page: &str, name: &str) -> Result<Range<usize>> {
    let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("<!-- end: {name} -->"));
    let once = |mark: &str| {
        let mut places = page.match_indices(mark).map(|(at, _)| at);
        places.next().filter(|_| places.next().is_none())
    };
    let start =
        once(&begin).with_context(|| format!("it has no single line {:?}", begin.trim()))? + begin.len();
    let stop = once(&end).with_context(|| format!("it has no single line {end:?}"))?;
    ensure!(start <= stop, "{end:?} stands before {:?}", begin.trim());
    Ok(start..stop)
}

/// Returns a part of a page of the workspace.
pub fn read(workspace: &Path, path: &str, name: &str) -> Result<String> {
    let page = std::fs::read_to_string(workspace.join(path)).with_context(|| format!("reading {path}"))?;
    Ok(page[place(&page, name).with_context(|| path.to_owned())?].to_owned())
}

/// Puts `text` there.
pub fn write(workspace: &Path, path: &str, name: &str, text: &str) -> Result<()> {
    let file = workspace.join(path);
    let mut page = std::fs::read_to_string(&file).with_context(|| format!("reading {path}"))?;
    let place = place(&page, name).with_context(|| path.to_owned())?;
    page.replace_range(place, text);
    std::fs::write(&file, page).with_context(|| format!("writing {path}"))
}

/// Makes a table.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    let rows = rows.into_iter().map(|cells| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        row(&cells)
    });
    std::iter::once(row(&head)).chain([rule]).chain(rows).collect()
}

/// Reads the cells of a table's rows, its head and rule left out.
pub fn rows(table: &str) -> Vec<Vec<String>> {
    let lines = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = |line: &str| {
        let line = line.replace("\\|", "\0");
        line.split(" | ").map(|cell| cell.replace('\0', "|")).collect()
    };
    lines.skip(1).map(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_between_its_marks() {
        let page = "a\n<!-- begin: x -->\nb\n<!-- end: x -->\nc\n";
        assert_eq!(&page[place(page, "x").expect("it is there")], "b\n");
        assert!(place(page, "y").is_err());
        assert!(place(&page.replace("end", "edn"), "x").is_err());
        assert!(place(&format!("{page}{page}"), "x").is_err());
        assert!(place("<!-- end: x -->\n<!-- begin: x -->\n", "x").is_err());
    }

    #[test]
    fn what_is_written_as_a_table_is_read_again() {
        let row = ["a|b", "c"].map(str::to_owned).to_vec();
        let text = table(&["one", "two"], [row.clone()]);
        assert_eq!(text, "| one | two |\n|---|---|\n| a\\|b | c |\n");
        assert_eq!(rows(&text), [row]);
    }
}
