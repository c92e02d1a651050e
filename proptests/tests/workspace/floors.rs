//! The floors of `src`: a module uses only floors below its own, or others of its own floor without a circle. The
//! primitives of floor 1 never use each other.
//!
//! A use is any path that begins at the crate's root, in whatever position. A path to an item that the root re-exports
//! would hide which module it leads to, and is left to the front doors.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, Token, assert_none, assert_one, closing, is, read};

/// The floor of every module. A new module is entered here and in the table of `CONTRIBUTING.md`.
const FLOORS: &[(&str, u8)] = &[
    ("sync", 0),
    ("reclaim", 0),
    ("queue", 1),
    ("idle", 1),
    ("latch", 1),
    ("work", 2),
    ("batch", 2),
    ("injector", 2),
    ("pending", 2),
    ("costs", 2),
    ("worker", 2),
    ("grain", 2),
    ("turns", 2),
    ("room", 2),
    ("standin", 2),
    ("pace", 2),
    ("unwind", 2),
    ("frame", 2),
    ("pool", 3),
    ("scope", 3),
    ("future", 3),
    ("spawn", 3),
    ("disjoint", 3),
    ("error", 3),
    ("builder", 3),
    ("join", 3),
    ("global", 3),
    ("lib", FRONT_DOORS),
    ("slice", FRONT_DOORS),
    ("macros", FRONT_DOORS),
    ("docs", FRONT_DOORS),
];

/// What the picture of the floors is drawn of.
const PICTURE: &str = "docs/pictures/floors.boxes";

const PRIMITIVES: u8 = 1;
const FRONT_DOORS: u8 = 4;

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|&(_, floor)| floor)
}

/// A name right under the crate's root, and the line where it is used.
type Use = (String, usize);

/// Finds all paths that begin at the crate's root.
fn uses(source: &Source) -> Vec<Use> {
    let mut uses = Vec::new();
    let depth = source.module().len();
    scan(&source.tokens, depth, &mut uses);
    uses
}

/// Scans the tokens of a module that lies `depth` modules below the root.
fn scan(tokens: &[Token], depth: usize, uses: &mut Vec<Use>) {
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        if rest[0].text == "mod" && rest.get(2).is_some_and(|token| token.text == "{") {
            let end = closing(rest, 2);
            scan(&rest[3..end], depth + 1, uses);
            at += end;
        } else if is(rest, &["crate", "::"]) {
            first_names(&rest[2..], uses);
            at += 2;
        } else {
            let supers = supers(rest);
            if supers > 0 && supers == depth {
                first_names(&rest[2 * supers..], uses);
            }
            at += 2 * supers + usize::from(supers == 0);
        }
    }
}

/// Counts how many times in a row there is `super::` here.
fn supers(tokens: &[Token]) -> usize {
    tokens.chunks(2).take_while(|pair| is(pair, &["super", "::"])).count()
}

/// Collects the first names of a path, or of the paths in braces.
fn first_names(tokens: &[Token], uses: &mut Vec<Use>) {
    let Some(first) = tokens.first() else { return };
    if first.text != "{" {
        return uses.push((first.text.clone(), first.line));
    }
    let group = &tokens[1..closing(tokens, 0)];
    let mut at = 0;
    while at < group.len() {
        uses.push((group[at].text.clone(), group[at].line));
        while at < group.len() && group[at].text != "," {
            at = if group[at].text == "{" { closing(group, at) + 1 } else { at + 1 };
        }
        at += 1;
    }
}

fn check(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut sideways = BTreeMap::<&str, BTreeSet<String>>::new();
    for source in sources {
        let top = source.top();
        let Some(own) = floor(top) else {
            let what =
                format!("module `{top}` has no floor: enter it into FLOORS here and in CONTRIBUTING.md");
            complaints.push(source.complain(1, &what));
            continue;
        };
        for (name, line) in uses(source).into_iter().filter(|(name, _)| name != top) {
            match complain_use(top, own, &name) {
                Some(what) => complaints.push(source.complain(line, &what)),
                None if floor(&name) == Some(own) => drop(sideways.entry(top).or_default().insert(name)),
                None => {}
            }
        }
    }
    complaints.extend(circle(&sideways));
    complaints
}

