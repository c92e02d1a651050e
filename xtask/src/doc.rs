//! Builds the documentation with warnings denied, and follows the links of the mounted pages in what rustdoc wrote.
//!
//! rustdoc checks links to items, and no others: an anchor, a link to a source, or one that was not defined for rustdoc is a
//! dead link in the generated page, and no warning.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::tree;

/// Runs the task.
pub fn run() -> Result<ExitCode> {
    let workspace = tree::workspace()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .current_dir(&workspace)
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "the documentation does not build");
    let root = tree::scratch(&workspace, "doc");
    let mut pages = vec![root.join("zero_pool/index.html")];
    walk(&root.join("zero_pool/docs"), &mut pages)?;
    let mut followed = 0;
    let mut dead = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
        let links = links(&text);
        followed += links.len();
        for link in links {
            if let Some(why) = refuse(&root, page, &link) {
                let page = page.strip_prefix(&root).unwrap_or(page);
                dead.push(format!("{}: {link}: {why}", page.display()));
            }
        }
    }
    println!("{} pages, {followed} links inside, {} dead", pages.len(), dead.len());
    for link in &dead {
        println!("  {link}");
    }
    ensure!(followed > 0, "no link was found");
    Ok(if dead.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn walk(folder: &Path, pages: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, pages)?;
        } else if path.extension().is_some_and(|end| end == "html") {
            pages.push(path);
        }
    }
    Ok(())
}

/// Returns the links and pictures of a page that lead nowhere outside.
fn links(html: &str) -> BTreeSet<String> {
    let after = |mark: &'static str| html.split(mark).skip(1).filter_map(|rest| rest.split('"').next());
    let links = after(" href=\"").chain(after(" src=\""));
    let inside = links.filter(|link| !link.contains("://") && !link.starts_with("data:"));
    inside.map(|link| link.replace("&amp;", "&")).collect()
}

/// Tells why a link of a page is dead, if it is.
fn refuse(root: &Path, page: &Path, link: &str) -> Option<&'static str> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let mut path = page.to_owned();
    if !file.is_empty() {
        path.pop();
        for part in Path::new(file).components() {
            match part {
                Component::ParentDir => drop(path.pop()),
                part => path.push(part),
            }
        }
    }
    if !path.starts_with(root) || !path.is_file() {
        return Some("there is no such file");
    }
    // The sources of rustdoc make the anchors of their lines in the browser.
    let is_lines = anchor.starts_with(|c: char| c.is_ascii_digit());
    if anchor.is_empty() || is_lines {
        return None;
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    (!text.contains(&format!("id=\"{anchor}\""))).then_some("there is no such anchor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_inside_are_found() {
        let html =
            "<a class=\"x\" href=\"a.html#b\">href=\"no\"</a><img src=\"c.svg\"><a href=\"https://d\">";
        assert_eq!(links(html), ["a.html#b", "c.svg"].map(str::to_owned).into());
    }

    #[test]
    fn dead_links_are_told() {
        let root = std::env::temp_dir().join(format!("zero-pool-doc-{}", std::process::id()));
        fs::create_dir_all(root.join("a")).expect("a folder");
        fs::write(root.join("b.html"), "<h2 id=\"there\">").expect("a page");
        fs::write(root.join("a/c.html"), "").expect("a page");
        let link = |link| refuse(&root, &root.join("a/c.html"), link);
        let told =
            ["../b.html", "../b.html#there", "../b.html#not", "b.html", "../../b.html", "#x", "../b.html#12"];
        let anchor = Some("there is no such anchor");
        let file = Some("there is no such file");
        assert_eq!(told.map(link), [None, None, anchor, file, file, anchor, None]);
        fs::remove_dir_all(&root).expect("the folder goes");
    }
}
