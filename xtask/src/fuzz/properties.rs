//! Finds the properties: tests inside of `proptest!`, by the sources, and by the binaries that have them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use proc_macro2::{TokenStream, TokenTree};

use crate::cargo::Tests;
use crate::tree;

/// The package with the properties; its folder has the same name.
pub const PACKAGE: &str = "proptests";

/// A property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The binary, as `--test` names it, and where it lies.
    pub target: String,
    pub executable: PathBuf,
    /// The test's name with its modules.
    pub name: String,
}

impl std::fmt::Display for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}::{}", self.target, self.name)
    }
}

/// Builds the tests of the package, and returns all properties in them.
pub fn find(workspace: &Path) -> Result<Vec<Property>> {
    let functions = functions_of_sources(workspace)?;
    let mut found = Vec::new();
    for (target, executable) in (Tests { package: PACKAGE, options: &[] }).build(workspace, None)? {
        let output = Command::new(&executable).arg("--list").output();
        let output = output.with_context(|| format!("listing the tests of {}", executable.display()))?;
        ensure!(output.status.success(), "{} does not list its tests", executable.display());
        for name in properties_of_list(&String::from_utf8_lossy(&output.stdout), &functions) {
            found.push(Property { target: target.clone(), executable: executable.clone(), name });
        }
    }
    for function in &functions {
        let is_there = found.iter().any(|property| last(&property.name) == function);
        ensure!(is_there, "the property {function} stands in the sources, and no test binary has it");
    }
    ensure!(!found.is_empty(), "the package {PACKAGE} has no property");
    Ok(found)
}

fn last(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

/// Returns the names in a binary's list of tests that end in the name of a property.
fn properties_of_list(list: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| functions.contains(last(name))).map(str::to_owned).collect()
}

/// Returns the names of all functions inside of `proptest!`, in all sources of the package.
fn functions_of_sources(workspace: &Path) -> Result<BTreeSet<String>> {
    let mut functions = BTreeSet::new();
    for (path, content) in tree::read_all(&workspace.join(PACKAGE))? {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = String::from_utf8(content).with_context(|| format!("reading {}", path.display()))?;
            let Ok(tokens) = text.parse::<TokenStream>() else { bail!("{} is no Rust", path.display()) };
            functions.extend(functions_of(tokens));
        }
    }
    Ok(functions)
}

/// Returns the names of the functions inside of `proptest! { .. }`, wherever in `tokens` that stands.
fn functions_of(tokens: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut functions = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let is_property =
            at >= 2 && is_ident(&tokens[at - 2], "proptest") && tokens[at - 1].to_string() == "!";
        if is_property {
            functions.extend(names_after_fn(group.stream()));
        } else {
            functions.extend(functions_of(group.stream()));
        }
    }
    functions
}

fn names_after_fn(tokens: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let pairs = tokens.windows(2).filter(|pair| is_ident(&pair[0], "fn"));
    pairs.map(|pair| pair[1].to_string()).collect()
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANTED: &str = r#"
        //! proptest! { #[test] fn in_a_comment(x in y) {} }
        const TEXT: &str = "proptest! { #[test] fn in_a_string(x in y) {} }";
        proptest! {
            #![proptest_config(config!(7))]
            #[test]
            fn one(x in any::<u8>()) { let helper = || f(x); helper(); }
            #[test]
            fn two(x: u8) {}
        }
        #[test]
        fn no_property() {}
        mod inside { proptest! { #[test] fn three(x: u8) {} } }
    "#;

    #[test]
    fn a_property_is_a_function_inside_of_proptest() {
        assert_eq!(functions_of(PLANTED.parse().expect("Rust")), ["one", "two", "three"]);
    }

    #[test]
    fn properties_are_found_in_a_list_of_tests() {
        let functions = BTreeSet::from(["one".to_owned(), "three".to_owned()]);
        let list = "one: test\nother::one_more: test\ninside::three: test\n\n3 tests, 0 benchmarks\n";
        assert_eq!(properties_of_list(list, &functions), ["one", "inside::three"]);
    }

    #[test]
    fn the_properties_of_the_package_are_found() {
        let functions = functions_of_sources(&tree::workspace().expect("a workspace")).expect("readable");
        assert!(functions.len() > 10, "{functions:?}");
    }
}
