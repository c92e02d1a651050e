//! Each atomic operation says which ordering it has and why, and names its pair; each pair is in an ordering table.
//!
//! The *comment* of an operation is the block of comment lines that ends at most four lines above it, with no other
//! operation in between, and says `ORDERING:`. It names the orderings that the operation has, where a relaxed failure
//! needs no name. Its *tags*, such as `[Q-link]`, stand in the table under `# Orderings` of the module's essay, or in
//! that of a module which the file names by its path. A tag stands in two rows at least, as a pair has two ends, and
//! whoever is in a table is used.
//!
//! The doors in `sync` and the model's reclaimers are exempt: the first only rename, the second are no part of a build.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, Token, assert_none, assert_one, is};

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
const EXEMPT: [&str; 2] = ["src/sync/", "src/reclaim/oracle.rs"];

/// How far above its operation a comment may end.
const REACH: usize = 4;

/// An atomic operation or a fence.
#[derive(Debug)]
struct Operation {
    line: usize,
    orderings: Vec<String>,
}

/// Finds the operations of a file, and the orderings that belong to none.
fn operations(source: &Source) -> (Vec<Operation>, Vec<usize>) {
    let code = source.code();
    let (mut operations, mut strays) = (BTreeMap::<usize, Operation>::new(), Vec::new());
    let mut calls = Vec::new();
    for (at, token) in code.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => calls.push(called(&code, at)),
            ")" | "]" | "}" => drop(calls.pop()),
            name if ORDERINGS.contains(&name) => {
                let qualified = at >= 2 && is(&code[at - 2..], &["Ordering", "::"]);
                match calls.last().copied().flatten().filter(|_| qualified) {
                    None => strays.push(token.line),
                    Some(call) => {
                        let line = code[call].line;
                        let fresh = || Operation { line, orderings: Vec::new() };
                        operations.entry(call).or_insert_with(fresh).orderings.push(name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    (operations.into_values().collect(), strays)
}

/// If the bracket at `open` holds the arguments of a call, returns the place of the function's name.
fn called(code: &[Token], open: usize) -> Option<usize> {
    let before = open.checked_sub(1)?;
    let is_name = code[before].text.starts_with(|first: char| first.is_alphabetic() || first == '_');
    (code[open].text == "(" && is_name).then_some(before)
}

/// A block of comment lines.
type Block = BTreeSet<usize>;

fn is_comment(source: &Source, line: usize) -> bool {
    line > 0 && source.lines[line - 1].trim_start().starts_with("//")
}

fn text(source: &Source, block: &Block) -> String {
    block.iter().map(|line| source.lines[line - 1].trim()).collect::<Vec<_>>().join("\n")
}

/// Finds the comment of the operation in `line`, which begins with the nearest block that says `ORDERING:`.
fn comment(source: &Source, line: usize, others: &BTreeSet<usize>) -> Option<String> {
    let mut above = line - 1;
    while above > 0 && line - above <= REACH && !others.contains(&above) {
        if is_comment(source, above) {
            let block: Block = (1..=above).rev().take_while(|&line| is_comment(source, line)).collect();
            let text = text(source, &block);
            if text.contains("ORDERING:") {
                return Some(text);
            }
            above -= block.len();
        } else {
            above -= 1;
        }
    }
    None
}

/// Finds what stands in square brackets and looks like a tag.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split('[').skip(1).filter_map(|rest| rest.split_once(']').map(|(inside, _)| inside));
    inside.filter(|inside| {
        inside.split_once('-').is_some_and(|(letter, name)| {
            letter.len() == 1
                && letter.chars().all(|c| c.is_ascii_uppercase())
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        })
    })
}

/// Returns the rows of a file's ordering table.
fn table(source: &Source) -> Vec<&str> {
    let essay = source.lines.iter().filter_map(|line| line.strip_prefix("//!")).map(str::trim);
    let section = essay.skip_while(|line| *line != "# Orderings").skip(1);
    section.take_while(|line| !line.starts_with("# ")).filter(|line| line.starts_with('|')).collect()
}

/// Returns the modules that a file names by their paths, in code or in comments, and its own.
fn named(source: &Source) -> BTreeSet<&str> {
    let end = |rest: &str| rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let paths = source.lines.iter().flat_map(|line| line.split("crate::").skip(1));
    paths.map(|rest| &rest[..end(rest)]).chain([source.top()]).collect()
}

/// Complains about operations without a comment. Returns all comments with their places.
fn comments<'a>(sources: &'a [Source], complaints: &mut Vec<String>) -> Vec<(&'a Source, usize, String)> {
    let mut comments = Vec::new();
    for source in sources.iter().filter(|source| !EXEMPT.iter().any(|path| source.path.starts_with(path))) {
        let (operations, strays) = operations(source);
        let stray = "an ordering that is no argument of an operation, or not written as `Ordering::..`";
        complaints.extend(strays.into_iter().map(|line| source.complain(line, stray)));
        let lines: BTreeSet<_> = operations.iter().map(|operation| operation.line).collect();
        for operation in operations {
            match comment(source, operation.line, &lines) {
                None => complaints.push(
                    source
                        .complain(operation.line, "an atomic operation without an `// ORDERING:` of its own"),
                ),
                Some(text) => {
                    complaints.extend(unnamed(source, &operation, &text));
                    comments.push((source, operation.line, text));
                }
            }
        }
    }
    comments
}

/// Complains if a comment does not name the orderings of its operation.
fn unnamed(source: &Source, operation: &Operation, comment: &str) -> Option<String> {
    let words: BTreeSet<_> = comment.split(|c: char| !c.is_alphanumeric()).collect();
    let needs_name = |(at, name): &(usize, &String)| *at == 0 || *name != "Relaxed";
    let mut named = operation.orderings.iter().enumerate().filter(needs_name).map(|(_, name)| name);
    let missing = named.find(|name| !words.contains(name.as_str()))?;
    Some(source.complain(operation.line, &format!("the `ORDERING:` comment does not say {missing}")))
}

fn check(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let comments = comments(sources, &mut complaints);
    let mut tables = BTreeMap::<&str, BTreeSet<&str>>::new();
    let mut ends = BTreeMap::<&str, usize>::new();
    for source in sources {
        for row in table(source) {
            for tag in tags(row).collect::<BTreeSet<_>>() {
                tables.entry(source.top()).or_default().insert(tag);
                *ends.entry(tag).or_default() += 1;
            }
        }
    }
    for (source, line, comment) in &comments {
        let known = |tag| {
            named(source).iter().any(|module| tables.get(module).is_some_and(|table| table.contains(tag)))
        };
        for tag in tags(comment).filter(|tag| !known(*tag)) {
            let what = format!("[{tag}] is in no ordering table of this module or of one that it names");
            complaints.push(source.complain(*line, &what));
        }
    }
    let used: BTreeSet<_> = comments.iter().flat_map(|(.., comment)| tags(comment)).collect();
    for (tag, ends) in ends {
        if ends < 2 {
            complaints.push(format!(
                "src: [{tag}] stands in one row of an ordering table, and a pair has two ends"
            ));
        }
        if !used.contains(tag) {
            complaints.push(format!("src: [{tag}] stands in an ordering table, and no operation names it"));
        }
    }
    complaints
}

#[test]
fn each_ordering_is_argued() {
    let sources = Source::tree("src");
    let count: usize = sources.iter().map(|source| operations(source).0.len()).sum();
    assert!(count > 30, "only {count} operations were found");
    assert_none(&check(&sources));
}

/// A file with one pair, in which something may be put in another's place.
fn planted(from: &str, to: &str) -> Vec<String> {
    let text = "\
//! # Orderings
//!
//! | store | Release | `[Q-link]` |
//! | load | Acquire | `[Q-link]` |
//!
//! # Progress
//!
//! | wait-free | `[Q-none]` |
use crate::sync;
fn publish() {
    // ORDERING: Release; pairs with the load [Q-link].
    flag.store(1, Ordering::Release);
}
fn look() {
    // ORDERING: Acquire on success; pairs with the store [Q-link].
    // SAFETY: none.
    let before = flag
        .compare_exchange(Item::new(0), 1, Ordering::Acquire, Ordering::Relaxed);
}
";
    assert!(text.contains(from), "{from:?} is not in the planted text");
    check(&[Source::new("src/queue.rs", &text.replace(from, to))])
}

#[test]
fn planted_operations_are_found() {
    assert_none(&planted("", ""));
    assert_one(&planted("// ORDERING: Release", "// Release"), &["src/queue.rs:12", "without"]);
    assert_one(&planted("flag.store", "a();\nb();\nc();\nd();\nflag.store"), &["src/queue.rs:16", "without"]);
    let two = "fence(Ordering::Release);\n    flag.store";
    assert_one(&planted("flag.store", two), &["src/queue.rs:13", "without"]);
    let hidden = "debug_assert!(x.load(Ordering::Relaxed));\n}\nfn look";
    assert_one(&planted("}\nfn look", hidden), &["src/queue.rs:13", "without"]);
    assert_one(&planted("fn look", "const O: Ordering = Ordering::Acquire;\nfn look"), &["no argument"]);
    assert_one(&planted("(1, Ordering::Release)", "(1, Release)"), &["written as"]);
    assert_one(&planted("(1, Ordering::Release)", "(1, Ordering::AcqRel)"), &["does not say AcqRel"]);
    assert_one(&planted("Ordering::Relaxed", "Ordering::Release"), &["does not say Release"]);
}

#[test]
fn planted_tags_are_found() {
    assert_one(
        &planted("load [Q-link]", "load [Q-tail]"),
        &["src/queue.rs:12", "[Q-tail]", "no ordering table"],
    );
    assert_one(&planted("load [Q-link]", "load [Q-none]"), &["[Q-none]", "no ordering table"]);
    assert_one(&planted("| load | Acquire | `[Q-link]` |", ""), &["[Q-link]", "one row"]);
    let unused = "//! | a | `[Q-old]` |\n//! | b | `[Q-old]` |\n//! # Progress";
    assert_one(&planted("//! # Progress", unused), &["[Q-old]", "no operation"]);
}

#[test]
fn planted_tags_of_other_modules_are_found() {
    let queue = "//! # Orderings\n//! | a | `[Q-link]` |\n//! | b | `[Q-link]` |\nfn f() {\n// ORDERING: Relaxed [Q-link]\nx.load(Ordering::Relaxed); }";
    let batch = "fn f() {\n// ORDERING: Relaxed [Q-link]\nx.load(Ordering::Relaxed); }";
    let check =
        |batch: &str| check(&[Source::new("src/queue.rs", queue), Source::new("src/batch.rs", batch)]);
    assert_none(&check(&format!("use crate::queue::Node;\n{batch}")));
    assert_one(&check(batch), &["src/batch.rs:3", "[Q-link]"]);
}
