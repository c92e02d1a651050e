//! Links of the pages, which work on the repository's site and in rustdoc.
//!
//! A page links by labels, which are paths from the root of the workspace: `[the list][docs/queue.md#progress]`. At its end
//! the labels are defined as relative paths, for whoever reads the page as a file. In rustdoc, where a page is a module,
//! `src/docs.rs` puts other definitions of the same labels *before* the page, and of two definitions the first counts:
//!
//! | label | in the file | in rustdoc |
//! |---|---|---|
//! | `docs/queue.md#progress` | `queue.md#progress` | the module `crate::docs::queue`, whose existence rustdoc checks |
//! | `docs/pictures/queue.svg` | `pictures/queue.svg` | the picture itself, as data |
//! | `src/queue.rs` | `../src/queue.rs` | the source as rustdoc shows it; [`ITEMS`] go to their documentation |
//!
//! This task writes both kinds of definitions, and makes labels of links that were written with plain paths.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag};

use crate::tree;

/// Where the definitions for rustdoc lie.
const FOLDER: &str = "docs/rustdoc";

/// Files of `src` that are known to readers by the public item that they define.
const ITEMS: [(&str, &str); 6] = [
    ("src/builder.rs", "crate::Builder"),
    ("src/future.rs", "crate::TaskFuture"),
    ("src/global.rs", "crate::global_pool"),
    ("src/pool.rs", "crate::ZeroPool"),
    ("src/scope.rs", "crate::Scope"),
    ("src/spawn.rs", "crate::JoinHandle"),
];

/// A page, and the module that it is in rustdoc.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    path: String,
    module: String,
}

impl Page {
    /// The file with its definitions for rustdoc.
    fn definitions(&self) -> String {
        format!("{FOLDER}/{}.links", if self.module.is_empty() { "docs" } else { &self.module })
    }
}

