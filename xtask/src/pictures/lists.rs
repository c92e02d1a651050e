//! Lists: nodes, their links, and where the two ends of the queue point, one state below the other.
//!
//! ```text
//! title The queue, step by step
//! step 2 link                         a state, by the name of the step that leads to it
//! say P writes its node over null     a line beside the list
//! list (x) => [P 1000] -> null        nodes and links: (x) is spent, [P 1000] is not
//! head x                              an arrow to the node whose first word that is
//! tail => P                           the same; the step has moved it
//! ```
//!
//! `->` is a link that was there before, and `=>` one that the step writes. `|` stands between two that are not linked.

use anyhow::{Context, Result, bail, ensure};

use super::lines;
use super::svg::{Picture, Text};

const WIDTH: f64 = 980.0;
const MARGIN: f64 = 12.0;
/// Room for the texts beside the lists, and where the lists begin.
const WORDS: f64 = 390.0;
const LEFT: f64 = MARGIN + WORDS + 40.0;
const LINE: f64 = 17.0;
/// From one node to the next.
const GAP: f64 = 40.0;
const BOX: f64 = 28.0;
const NARROWEST: f64 = 64.0;
/// The ends of the queue, each with its arrow's place over a node.
const ENDS: [(&str, f64); 2] = [("head", 0.3), ("tail", 0.7)];

/// How something is joined to what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    None,
    Old,
    New,
}

/// What a list consists of.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Node { text: &'a str, spent: bool },
    Null,
}

impl Piece<'_> {
    fn width(&self) -> f64 {
        match self {
            Self::Node { text, .. } => (Text::Plain.width(text) + 20.0).max(NARROWEST),
            Self::Null => Text::Small.width("null"),
        }
    }

    fn is(&self, name: &str) -> bool {
        matches!(self, Self::Node { text, .. } if text.split(' ').next() == Some(name))
    }
}

/// A state of the list.
#[derive(Debug, Default)]
struct Step<'a> {
    name: &'a str,
    says: Vec<&'a str>,
    list: Vec<(Link, Piece<'a>)>,
    /// For each end, where it points, and whether the step has moved it there.
    ends: [Option<(usize, bool)>; ENDS.len()],
}

/// Draws a source.
pub fn draw(source: &str) -> Result<String> {
    let mut title = "";
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in lines(source) {
        let told = || format!("line {number}: {line}");
        let (kind, rest) = line.split_once(' ').with_context(told)?;
        match kind {
            "title" => title = rest,
            "step" => steps.push(Step { name: rest, ..Step::default() }),
            _ => steps.last_mut().with_context(told)?.add(kind, rest.trim()).with_context(told)?,
        }
    }
    ensure!(!steps.is_empty(), "it has no steps");
    let mut picture = Picture::default();
    let mut y = 8.0;
    for (number, step) in steps.iter().enumerate() {
        if number > 0 {
            picture.line((MARGIN, y), (WIDTH - MARGIN, y));
        }
        y = step.draw(&mut picture, y + 8.0).with_context(|| format!("step {}", step.name))?;
    }
    picture.end((WIDTH, y), title)
}

impl<'a> Step<'a> {
    /// Reads a line that belongs to the step.
    fn add(&mut self, kind: &str, rest: &'a str) -> Result<()> {
        if let Some(end) = ENDS.iter().position(|(name, _)| *name == kind) {
            ensure!(self.ends[end].is_none(), "it has one {kind}");
            let (name, moved) = rest.strip_prefix("=> ").map_or((rest, false), |name| (name, true));
            let at = self.list.iter().position(|(_, piece)| piece.is(name));
            self.ends[end] = Some((at.context("no such node stands in the list above")?, moved));
            return Ok(());
        }
        match kind {
            "say" => {
                let needed = Text::Plain.width(rest);
                ensure!(needed <= WORDS, "it needs {needed:.0} of {WORDS}");
                self.says.push(rest);
            }
            "list" => {
                ensure!(self.list.is_empty(), "a step has one list");
                self.list = list(rest)?;
            }
            _ => bail!("it begins with no word of this language"),
        }
        Ok(())
    }

    /// Draws the state; returns where it ends.
    fn draw(&self, picture: &mut Picture, top: f64) -> Result<f64> {
        ensure!(!self.list.is_empty(), "it has no list");
        picture.text((MARGIN, top + 14.0), Text::Strong, self.name);
        for (number, text) in self.says.iter().enumerate() {
            picture.text((MARGIN, top + 33.0 + LINE * number as f64), Text::Plain, text);
        }
        let boxes = top + 26.0;
        let mut right = LEFT - GAP;
        for (at, (link, piece)) in self.list.iter().enumerate() {
            let left = right + GAP;
            if *link != Link::None {
                let y = boxes + BOX / 2.0;
                picture.pointer(*link == Link::New, (right + 4.0, y), (left - 4.0, y));
            }
            right = left + piece.width();
            match piece {
                Piece::Null => picture.text((left, boxes + 18.0), Text::Small, "null"),
                Piece::Node { text, spent } => {
                    let style = if *spent { "band" } else { "box" };
                    picture.rectangle(style, (left, boxes), (piece.width(), BOX));
                    let inset = (piece.width() - 0.9 * Text::Plain.width(text)) / 2.0;
                    picture.text((left + inset, boxes + 18.0), Text::Plain, text);
                }
            }
            for ((name, part), end) in ENDS.iter().zip(self.ends) {
                if let Some((_, moved)) = end.filter(|(to, _)| *to == at) {
                    let x = left + part * piece.width();
                    picture.pointer(moved, (x, top + 2.0), (x, boxes - 3.0));
                    if *part < 0.5 {
                        picture.text_to((x - 6.0, top + 12.0), Text::Small, name);
                    } else {
                        picture.text((x + 6.0, top + 12.0), Text::Small, name);
                    }
                }
            }
        }
        ensure!(right <= WIDTH - MARGIN, "its list ends at {right:.0}, and the picture before");
        let words = top + 33.0 + LINE * self.says.len() as f64 - 6.0;
        Ok(words.max(boxes + BOX) + 10.0)
    }
}

