//! The control that plain `cargo test` has, and the table's fit.

use super::*;

/// Five bugs are found by the models that are named for them, which pass without.
#[test]
fn five_bugs_are_found() {
    crate::environment::refuse_changed_builds().expect("the project's own build");
    let workspace = tree::workspace().expect("a workspace");
    let bugs = table::read(&workspace).expect("a table");
    let control: Vec<&Bug> = bugs.iter().filter(|bug| bug.control).collect();
    assert_eq!(control.len(), 5, "five bugs are marked as the control");
    let ends = judge(&workspace, &bugs, &control, 2).expect("a copy that builds and passes");
    for (bug, end) in control.iter().zip(ends) {
        if let Err(why) = end {
            panic!("{}: {why}\nrepeat it with cargo xtask bugs --bug {}", bug.name, bug.number);
        }
    }
}

#[test]
fn the_table_fits_the_sources() {
    let workspace = tree::workspace().expect("a workspace");
    let bugs = table::read(&workspace).expect("a table");
    assert!(bugs.len() >= 25, "{} bugs", bugs.len());
    let edits = inject::edit(&workspace, &bugs).expect("each text stands in its file once");
    for number in 1..=bugs.len() {
        let choice = format!("seeded::has({number})");
        assert_eq!(edits.values().filter(|text| text.contains(&choice)).count(), 1, "bug {number}");
    }
}

#[test]
fn the_documentation_has_the_table() {
    let workspace = tree::workspace().expect("a workspace");
    let bugs = table::read(&workspace).expect("a table");
    let rows = page::rows(&page::read(&workspace, PAGE, PART).expect("the part of the page"));
    let listed: Vec<&[String]> = rows.iter().map(|row| &row[..5]).collect();
    let expected: Vec<Vec<String>> = bugs.iter().map(cells).collect();
    assert_eq!(listed, expected, "{PAGE} is old: run cargo xtask bugs --write-docs");
}

#[test]
fn a_bug_that_is_missed_is_told() {
    let workspace = tree::workspace().expect("a workspace");
    let bugs = table::read(&workspace).expect("a table");
    let found = Found { line: "Q2: so".into(), after: Some(7), time: Duration::from_millis(1500) };
    let told = tell(&bugs[0], &Ok(found));
    assert!(told.contains(&bugs[0].check) && told.ends_with(", after 7, 1.50 s: Q2: so"), "{told}");
    assert!(tell(&bugs[0], &Err("the check passes".into())).starts_with("NOT FOUND by"));
}