/// Says what is wrong with one use, if anything is.
fn complain_use(top: &str, own: u8, name: &str) -> Option<String> {
    match floor(name) {
        Some(used) if used > own => {
            Some(format!("`{top}` of floor {own} uses `{name}` of floor {used}, which is above it"))
        }
        Some(used) if used == own && own == PRIMITIVES => {
            Some(format!("`{top}` uses `{name}`: primitives of floor {PRIMITIVES} never use each other"))
        }
        None if own < FRONT_DOORS => Some(format!(
            "`{top}` uses `crate::{name}`, which is no module in FLOORS: name the module it is in"
        )),
        _ => None,
    }
}

/// Finds modules of one floor that use each other in a circle.
fn circle(sideways: &BTreeMap<&str, BTreeSet<String>>) -> Option<String> {
    let mut left = sideways.clone();
    // Whoever uses nobody who is left is in no circle.
    while let Some(free) =
        left.iter().find(|(_, used)| used.iter().all(|name| !left.contains_key(name.as_str())))
    {
        let free = *free.0;
        left.remove(free);
    }
    (!left.is_empty())
        .then(|| format!("src: modules of one floor use each other in a circle, among {left:?}"))
}

/// Compares the table of `CONTRIBUTING.md`, whose rows begin with the number of a floor.
fn check_page(page: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for row in page.lines() {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let Some(number) = cells.next().and_then(|cell| cell.parse::<u8>().ok()) else {
            continue;
        };
        let modules = cells.next().unwrap_or_default().split('`').skip(1).step_by(2);
        let wrong = modules.filter(|module| floor(module) != Some(number));
        complaints
            .extend(wrong.map(|module| {
                format!("CONTRIBUTING.md: `{module}` is on floor {number}, but not in FLOORS")
            }));
    }
    complaints
}

/// Compares a picture's source, whose rows are floors and whose boxes are modules with what they use, `sync` left out. A
/// module that uses nothing else may say what it is.
fn check_picture(picture: &str, sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut drawn = BTreeSet::new();
    let mut row = None;
    for line in picture.lines() {
        if let Some(number) = line.strip_prefix("row ") {
            row = number.split(' ').next().and_then(|number| number.parse::<u8>().ok());
        }
        let Some((name, below)) = line.strip_prefix("box ").and_then(|line| line.split_once(':')) else {
            continue;
        };
        drawn.insert(name);
        if floor(name) != row {
            complaints.push(format!("{PICTURE}: `{name}` does not stand on its floor"));
        }
        let used = used_by(name, sources);
        let told: BTreeSet<&str> = below.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        let is_list = told.iter().all(|word| floor(word).is_some());
        let is_right = if is_list { told.iter().eq(used.iter()) } else { used.is_empty() };
        if name != "lib" && !is_right {
            complaints.push(format!("{PICTURE}: `{name}` uses {}", Vec::from_iter(used).join(", ")));
        }
    }
    let missing = FLOORS.iter().filter(|(name, _)| *name != "docs" && !drawn.contains(name));
    complaints.extend(missing.map(|(name, _)| format!("{PICTURE}: `{name}` is missing")));
    complaints
}

/// Returns what a module uses outside of its tests, `sync` left out.
fn used_by(module: &str, sources: &[Source]) -> BTreeSet<String> {
    let mut uses = Vec::new();
    for source in sources.iter().filter(|source| source.top() == module) {
        scan(&source.code(), source.module().len(), &mut uses);
    }
    let names = uses.into_iter().map(|(name, _)| name);
    names.filter(|name| name != module && name != "sync" && floor(name).is_some()).collect()
}

#[test]
fn the_picture_of_the_floors_is_that_of_the_sources() {
    assert_none(&check_picture(&read(PICTURE), &Source::tree("src")));
}

#[test]
fn imports_never_run_upward() {
    assert_none(&check(&Source::tree("src")));
}

#[test]
fn contributors_are_told_the_same_floors() {
    let page = read("CONTRIBUTING.md");
    assert!(page.contains("| floor | modules |"), "CONTRIBUTING.md has no table of floors");
    assert_none(&check_page(&page));
}