/// Reads `(x) => [P 1000] -> null`.
fn list(text: &str) -> Result<Vec<(Link, Piece<'_>)>> {
    let mut pieces: Vec<(Link, Piece)> = Vec::new();
    let (mut link, mut rest) = (Link::None, text);
    loop {
        let (piece, after) = piece(rest)?;
        if let Piece::Node { text, .. } = piece {
            let name = text.split(' ').next().unwrap_or_default();
            ensure!(
                !name.is_empty() && !pieces.iter().any(|(_, other)| other.is(name)),
                "two nodes {name:?}"
            );
        }
        let ended = matches!(pieces.last(), Some((_, Piece::Null)));
        ensure!(!ended || link == Link::None, "null has no link");
        pieces.push((link, piece));
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(pieces);
        }
        let signs = [("->", Link::Old), ("=>", Link::New), ("|", Link::None)];
        let sign = signs.iter().find_map(|(sign, link)| Some((*link, rest.strip_prefix(sign)?)));
        (link, rest) = sign.with_context(|| format!("no link at {rest:?}"))?;
        rest = rest.trim_start();
    }
}

/// Reads a node or null; returns what stands behind it, too.
fn piece(text: &str) -> Result<(Piece<'_>, &str)> {
    if let Some(rest) = text.strip_prefix("null") {
        return Ok((Piece::Null, rest));
    }
    for (open, close, spent) in [('(', ')', true), ('[', ']', false)] {
        if let Some((text, rest)) = text.strip_prefix(open).and_then(|text| text.split_once(close)) {
            return Ok((Piece::Node { text, spent }, rest));
        }
    }
    bail!("no node at {text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str, spent: bool) -> Piece<'_> {
        Piece::Node { text, spent }
    }

    #[test]
    fn lists_are_read() {
        assert_eq!(
            list("(x) => [P 1000] -> null | [q]").expect("a list"),
            [
                (Link::None, node("x", true)),
                (Link::New, node("P 1000", false)),
                (Link::Old, Piece::Null),
                (Link::None, node("q", false)),
            ]
        );
    }

    #[test]
    fn steps_have_their_nodes_links_and_ends() {
        let svg = draw(
            "title t\nstep 1 rest\nsay one\nsay two\nlist (x) -> null\nhead x\ntail x\n\
             step 2 link\nlist (x) => [P 7] -> null\nhead x\ntail => P\n",
        )
        .expect("a picture");
        let texts = [
            ">1 rest<", ">one<", ">two<", ">x<", ">head<", ">tail<", ">null<", ">2 link<", ">P 7<", ">tail<",
        ];
        let mut rest = svg.as_str();
        for text in texts {
            rest = rest.split_once(text).unwrap_or_else(|| panic!("{text} is not in {rest}")).1;
        }
        // What is new: the link to P, and the tail. What was there: two links, the first head and tail, the second head.
        assert_eq!(svg.matches("<path class=\"head\"").count(), 2);
        assert_eq!(svg.matches("<path class=\"box\"").count(), 5);
        assert_eq!(svg.matches("<rect class=\"band\"").count(), 2);
        assert_eq!(svg.matches("<rect class=\"box\"").count(), 1);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let refused = |source: &str, why: &str| {
            let error = draw(&format!("title t\n{source}")).expect_err(source);
            assert!(format!("{error:#}").contains(why), "{source}: {error:#}");
        };
        refused("", "no steps");
        refused("list (x)\n", "line 2");
        refused("step\n", "line 2");
        refused("step a\n", "no list");
        refused("step a\nlist (x)\nlist (y)\n", "one list");
        refused("step a\nlist (x)\nhood x\n", "no word of this language");
        refused("step a\nlist (x)\nhead y\n", "no such node");
        refused("step a\nhead x\nlist (x)\n", "no such node");
        refused("step a\nlist (x)\nhead x\nhead x\n", "one head");
        refused("step a\nlist (x) [y]\n", "no link at \"[y]\"");
        refused("step a\nlist (x\n", "no node at \"(x\"");
        refused("step a\nlist (x) -> \n", "no node at");
        refused("step a\nlist (x) -> [x 2]\n", "two nodes \"x\"");
        refused("step a\nlist ()\n", "two nodes \"\"");
        refused("step a\nlist null -> (x)\n", "null has no link");
        refused(&format!("step a\nlist (x)\nsay {}\n", "long ".repeat(20)), "needs");
        refused(&format!("step a\nlist [{}]\n", "long ".repeat(20)), "its list ends");
    }
}
