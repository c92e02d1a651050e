//! Pages, as sections with what stands in them.

use std::collections::BTreeMap;

use pulldown_cmark::{BrokenLink, CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd};

/// A link or a picture: where it leads, as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) to: String,
    pub(crate) picture: bool,
    pub(crate) line: usize,
}

/// A row of a table, its head among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) links: Vec<String>,
    pub(crate) codes: Vec<String>,
    pub(crate) line: usize,
}

/// What stands between a heading and the next one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    /// 1 for the page's title, and 0 for what stands before it.
    pub(crate) level: usize,
    pub(crate) title: String,
    pub(crate) anchor: String,
    pub(crate) line: usize,
    /// Whether anything stands there.
    pub(crate) full: bool,
    pub(crate) links: Vec<Link>,
    /// Words in code type, with their lines.
    pub(crate) codes: Vec<(String, usize)>,
    pub(crate) rows: Vec<Row>,
    /// The languages and the texts of code blocks, with their lines.
    pub(crate) blocks: Vec<(String, String, usize)>,
}

/// A page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The path from the root of the workspace.
    pub(crate) path: String,
    pub(crate) sections: Vec<Section>,
}

impl Page {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        // A label without a definition is a link that leads nowhere, and not the text that it would be shown as.
        let undefined = |link: BrokenLink<'_>| {
            let is_full = matches!(link.link_type, pulldown_cmark::LinkType::Reference);
            is_full.then(|| (CowStr::from(link.reference.to_string()), CowStr::from("")))
        };
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
        let parser = Parser::new_with_broken_link_callback(text, options, Some(undefined));
        let mut reader = Reader { sections: vec![Section::default()], ..Reader::default() };
        let (mut at, mut line) = (0, 1);
        for (event, range) in parser.into_offset_iter() {
            if range.start > at {
                line += text[at..range.start].matches('\n').count();
                at = range.start;
            }
            reader.read(event, line);
        }
        Self { path: path.to_owned(), sections: reader.sections }
    }

    /// Returns what a link leads to: the path of a file and an anchor, which may be empty. Nothing if it leads outside.
    pub(crate) fn resolve(&self, link: &str) -> Option<(String, String)> {
        if link.contains("://") || link.starts_with("mailto:") {
            return None;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        if file.is_empty() {
            return Some((self.path.clone(), anchor.to_owned()));
        }
        let mut parts: Vec<&str> = self.path.split('/').collect();
        parts.pop();
        for part in file.split('/') {
            match part {
                ".." => drop(parts.pop()),
                "." => {}
                part => parts.push(part),
            }
        }
        Some((parts.join("/"), anchor.to_owned()))
    }

    /// Returns the section of a title, if there is one.
    pub(crate) fn section(&self, title: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.title == title)
    }

    /// Returns the anchors of a section and of those that it is a part of.
    pub(crate) fn enclosing(&self, at: usize) -> Vec<&str> {
        let mut level = usize::MAX;
        let mut anchors = Vec::new();
        for section in self.sections[..=at].iter().rev() {
            if section.level < level {
                level = section.level;
                anchors.push(section.anchor.as_str());
            }
        }
        anchors
    }

    pub(crate) fn complain(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

#[derive(Default)]
struct Reader {
    sections: Vec<Section>,
    /// How often each anchor was given.
    anchors: BTreeMap<String, usize>,
    heading: Option<String>,
    row: Option<Row>,
    block: Option<(String, String, usize)>,
}

impl Reader {
    fn read(&mut self, event: Event<'_>, line: usize) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                self.heading = Some(String::new());
                self.sections.push(Section { level: level as usize, line, ..Section::default() });
            }
            Event::End(TagEnd::Heading(_)) => {
                let title = self.heading.take().unwrap_or_default();
                let anchor = self.anchor(&title);
                let section = self.section();
                (section.title, section.anchor) = (title, anchor);
            }
            Event::Start(Tag::Link { dest_url, .. }) => self.link(&dest_url, false, line),
            Event::Start(Tag::Image { dest_url, .. }) => self.link(&dest_url, true, line),
            Event::Start(Tag::TableRow | Tag::TableHead) => self.row = Some(Row { line, ..Row::default() }),
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => {
                let row = self.row.take();
                self.section().rows.extend(row);
            }
            Event::End(TagEnd::TableCell) => self.word(" | "),
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.to_string(),
                    CodeBlockKind::Indented => "indented".to_owned(),
                };
                self.block = Some((language, String::new(), line));
            }
            Event::End(TagEnd::CodeBlock) => {
                let block = self.block.take();
                self.section().blocks.extend(block);
            }
            Event::Code(code) => {
                self.section().codes.push((code.to_string(), line));
                if let Some(row) = &mut self.row {
                    row.codes.push(code.to_string());
                }
                self.word(&code);
            }
            Event::Text(text) => self.word(&text),
            Event::SoftBreak | Event::HardBreak => self.word(" "),
            _ => {}
        }
    }

    fn section(&mut self) -> &mut Section {
        self.sections.last_mut().expect("there is one from the start")
    }

    fn word(&mut self, text: &str) {
        if let Some((_, block, _)) = &mut self.block {
            block.push_str(text);
        }
        if let Some(row) = &mut self.row {
            row.text.push_str(text);
        }
        match &mut self.heading {
            Some(heading) => heading.push_str(text),
            None => self.section().full = true,
        }
    }

    fn link(&mut self, to: &str, picture: bool, line: usize) {
        self.section().links.push(Link { to: to.to_owned(), picture, line });
        if let Some(row) = &mut self.row {
            row.links.push(to.to_owned());
        }
    }

    /// The anchor that the repository's site gives a heading: small letters, digits, and a dash for each space.
    fn anchor(&mut self, title: &str) -> String {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let plain: String = title.to_lowercase().chars().filter(kept).collect();
        let plain = plain.replace(' ', "-");
        let count = self.anchors.entry(plain.clone()).or_default();
        *count += 1;
        if *count == 1 { plain } else { format!("{plain}-{}", *count - 1) }
    }
}