fn planted(files: &[(&str, &str)]) -> Vec<String> {
    check(&files.iter().map(|(path, text)| Source::new(path, text)).collect::<Vec<_>>())
}

#[test]
fn planted_imports_are_found() {
    assert_none(&planted(&[
        ("src/queue.rs", "use crate::reclaim::Guard; use crate::sync::atomic::{AtomicPtr, Ordering};"),
        ("src/batch/mod.rs", "use crate::{grain, latch::Latch}; use super::queue; mod a { use super::b; }"),
        (
            "src/batch/claim.rs",
            "use super::pool; use crate::batch::Batch; pub(crate) use super::super::latch;",
        ),
        ("src/lib.rs", "mod pool; pub use pool::Pool; use crate::anything;"),
        (
            "src/idle.rs",
            "//! See [`crate::injector`].\n// crate::injector\nconst S: &str = \"crate::injector\";",
        ),
    ]));
    let one = |path: &str, text: &str, words: &[&str]| assert_one(&planted(&[(path, text)]), words);
    one(
        "src/queue.rs",
        "use crate::sync;\nuse crate::batch::Batch;",
        &["src/queue.rs:2", "`batch`", "above"],
    );
    one("src/grain.rs", "use crate::{sync::{self, A}, pool::Pool};", &["`pool`", "floor 3"]);
    one("src/grain.rs", "use super::pool::Pool;", &["`pool`"]);
    one("src/batch/claim.rs", "use super::super::slice;", &["`slice`"]);
    one("src/latch.rs", "mod tests { use super::super::batch; }", &["`batch`"]);
    one("src/latch.rs", "fn f() { g(crate::batch::X) }", &["`batch`"]);
    one("src/latch.rs", "macro_rules! m { () => { $crate::pool::x!() } }", &["`pool`"]);
    one("src/latch.rs", "use crate::idle::Idle;", &["never use each other"]);
    one("src/scope.rs", "use crate::ZeroPool;", &["`crate::ZeroPool`", "name the module"]);
    one("src/scope.rs", "use super::*;", &["`crate::*`"]);
    one("src/cellar.rs", "", &["`cellar`", "enter it into FLOORS"]);
}

#[test]
fn planted_circles_are_found() {
    let batch = ("src/batch.rs", "use crate::grain;");
    assert_none(&planted(&[batch, ("src/injector.rs", "use crate::batch;"), ("src/grain.rs", "")]));
    let circle =
        planted(&[batch, ("src/injector.rs", "use crate::batch;"), ("src/grain.rs", "use crate::injector;")]);
    assert_one(&circle, &["circle", "injector", "grain"]);
}

#[test]
fn planted_pages_are_found() {
    assert_none(&check_page("| floor | modules |\n|---|---|\n| 1 | `queue`, `idle` | primitives |\n"));
    assert_one(&check_page("| 2 | `queue`, `batch` | protocols |\n"), &["`queue`", "floor 2"]);
}

#[test]
fn planted_pictures_are_found() {
    let sources = [
        Source::new(
            "src/queue.rs",
            "use crate::{reclaim::Guard, sync}; #[cfg(test)] mod tests { use crate::grain; }",
        ),
        Source::new("src/grain.rs", "fn chunk() {}"),
    ];
    let all: String = (0..=FRONT_DOORS)
        .flat_map(|row| {
            let boxes = FLOORS.iter().filter(move |(_, floor)| *floor == row);
            std::iter::once(format!("row {row} x\n")).chain(boxes.map(|(name, _)| format!("box {name}:\n")))
        })
        .collect();
    let right = all.replace("box queue:", "box queue: reclaim").replace("box grain:", "box grain: how many");
    let check = |from: &str, to: &str| check_picture(&right.replace(from, to), &sources);
    assert_none(&check("", ""));
    assert_one(&check("box queue: reclaim", "box queue: idle"), &[PICTURE, "`queue` uses reclaim"]);
    assert_one(&check("box queue: reclaim", "box queue: a list"), &["`queue` uses reclaim"]);
    assert_one(&check("box unwind:\n", ""), &["`unwind` is missing"]);
    assert_one(
        &check("box unwind:\n", "row 3 y\nbox unwind:\nrow 2 x\n"),
        &["`unwind` does not stand on its floor"],
    );
}