/// Runs the task.
pub fn run() -> Result<ExitCode> {
    let workspace = tree::workspace()?;
    let folder = workspace.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| FOLDER.to_owned())?;
    for (path, text) in made(&workspace)? {
        fs::write(workspace.join(&path), text).with_context(|| format!("writing {path}"))?;
    }
    for old in stale(&workspace)? {
        fs::remove_file(workspace.join(&old)).with_context(|| format!("removing {old}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(workspace: &Path, path: &str) -> Result<String> {
    fs::read_to_string(workspace.join(path)).with_context(|| format!("reading {path}"))
}

/// Returns all files as they should be: the pages, and their definitions for rustdoc.
fn made(workspace: &Path) -> Result<Vec<(String, String)>> {
    let pages = pages(&read(workspace, "src/docs.rs")?)?;
    let mut files = Vec::new();
    for page in &pages {
        let told = |what: &str| format!("{what} {}", page.path);
        let (text, labels) =
            rewrite(&page.path, &read(workspace, &page.path)?).with_context(|| told("the links of"))?;
        let picture = |path: &str| read(workspace, path);
        let definitions: Result<String> =
            labels.iter().map(|label| in_rustdoc(page, label, &pages, picture)).collect();
        files.push((page.path.clone(), text));
        files.push((page.definitions(), definitions.with_context(|| told("definitions for"))?));
    }
    Ok(files)
}

/// Returns files with definitions for pages that are gone.
fn stale(workspace: &Path) -> Result<Vec<String>> {
    let pages = pages(&read(workspace, "src/docs.rs")?)?;
    let wanted: BTreeSet<String> = pages.iter().map(Page::definitions).collect();
    let mut stale = Vec::new();
    for entry in fs::read_dir(workspace.join(FOLDER)).with_context(|| FOLDER.to_owned())? {
        let path = format!("{FOLDER}/{}", entry?.file_name().to_string_lossy());
        if !wanted.contains(&path) {
            stale.push(path);
        }
    }
    Ok(stale)
}

/// Reads which pages are mounted, and where: the lines `name = "file.md"`, and the page at the root.
fn pages(docs: &str) -> Result<Vec<Page>> {
    let page = |line: &str| {
        let (module, file) = line.trim().split_once(" = \"")?;
        let file = file.strip_suffix('"')?;
        let path = file.strip_prefix("../").map_or_else(|| format!("docs/{file}"), str::to_owned);
        Some(Page { path, module: module.to_owned() })
    };
    let root = Page { path: "docs/README.md".into(), module: String::new() };
    let pages: Vec<_> = std::iter::once(root).chain(docs.lines().filter_map(page)).collect();
    ensure!(pages.len() > 1, "src/docs.rs mounts no pages");
    Ok(pages)
}

/// Tells whether a label is the path of a file that links may lead to.
fn is_local(label: &str) -> bool {
    let path = label.split('#').next().unwrap_or_default();
    [".md", ".rs", ".svg"].iter().any(|end| path.ends_with(end)) && !path.contains("://")
}

/// Returns a page whose links are labels that are defined at its end, and these labels.
fn rewrite(path: &str, text: &str) -> Result<(String, BTreeSet<String>)> {
    let text = without_definitions(text);
    let unknown = |link: BrokenLink<'_>| {
        is_local(&link.reference).then(|| (CowStr::from(link.reference.to_string()), CowStr::from("")))
    };
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let parser = Parser::new_with_broken_link_callback(text, options, Some(unknown));
    let mut labels = BTreeSet::new();
    let mut edits = Vec::new();
    for (event, range) in parser.into_offset_iter() {
        let Event::Start(Tag::Link { link_type, dest_url, .. } | Tag::Image { link_type, dest_url, .. }) =
            event
        else {
            continue;
        };
        if link_type != LinkType::Inline {
            if is_local(&dest_url) {
                labels.insert(dest_url.to_string());
            }
        } else if let Some(label) = resolve(path, &dest_url) {
            ensure!(is_local(&label), "{label}: only pages, sources of the crate and pictures are linked to");
            let tail = text[range.clone()].rfind("](").context("a link without a target")?;
            edits.push((range.start + tail..range.end, format!("][{label}]")));
            labels.insert(label);
        }
    }
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut text = text.to_owned();
    let is_ended = text.ends_with('\n');
    for (range, label) in edits {
        text.replace_range(range, &label);
    }
    if !is_ended {
        text.push('\n');
    }
    if !labels.is_empty() {
        text.push('\n');
    }
    for label in &labels {
        text.push_str(&format!("[{label}]: {}\n", relative(path, label)));
    }
    Ok((text, labels))
}

/// Returns a page without the definitions at its end.
fn without_definitions(text: &str) -> &str {
    let is_definition = |line: &str| {
        let label = line.strip_prefix('[').and_then(|line| line.split_once("]: "));
        label.is_some_and(|(label, _)| is_local(label))
    };
    let mut end = text.len();
    while let Some(last) = text[..end].lines().next_back()
        && (last.is_empty() || is_definition(last))
    {
        end = text[..end].trim_end_matches('\n').len() - last.len();
    }
    let kept = text[..end].trim_end_matches('\n').len();
    &text[..(kept + 1).min(text.len())]
}

/// Returns what a relative link of a page leads to, as a path from the root; nothing if it leads outside, or stays on the page.
fn resolve(page: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with('#') || link.starts_with("mailto:") {
        return None;
    }
    let mut folders: Vec<&str> = page.split('/').collect();
    folders.pop();
    for part in link.split('/') {
        match part {
            ".." => {
                folders.pop();
            }
            "." => {}
            part => folders.push(part),
        }
    }
    Some(folders.join("/"))
}

/// Returns the way from a page to a label.
fn relative(page: &str, label: &str) -> String {
    let mut from: Vec<&str> = page.split('/').collect();
    from.pop();
    let to: Vec<&str> = label.split('/').collect();
    let shared = from.iter().zip(&to[..to.len() - 1]).take_while(|(from, to)| from == to).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    up.chain(to[shared..].iter().copied()).collect::<Vec<_>>().join("/")
}

/// Returns the definition of a label in rustdoc.
fn in_rustdoc(
    page: &Page,
    label: &str,
    pages: &[Page],
    picture: impl Fn(&str) -> Result<String>,
) -> Result<String> {
    let (path, anchor) = label.split_at(label.find('#').unwrap_or(label.len()));
    let to = if let Some(Page { module, .. }) = pages.iter().find(|page| page.path == path) {
        let module = if module.is_empty() { String::new() } else { format!("::{module}") };
        format!("crate::docs{module}{anchor}")
    } else if let Some((_, item)) = ITEMS.iter().find(|(file, _)| *file == path) {
        format!("{item}{anchor}")
    } else if let Some(file) = path.strip_prefix("src/") {
        let up = if page.module.is_empty() { "../.." } else { "../../.." };
        format!("{up}/src/zero_pool/{file}.html{anchor}")
    } else if path.ends_with(".svg") {
        format!("data:image/svg+xml;base64,{}", base64(picture(path)?.as_bytes()))
    } else {
        bail!("{label} is no page that src/docs.rs mounts, no source of the crate, and no picture");
    };
    Ok(format!("[{label}]: {to}\n"))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for at in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_are_up_to_date() {
        let workspace = tree::workspace().expect("a workspace");
        for (path, text) in made(&workspace).expect("pages") {
            let old = read(&workspace, &path).unwrap_or_default();
            assert!(old == text, "the links of {path} are old: run cargo xtask links");
        }
        assert_eq!(stale(&workspace).expect("definitions"), [""; 0], "run cargo xtask links");
    }

    fn rewritten(text: &str) -> String {
        rewrite("docs/decisions/0001-x.md", text).expect("links").0
    }

    #[test]
    fn plain_links_get_labels() {
        assert_eq!(
            rewritten("See [`a` *b*](../queue.md#c), ![d](../p/e.svg) and [f](https://f.md).\n"),
            "See [`a` *b*][docs/queue.md#c], ![d][docs/p/e.svg] and [f](https://f.md).\n\n\
             [docs/p/e.svg]: ../p/e.svg\n[docs/queue.md#c]: ../queue.md#c\n"
        );
        assert_eq!(rewritten("`[a](b.md)` and [c](#d)\n"), "`[a](b.md)` and [c](#d)\n");
        assert!(rewrite("docs/a.md", "[a](b.toml)").is_err());
    }

    #[test]
    fn labels_are_defined_once_and_again_and_no_more() {
        let page = "[a][docs/b.md]\n\n[docs/b.md]: ../b.md\n";
        assert_eq!(rewritten("[a][docs/b.md]\n"), page);
        assert_eq!(rewritten("[a][docs/b.md]\n\n[docs/b.md]: wrong.md\n[docs/c.md]: ../c.md\n\n"), page);
        assert_eq!(rewritten(page), page);
        assert_eq!(rewritten("a\n\n[docs/b.md]: ../b.md\n"), "a\n");
        assert_eq!(rewritten("[a][docs/b.md]"), page, "the last line has no end");
    }

    #[test]
    fn paths_lead_there_and_back() {
        for (page, label, link) in [
            ("docs/a.md", "docs/b.md#c", "b.md#c"),
            ("docs/a.md", "README.md", "../README.md"),
            ("docs/d/a.md", "docs/b.md", "../b.md"),
            ("README.md", "docs/d/a.md", "docs/d/a.md"),
        ] {
            assert_eq!(relative(page, label), link);
            assert_eq!(resolve(page, link).as_deref(), Some(label));
        }
    }

    #[test]
    fn rustdoc_gets_modules_sources_items_and_pictures() {
        let pages = pages("    queue = \"queue.md\"\n    readme = \"../README.md\"\n").expect("pages");
        let label = |page: &Page, label| {
            in_rustdoc(page, label, &pages, |path| Ok(path.to_owned())).map_err(|error| error.to_string())
        };
        let is = |page, from, to: &str| assert_eq!(label(page, from), Ok(format!("[{from}]: {to}\n")));
        is(&pages[1], "docs/queue.md#a", "crate::docs::queue#a");
        is(&pages[1], "docs/README.md", "crate::docs");
        is(&pages[1], "README.md", "crate::docs::readme");
        is(&pages[1], "src/future.rs#safety", "crate::TaskFuture#safety");
        is(&pages[1], "src/batch/mod.rs", "../../../src/zero_pool/batch/mod.rs.html");
        is(&pages[0], "src/queue.rs", "../../src/zero_pool/queue.rs.html");
        is(&pages[1], "a.svg", "data:image/svg+xml;base64,YS5zdmc=");
        assert!(
            label(&pages[1], "docs/lost.md").is_err_and(|error| error.contains("docs/lost.md is no page"))
        );
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let codes = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        assert_eq!(texts.map(|text| base64(text.as_bytes())), codes);
    }
}