#[test]
fn planted_pages_are_read() {
    let text = "# A `b`, c\n\nSee [d](e.md#f) and `g`.\n\n## Two\n\n| h | i |\n|---|---|\n| [`j`][k] | 5 us |\n\n\
                ![l](m.svg)\n\n```sh\ncargo x\n```\n\n## Two\n\n[lost][n.md]\n\n[k]: ../o.md\n";
    let page = Page::new("docs/p.md", text);
    let [top, first, two, again] = &page.sections[..] else { panic!("{page:?}") };
    assert!(!top.full && first.full);
    assert_eq!((first.level, first.anchor.as_str(), first.line), (1, "a-b-c", 1));
    assert_eq!((again.level, again.anchor.as_str()), (2, "two-1"));
    assert_eq!((first.links[0].to.as_str(), first.links[0].line), ("e.md#f", 3));
    assert_eq!(first.codes, [("b".to_owned(), 1), ("g".to_owned(), 3)]);
    let row = &two.rows[1];
    assert_eq!((row.text.as_str(), row.line), ("j | 5 us | ", 9));
    assert_eq!((row.links.join(" "), row.codes.join(" ")), ("../o.md".into(), "j".into()));
    assert!(two.links[1].picture && two.links[1].to == "m.svg");
    assert_eq!(two.blocks, [("sh".to_owned(), "cargo x\n".to_owned(), 13)]);
    assert_eq!(again.links[0].to, "n.md");
    assert_eq!(page.enclosing(3), ["two-1", "a-b-c", ""]);
    assert!(page.section("Two").is_some_and(|section| section.line == 5));
}

#[test]
fn planted_links_are_resolved() {
    let page = Page::new("docs/decisions/a.md", "");
    let resolve = |link| page.resolve(link).map(|(path, anchor)| format!("{path} {anchor}"));
    assert_eq!(resolve("../b.md#c").as_deref(), Some("docs/b.md c"));
    assert_eq!(resolve("#c").as_deref(), Some("docs/decisions/a.md c"));
    assert_eq!(resolve("d.md").as_deref(), Some("docs/decisions/d.md "));
    assert_eq!(resolve("https://e.md"), None);
}
