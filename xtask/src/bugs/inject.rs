//! Puts all bugs into one copy of the sources, where the environment chooses one at run time.
//!
//! What a bug replaces becomes the other side of an `if`: `if crate::seeded::has(7) { the bug } else { the code }`. So
//! one build serves all of them. A text that ends in a semicolon or a brace is taken for a statement, a comment for a
//! place to insert one, and anything else for an expression. A function that could be called at compile time cannot
//! be any more, and loses its `const`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::table::{Bug, FILE};

/// The module that the copy gets.
const RUNTIME: &str = include_str!("runtime.rs");

/// The variable that chooses a bug by its number.
pub const CHOICE: &str = "ZERO_POOL_BUG";

/// Returns the edited files of the workspace, by their paths inside.
pub fn edit(workspace: &Path, bugs: &[Bug]) -> Result<BTreeMap<PathBuf, String>> {
    let mut by_file = BTreeMap::<&str, Vec<&Bug>>::new();
    bugs.iter().for_each(|bug| by_file.entry(&bug.file).or_default().push(bug));
    by_file.entry("src/lib.rs").or_default();
    let mut edited = BTreeMap::new();
    for (file, bugs) in by_file {
        let source =
            std::fs::read_to_string(workspace.join(file)).with_context(|| format!("reading {file}"))?;
        edited.insert(PathBuf::from(file), edit_file(file, &source, &bugs)?);
    }
    if let Some(lib) = edited.get_mut(Path::new("src/lib.rs")) {
        // Nobody cleans the copy up, and what is wrong with it should not hide among warnings.
        *lib = format!("#![allow(warnings)]\n{lib}\nmod seeded;\n");
    }
    edited.insert("src/seeded.rs".into(), RUNTIME.into());
    Ok(edited)
}

fn edit_file(file: &str, source: &str, bugs: &[&Bug]) -> Result<String> {
    let mut places = BTreeMap::<(usize, usize), Vec<&Bug>>::new();
    for bug in bugs {
        let place = place(source, bug).with_context(|| format!("bug {}, {}", bug.number, bug.name))?;
        places.entry((place.start, place.end)).or_default().push(bug);
    }
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for (&(start, end), bugs) in &places {
        if let Some((before, _)) = edits.last()
            && start < before.end
        {
            bail!(
                "bug {} of {FILE} overlaps the one before it in {file}: give both the same text",
                bugs[0].number
            );
        }
        edits.push((start..end, switch(&source[start..end], bugs)?));
    }
    let inside: Vec<usize> = edits.iter().map(|(span, _)| span.start).collect();
    edits.extend(constnesses(file, source, &inside)?.into_iter().map(|span| (span, String::new())));
    edits.sort_by_key(|(span, _)| span.start);
    let mut text = source.to_owned();
    // From the end to the beginning, so that the places before stay where they are.
    for (span, with) in edits.into_iter().rev() {
        text.replace_range(span, &with);
    }
    Ok(text)
}

/// Returns the place of what a bug replaces.
fn place(source: &str, bug: &Bug) -> Result<Range<usize>> {
    let whole = bug.text.replace(['«', '»'], "");
    let mut found = source.match_indices(&whole).map(|(at, _)| at);
    let Some(start) = found.next() else {
        bail!(
            "its text does not stand in {} any more: find what has become of that place, and change the text in {FILE} \
             so that the mistake is the same:\n{whole}",
            bug.file
        )
    };
    ensure!(
        found.next().is_none(),
        "its text stands in {} more than once; make it longer in {FILE}:\n{whole}",
        bug.file
    );
    let Some((before, rest)) = bug.text.split_once('«') else { return Ok(start..start + whole.len()) };
    let (inside, _) = rest.split_once('»').context("its text has a « and no »")?;
    let start = start + before.len();
    Ok(start..start + inside.len())
}

