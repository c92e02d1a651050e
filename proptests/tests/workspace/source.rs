//! Source files, as lines and as tokens.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};

/// One token; the two halves of `::` and of a lifetime are one, and so is each end of a pair of brackets.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    fn new(text: &str, span: Span) -> Self {
        Self { text: text.to_owned(), line: span.start().line }
    }
}

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// The path from the root of the workspace, with slashes.
    pub(crate) path: String,
    pub(crate) lines: Vec<String>,
    /// All tokens. Comments are none; doc comments are attributes.
    pub(crate) tokens: Vec<Token>,
}

/// Returns a path in the workspace.
pub(crate) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Reads a file of the workspace.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// Fails with all complaints, if there are any.
#[track_caller]
pub(crate) fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n  {}\n", complaints.len(), complaints.join("\n  "));
}

/// Fails unless there is one complaint, which contains each of these words.
#[track_caller]
pub(crate) fn assert_one(complaints: &[String], words: &[&str]) {
    let [complaint] = complaints else { panic!("one complaint was expected, not {complaints:#?}") };
    for word in words {
        assert!(complaint.contains(word), "{complaint:?} does not contain {word:?}");
    }
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Self { path: path.to_owned(), lines: text.lines().map(str::to_owned).collect(), tokens }
    }

    /// Reads all source files under a folder of the workspace, in the order of their names.
    pub(crate) fn tree(folder: &str) -> Vec<Self> {
        let mut paths = Vec::new();
        walk(&root(folder), folder, &mut paths);
        paths.sort();
        assert!(!paths.is_empty(), "there are no sources in {folder}");
        paths.iter().map(|path| Self::new(path, &read(path))).collect()
    }

    /// Returns the path of the module within the crate; that of `src/lib.rs` is empty.
    pub(crate) fn module(&self) -> Vec<&str> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inside = inside.strip_suffix(".rs").unwrap_or(inside);
        let mut module: Vec<_> = inside.split('/').collect();
        module.pop_if(|last| *last == "mod" || inside == "lib");
        module
    }

    /// Returns the name of the module right under the crate.
    pub(crate) fn top(&self) -> &str {
        self.module().first().copied().unwrap_or("lib")
    }

    /// Returns the tokens without what is compiled for tests alone.
    pub(crate) fn code(&self) -> Vec<Token> {
        let mut code = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            match self.end_of_test(at) {
                Some(end) => at = end,
                None => {
                    code.push(self.tokens[at].clone());
                    at += 1;
                }
            }
        }
        code
    }

    /// If an item for tests begins with an attribute here, returns where it ends.
    fn end_of_test(&self, at: usize) -> Option<usize> {
        let tokens = &self.tokens[at..];
        if !is(tokens, &["#", "[", "cfg", "("]) {
            return None;
        }
        let attribute = &tokens[..=closing(tokens, 1)];
        let names = |name| attribute.iter().any(|token| token.text == name);
        if !names("test") || names("not") {
            return None;
        }
        let mut end = attribute.len();
        loop {
            match tokens.get(end)?.text.as_str() {
                ";" => return Some(at + end + 1),
                "{" => return Some(at + closing(tokens, end) + 1),
                "(" | "[" => end = closing(tokens, end) + 1,
                _ => end += 1,
            }
        }
    }

    /// Writes a complaint about a line.
    pub(crate) fn complain(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// Tells whether these tokens begin so.
pub(crate) fn is(tokens: &[Token], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.text == *text)
}

/// Returns the place of the bracket that closes the one at `open`.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("line {}: the bracket does not close", tokens[open].line)
}

/// Returns the names of the functions that are marked as tests, also inside of macros.
pub(crate) fn tests(tokens: &[Token]) -> Vec<String> {
    let marks = (0..tokens.len()).filter(|&at| is(&tokens[at..], &["#", "[", "test", "]"]));
    let name = |at: usize| {
        let after = &tokens[at..];
        let keyword = after.iter().position(|token| token.text == "fn")?;
        after.get(keyword + 1).map(|name| name.text.clone())
    };
    marks.filter_map(name).collect()
}

fn walk(folder: &Path, name: &str, paths: &mut Vec<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {name}: {error}"));
    for entry in entries {
        let entry = entry.expect("an entry of a folder");
        let name = format!("{name}/{}", entry.file_name().to_str().expect("names are plain"));
        if entry.path().is_dir() {
            walk(&entry.path(), &name, paths);
        } else if name.ends_with(".rs") {
            paths.push(name);
        }
    }
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut joined = false;
    for tree in stream {
        let joins = matches!(&tree, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                tokens.push(Token::new(open, group.span_open()));
                flatten(group.stream(), tokens);
                tokens.push(Token::new(close, group.span_close()));
            }
            tree => {
                let text = tree.to_string();
                match tokens.last_mut() {
                    Some(last) if joined && (last.text == "'" || last.text == ":" && text == ":") => {
                        last.text.push_str(&text);
                    }
                    _ => tokens.push(Token::new(&text, tree.span())),
                }
            }
        }
        joined = joins;
    }
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

#[test]
fn planted_texts_are_read_as_the_compiler_reads_them() {
    let text = "// SeqCst\nuse a::b; /* SeqCst */\nfn f<'static>() -> &'static str { m!(\"SeqCst\") }\n";
    let source = Source::new("src/x.rs", text);
    let texts: Vec<_> = source.tokens.iter().map(|token| token.text.as_str()).collect();
    let head =
        ["use", "a", "::", "b", ";", "fn", "f", "<", "'static", ">", "(", ")", "-", ">", "&", "'static"];
    assert!(is(&source.tokens, &head), "{texts:?}");
    assert_eq!(texts[head.len()..], ["str", "{", "m", "!", "(", "\"SeqCst\"", ")", "}"]);
    assert_eq!((source.tokens[0].line, source.tokens[5].line), (2, 3));
}

#[test]
fn planted_tests_are_no_code() {
    let text = "
        fn a() {}
        #[cfg(test)] #[allow(x)] mod tests { fn b() {} }
        #[cfg(not(test))] fn c() {}
        #[cfg(all(test, not_miri))] use d::e;
        #[test] fn f() {}
        proptest! { #[test] fn g(x in y) {} }
    ";
    let source = Source::new("src/x/mod.rs", text);
    let code = source.code();
    let has = |name: &str| code.iter().any(|token| token.text == name);
    assert_eq!(["a", "b", "c", "d", "f"].map(has), [true, false, true, false, true]);
    assert_eq!(tests(&source.tokens), ["f", "g"]);
}

#[test]
fn planted_paths_name_their_modules() {
    let module = |path: &str| Source::new(path, "").module().join("::");
    assert_eq!(module("src/lib.rs"), "");
    assert_eq!(module("src/idle.rs"), "idle");
    assert_eq!(module("src/batch/mod.rs"), "batch");
    assert_eq!(module("src/batch/claim.rs"), "batch::claim");
}
