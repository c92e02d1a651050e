//! Commands that the pages show exist: each task of `cargo xtask` with its options, each package, test, benchmark and
//! program, and each filter of tests.
//!
//! A command is what begins with `cargo`, perhaps after settings of variables, in code type or as a line of a block in `sh`.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::markdown::Page;
use crate::pages;
use crate::quoted::Names;
use crate::source::{Source, assert_none, assert_one, closing, is, read, root};

/// Commands of cargo itself, and of its usual companions.
const CARGO: [&str; 10] = ["add", "bench", "build", "clippy", "doc", "fmt", "miri", "run", "rustc", "test"];

/// What commands may name.
#[derive(Default)]
pub(crate) struct Known {
    aliases: BTreeSet<String>,
    tasks: BTreeSet<String>,
    /// Words in the sources of tasks and of benchmarks, which the names of their options are.
    options: BTreeSet<String>,
    packages: BTreeSet<String>,
    /// By `test`, `bench` and `bin`.
    targets: BTreeMap<&'static str, BTreeSet<String>>,
    names: Names,
}

impl Known {
    pub(crate) fn read() -> Self {
        let config: Table = read(".cargo/config.toml").parse().expect("a configuration");
        let mut known = Self {
            aliases: config["alias"].as_table().into_iter().flat_map(Table::keys).cloned().collect(),
            tasks: tasks(&Source::new("xtask/src/main.rs", &read("xtask/src/main.rs"))),
            names: Names::read(),
            ..Self::default()
        };
        for source in ["xtask", "benches"].into_iter().flat_map(Source::tree) {
            let words =
                source.tokens.iter().map(|token| token.text.trim_matches('"').trim_start_matches("--"));
            known.options.extend(words.map(str::to_owned));
        }
        let workspace: Table = read("Cargo.toml").parse().expect("a manifest");
        for member in workspace["workspace"]["members"].as_array().into_iter().flatten() {
            known.add(member.as_str().expect("a folder"));
        }
        known
    }

    fn add(&mut self, package: &str) {
        let manifest: Table = read(&format!("{package}/Cargo.toml")).parse().expect("a manifest");
        let name = |table: &Value| table.get("name").and_then(Value::as_str).map(str::to_owned);
        self.packages.extend(manifest.get("package").and_then(name));
        for (kind, folder) in [("test", "tests"), ("bench", "benches"), ("bin", "src/bin")] {
            let listed = manifest.get(kind).and_then(Value::as_array).into_iter().flatten().filter_map(name);
            let targets = self.targets.entry(kind).or_default();
            targets.extend(listed);
            for entry in std::fs::read_dir(root(package).join(folder)).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
                if entry.path().join("main.rs").exists() || entry.path().is_file() {
                    targets.insert(name);
                }
            }
        }
    }

    /// Tells what is wrong with a command, if anything is.
    pub(crate) fn refuse(&self, command: &str) -> Option<String> {
        let words: Vec<&str> = command.split('#').next()?.split_whitespace().collect();
        let cargo = words.iter().position(|word| *word == "cargo")? + 1;
        let words = &words[cargo + usize::from(words.get(cargo).is_some_and(|word| word.starts_with('+')))..];
        let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
        let (own, after) = (&words[..end], words.get(end + 1..).unwrap_or_default());
        let (&name, own) = own.split_first()?;
        let missing = |what: &str, name: &str| Some(format!("there is no {what} {name}"));
        if name == "xtask" {
            let (&task, options) = own.split_first()?;
            return if !self.tasks.contains(task) {
                missing("task", task)
            } else {
                self.refuse_options(options)
            };
        }
        if self.aliases.contains(name) {
            return self.refuse_options(own);
        }
        if !CARGO.contains(&name) {
            return missing("command of cargo", name);
        }
        for pair in own.windows(2) {
            let [option, value] = pair else { continue };
            let kind = option.trim_start_matches("--");
            if matches!(*option, "-p" | "--package") && !self.packages.contains(*value) {
                return missing("package", value);
            }
            if self
                .targets
                .get(kind)
                .is_some_and(|targets| option.starts_with("--") && !targets.contains(*value))
            {
                return missing(kind, value);
            }
        }
        match name {
            "bench" => self.refuse_options(after),
            "test" => after
                .iter()
                .find(|word| !word.starts_with('-') && !self.finds(word))
                .and_then(|filter| missing("test whose name has in it", filter)),
            _ => None,
        }
    }

    fn refuse_options(&self, words: &[&str]) -> Option<String> {
        let options = words.iter().filter_map(|word| word.strip_prefix("--"));
        let names = options.map(|option| option.split('=').next().unwrap_or_default());
        let known = |option: &&str| {
            self.options.contains(*option) || self.options.contains(&option.replace('-', "_"))
        };
        let unknown = names.into_iter().find(|option| !known(option) && *option != "help")?;
        Some(format!("there is no option --{unknown}"))
    }

    /// Tells whether a filter of tests finds any.
    fn finds(&self, filter: &str) -> bool {
        let filter = filter.split('/').next().unwrap_or_default();
        filter
            .split("::")
            .all(|part| part.is_empty() || self.names.all.iter().any(|name| name.contains(part)))
    }
}