/// Returns what stands for `text` in the copy.
fn switch(text: &str, bugs: &[&Bug]) -> Result<String> {
    let text = text.trim();
    ensure!(!text.starts_with("let "), "bug {}: a `let` would end with its branch", bugs[0].number);
    let mut whole = String::new();
    for Bug { number, with, .. } in bugs {
        whole.push_str(&format!("if crate::seeded::has({number}) {{\n{with}\n}} else "));
    }
    whole.push_str(&format!("{{\n{text}\n}}"));
    let is_statement = text.ends_with([';', '}']) || text.starts_with("//");
    Ok(if is_statement { whole } else { format!("({whole})") })
}

/// Returns where the `const`s stand of the functions around some places.
fn constnesses(file: &str, source: &str, places: &[usize]) -> Result<Vec<Range<usize>>> {
    struct Functions<'a> {
        places: &'a [usize],
        found: Vec<Range<usize>>,
    }
    impl Functions<'_> {
        fn enter(&mut self, signature: &syn::Signature, block: &syn::Block) {
            let body = block.span().byte_range();
            if let Some(keyword) = &signature.constness
                && self.places.iter().any(|place| body.contains(place))
            {
                self.found.push(keyword.span().byte_range());
            }
        }
    }
    impl<'ast> Visit<'ast> for Functions<'_> {
        fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
            self.enter(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }

        fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
            self.enter(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }
    let parsed = syn::parse_file(source).with_context(|| format!("parsing {file}"))?;
    let mut functions = Functions { places, found: Vec::new() };
    functions.visit_file(&parsed);
    Ok(functions.found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bugs::table::Layer;

    fn bug(number: usize, text: &str, with: &str) -> Bug {
        Bug {
            number,
            name: "a name".into(),
            source: "somebody".into(),
            file: "src/x.rs".into(),
            text: text.into(),
            with: with.into(),
            layer: Layer::Models,
            check: "x::q1/never".into(),
            message: "Q1".into(),
            control: false,
        }
    }

    fn edited(source: &str, bugs: &[Bug]) -> Result<String> {
        let text = edit_file("src/x.rs", source, &bugs.iter().collect::<Vec<_>>())?;
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_bug_is_the_other_side_of_an_if() {
        let one = edited("fn f() { a(); b(); }", &[bug(3, "«a();» b()", "")]).expect("an edit");
        assert_eq!(one, "fn f() { if crate::seeded::has(3) { } else { a(); } b(); }");
        let expression = edited("fn f() { if x == 1 {} }", &[bug(3, "x == 1", "true")]).expect("an edit");
        assert!(
            expression.contains("if (if crate::seeded::has(3) { true } else { x == 1 }) {}"),
            "{expression}"
        );
        let inserted = edited("fn f() {\n// Here.\n}", &[bug(3, "// Here.", "g();")]).expect("an edit");
        assert!(inserted.contains("{ g(); } else { // Here. }"), "{inserted}");
    }

    #[test]
    fn bugs_may_share_a_place() {
        let both = [bug(1, "a();", "b();"), bug(2, "a();", "c();")];
        let text = edited("fn f() { a(); }", &both).expect("two edits");
        assert!(
            text.contains("has(1) { b(); } else if crate::seeded::has(2) { c(); } else { a(); }"),
            "{text}"
        );
    }

    #[test]
    fn a_function_with_a_bug_is_not_const() {
        let source = "const fn f() -> u8 { 1 } pub const fn g() -> u8 { 2 }";
        let text = edited(source, &[bug(1, "2", "3")]).expect("an edit");
        assert!(text.starts_with("const fn f()") && text.contains("pub fn g()"), "{text}");
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused_with_advice() {
        let refused = |text: &str, words: &str| {
            let error = format!(
                "{:#}",
                edited("fn f() { a(); a(); let x = b; }", &[bug(7, text, "")]).expect_err("wrong")
            );
            assert!(error.contains(words), "{error}");
        };
        refused("c();", "does not stand in src/x.rs any more");
        refused("a();", "more than once");
        refused("let x = b;", "a `let`");
        refused("«b", "no »");
        let error =
            edited("fn f() { a(b); }", &[bug(1, "a(b);", ""), bug(2, "b", "c")]).expect_err("they overlap");
        assert!(error.to_string().contains("overlaps"), "{error}");
    }
}
