//! What was measured, and every picture, can be had again: `docs/reproduce.md` has the command.
//!
//! A section *states measurements* if one of its tables has a number with a unit, of time, of memory or a percentage, or if its
//! title is *Measured*. The page has rows: a link to a section, or to the page as a whole, or to a picture, and in the same row a command, which
//! [`commands`](crate::commands) looks up; or the words `no command:` and the reason.

use std::collections::BTreeSet;

use crate::commands::is_command;
use crate::markdown::{Page, Row};
use crate::pages;
use crate::source::{assert_none, assert_one};

const PAGE: &str = "docs/reproduce.md";
const UNITS: [&str; 14] =
    ["ns", "us", "ms", "s", "%", "min", "minutes", "seconds", "B", "bytes", "KiB", "MiB", "GiB", "cycles"];

/// Tells whether a row states a measurement.
fn states_measurement(row: &Row) -> bool {
    let words: Vec<&str> =
        row.text.split_whitespace().map(|word| word.trim_matches(['(', ')', ',', ';', '.', ':'])).collect();
    let digits = |word: &str| {
        word.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).unwrap_or(word.len())
    };
    let of_one = words.iter().any(|word| digits(word) > 0 && UNITS.contains(&&word[digits(word)..]));
    let of_two = words
        .windows(2)
        .any(|pair| !pair[0].is_empty() && digits(pair[0]) == pair[0].len() && UNITS.contains(&pair[1]));
    of_one || of_two
}

/// What the page has commands for: sections, as `path#anchor`, and files.
fn covered(page: &Page, complaints: &mut Vec<String>) -> BTreeSet<String> {
    let mut covered = BTreeSet::new();
    for row in page.sections.iter().flat_map(|section| &section.rows).filter(|row| !row.links.is_empty()) {
        if !row.codes.iter().any(|code| is_command(code)) && !row.text.contains("no command:") {
            complaints.push(page.complain(row.line, "a row without a command that does not say why"));
        }
        for (path, anchor) in row.links.iter().filter_map(|link| page.resolve(link)) {
            covered.insert(if anchor.is_empty() { path } else { format!("{path}#{anchor}") });
        }
    }
    covered
}

fn check(pages: &[Page]) -> Vec<String> {
    let mut complaints = Vec::new();
    let reproduce = pages.iter().find(|page| page.path == PAGE).expect("the page of commands");
    let covered = covered(reproduce, &mut complaints);
    for page in pages.iter().filter(|page| page.path != PAGE) {
        let pictures = page.sections.iter().flat_map(|section| &section.links).filter(|link| link.picture);
        for link in pictures {
            let path = page.resolve(&link.to).map(|(path, _)| path);
            if path.is_some_and(|path| !covered.contains(&path)) {
                complaints
                    .push(page.complain(link.line, &format!("{PAGE} does not say what makes {}", link.to)));
            }
        }
        for (at, section) in page.sections.iter().enumerate() {
            let table = section.rows.iter().find(|row| states_measurement(row));
            let line = match table {
                Some(row) => row.line,
                None if section.title == "Measured" => section.line,
                None => continue,
            };
            let anchors = page.enclosing(at).into_iter().map(|anchor| format!("{}#{anchor}", page.path));
            if !anchors.chain([page.path.clone()]).any(|place| covered.contains(&place)) {
                let first = table.map(|row| format!(": {}", row.text)).unwrap_or_default();
                let what = format!("{PAGE} does not say what measures *{}*{first}", section.title);
                complaints.push(page.complain(line, &what));
            }
        }
    }
    complaints
}

#[test]
fn each_figure_and_measurement_has_its_command() {
    assert_none(&check(&pages::all()));
}

#[test]
fn planted_figures_without_a_command_are_found() {
    const TABLE: &str = "| a | b |\n|---|---|\n| c | 5 us |\n";
    let check = |page: &str, rows: &str| {
        let list = format!("| what | how |\n|---|---|\n{rows}");
        check(&[Page::new("docs/a.md", page), Page::new(PAGE, &list)])
    };
    let measured = format!("# A\n\n## B c\n\n{TABLE}");
    assert_none(&check("# A\n\n| a |\n|---|\n| 5 things us |\n", ""));
    assert_none(&check(&measured, "| [x](a.md#b-c) | `cargo x y` |\n"));
    assert_none(&check(&measured, "| [x](a.md#a) | `cargo x y` |\n"));
    assert_none(&check(&measured, "| [x](a.md) | no command: lost |\n"));
    assert_one(&check(&measured, ""), &["docs/a.md:7", "what measures *B c*", "5 us"]);
    assert_one(&check(&measured, "| [x](b.md#b-c) | `cargo x y` |\n"), &["docs/a.md:7"]);
    assert_one(&check(&measured, "| [x](a.md#b-c) | by hand |\n"), &[PAGE, "without a command"]);
    assert_one(&check("## Measured\n\nIt takes long.\n", ""), &["docs/a.md:1", "*Measured*"]);
    assert_one(&check("![a](p/a.svg)", ""), &["docs/a.md:1", "what makes p/a.svg"]);
    assert_none(&check("![a](p/a.svg)", "| [x](p/a.svg) | `cargo x y` |\n"));
}

#[test]
fn planted_measurements_are_told_from_other_numbers() {
    let row = |text: &str| states_measurement(&Row { text: text.to_owned(), ..Row::default() });
    for measured in ["| 1.72 us |", "12ms", "(128 bytes)", "0.1 %", "about 1,024 KiB.", "5%"] {
        assert!(row(measured), "{measured}");
    }
    for other in ["5 workers", "us", "B1", "x86", "E0277", "64 | us 5"] {
        assert!(!row(other), "{other}");
    }
}