/// Returns the tasks of `cargo xtask`, which are the variants of an enumeration.
fn tasks(main: &Source) -> BTreeSet<String> {
    let start = (0..main.tokens.len()).find(|&at| is(&main.tokens[at..], &["enum", "Task", "{"]));
    let variants = &main.tokens[start.expect("an enumeration of tasks")..];
    let mut tasks = BTreeSet::new();
    let mut at = 3;
    while at < closing(variants, 2) {
        match variants[at].text.as_str() {
            "#" => at = closing(variants, at + 1),
            "(" => at = closing(variants, at),
            "," => {}
            name => drop(tasks.insert(name.to_lowercase())),
        }
        at += 1;
    }
    tasks
}

/// Tells whether this is a command.
pub(crate) fn is_command(code: &str) -> bool {
    let mut words = code.split_whitespace().skip_while(|word| {
        word.split_once('=').is_some_and(|(name, _)| {
            name.chars().all(|c| c.is_ascii_uppercase() || matches!(c, '_' | '0'..='9'))
        })
    });
    words.next() == Some("cargo") && words.next().is_some()
}

/// Returns the commands of a page, with their lines.
fn commands(page: &Page) -> impl Iterator<Item = (String, usize)> {
    page.sections.iter().flat_map(|section| {
        let shown = section.blocks.iter().filter(|(language, ..)| language == "sh");
        let lines = shown.flat_map(|(_, text, line)| {
            text.lines().zip(line + 1..).map(|(text, line)| (text.to_owned(), line))
        });
        section.codes.iter().cloned().chain(lines).filter(|(code, _)| is_command(code))
    })
}

fn check(pages: &[Page], known: &Known) -> Vec<String> {
    let mut complaints = Vec::new();
    for page in pages {
        for (command, line) in commands(page) {
            let refused = known.refuse(&command);
            complaints.extend(refused.map(|why| page.complain(line, &format!("`{command}`: {why}"))));
        }
    }
    complaints
}

#[test]
fn each_command_exists() {
    let pages = pages::all();
    let count = pages.iter().flat_map(commands).count();
    assert!(count > 60, "only {count} commands were found");
    assert_none(&check(&pages, &Known::read()));
}

#[test]
fn planted_commands_are_told_from_other_code() {
    let page = Page::new(
        "a.md",
        "`cargo test`, `A_1=b cargo doc`, `cargo`, `xcargo test`\n\n```sh\ncargo fmt\nls\n```\n",
    );
    let found: Vec<_> = commands(&page).collect();
    assert_eq!(found, [("cargo test".into(), 1), ("A_1=b cargo doc".into(), 1), ("cargo fmt".into(), 4)]);
}

#[test]
fn planted_commands_that_do_not_exist_are_found() {
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    let main = "enum Task { #[doc = \"x\"] Bugs(bugs::Args), Tables, }";
    let known = Known {
        aliases: set(&["loom"]),
        tasks: tasks(&Source::new("xtask/src/main.rs", main)),
        options: set(&["bug", "write_docs"]),
        packages: set(&["loom_tests"]),
        targets: BTreeMap::from([
            ("test", set(&["models"])),
            ("bench", set(&["peers"])),
            ("bin", set(&["digest"])),
        ]),
        names: Names { all: set(&["q1_order", "queue"]), ..Names::default() },
    };
    for good in [
        "cargo xtask bugs --bug 3",
        "cargo xtask tables",
        "cargo loom",
        "X=y cargo +nightly test -p loom_tests --test models -- --exact queue::q1_order/never",
        "cargo test -p loom_tests -- q1_  # a remark",
        "cargo bench --bench peers -- --write-docs",
        "cargo run --bin digest -- --whatever",
        "cargo xtask bugs --help",
    ] {
        assert_eq!(known.refuse(good), None, "{good}");
    }
    for (bad, word) in [
        ("cargo xtask bug", "task bug"),
        ("cargo xtask bugs --bag 3", "option --bag"),
        ("cargo shuttle", "command of cargo shuttle"),
        ("cargo test -p loom", "package loom"),
        ("cargo test --test model", "test model"),
        ("cargo test -- q2_", "q2_"),
        ("cargo bench --bench peer", "bench peer"),
        ("cargo bench --bench peers -- --write-dogs", "option --write-dogs"),
        ("cargo run --bin diget", "bin diget"),
    ] {
        let page = Page::new("docs/a.md", &format!("x\n\n`{bad}`\n"));
        assert_one(&check(&[page], &known), &["docs/a.md:3", bad, word]);
    }
}
