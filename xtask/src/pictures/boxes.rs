//! Boxes: rows of things by name, the higher above the lower, each with what it stands on.
//!
//! ```text
//! title The floors
//! row 1 primitives
//! box queue: reclaim, sync            the name, and what stands below it in the box
//! ```

use anyhow::{Context, Result, ensure};

use super::lines;
use super::svg::{Picture, Text};

const WIDTH: f64 = 980.0;
/// Where boxes begin; left of it are the rows' names.
const LEFT: f64 = 120.0;
const PADDING: f64 = 10.0;
const LINE: f64 = 16.0;
/// The longest text below a name, before it is broken.
const LONGEST: f64 = 190.0;

/// A box, and its texts.
#[derive(Debug)]
struct Item {
    name: String,
    below: Vec<String>,
}

impl Item {
    fn width(&self) -> f64 {
        let below = self.below.iter().map(|line| Text::Small.width(line));
        below.fold(Text::Strong.width(&self.name), f64::max) + 2.0 * PADDING
    }

    fn height(&self) -> f64 {
        26.0 + LINE * self.below.len() as f64
    }
}

/// Draws a source.
pub fn draw(source: &str) -> Result<String> {
    let mut title = "";
    let mut rows: Vec<(&str, Vec<Item>)> = Vec::new();
    for (number, line) in lines(source) {
        let told = || format!("line {number}: {line}");
        let (kind, rest) = line.split_once(' ').with_context(told)?;
        match kind {
            "title" => title = rest,
            "row" => rows.push((rest, Vec::new())),
            "box" => {
                let (name, below) = rest.split_once(':').with_context(told)?;
                let item = Item { name: name.to_owned(), below: broken(below.trim()) };
                rows.last_mut().with_context(told)?.1.push(item);
            }
            _ => ensure!(false, "{}: it begins with no word of this language", told()),
        }
    }
    ensure!(!rows.is_empty(), "it has no rows");
    let mut picture = Picture::default();
    let mut y = 8.0;
    for (name, items) in &rows {
        y = row(&mut picture, name, items, y) + 10.0;
    }
    picture.end((WIDTH, y), title)
}

/// Draws a row; returns where it ends.
fn row(picture: &mut Picture, name: &str, items: &[Item], top: f64) -> f64 {
    let mut lines: Vec<Vec<&Item>> = vec![Vec::new()];
    let mut x = LEFT;
    for item in items {
        if x + item.width() + PADDING > WIDTH && x > LEFT {
            lines.push(Vec::new());
            x = LEFT;
        }
        x += item.width() + PADDING;
        lines.last_mut().expect("there is one from the start").push(item);
    }
    let heights: Vec<f64> =
        lines.iter().map(|line| line.iter().map(|item| item.height()).fold(26.0, f64::max)).collect();
    let height = heights.iter().sum::<f64>() + 8.0 * (heights.len() as f64 + 1.0);
    picture.rectangle("band", (0.0, top), (WIDTH, height));
    let (number, words) = name.split_once(' ').unwrap_or((name, ""));
    picture.text((12.0, top + 26.0), Text::Strong, number);
    picture.text((28.0, top + 26.0), Text::Plain, words);
    let mut y = top + 8.0;
    for (line, height) in lines.iter().zip(heights) {
        let mut x = LEFT;
        for item in line {
            picture.rectangle("box", (x, y), (item.width(), height));
            picture.text((x + PADDING, y + 18.0), Text::Strong, &item.name);
            for (number, text) in item.below.iter().enumerate() {
                picture.text((x + PADDING, y + 34.0 + LINE * number as f64), Text::Small, text);
            }
            x += item.width() + PADDING;
        }
        y += height + 8.0;
    }
    top + height
}

/// Breaks a list at its commas.
fn broken(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(", ").filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(last) if Text::Small.width(last) + Text::Small.width(word) < LONGEST => {
                *last = format!("{last}, {word}");
            }
            last => {
                last.into_iter().for_each(|last| last.push(','));
                lines.push(word.to_owned());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_boxes() {
        let svg = draw("title t\nrow 1 one\nbox a: b, c\nbox d:\nrow 0 two\nbox e:\n").expect("a picture");
        let texts = [">1<", ">one<", ">a<", ">b, c<", ">d<", ">0<", ">two<", ">e<"];
        let found: Vec<_> = texts.iter().map(|text| svg.find(text).expect(text)).collect();
        assert!(found.is_sorted(), "{svg}");
        assert_eq!(svg.matches("class=\"box\"").count(), 3);
    }

    #[test]
    fn long_lists_are_broken_and_full_rows_go_on_below() {
        let list = ["reclaim"; 9].join(", ");
        let lines = broken(&list);
        assert!(lines.len() > 1 && lines.iter().all(|line| Text::Small.width(line) < LONGEST + 20.0));
        assert_eq!(lines.join(" "), list);
        let few = draw("title t\nrow 1 a\nbox a: b\n").expect("a picture");
        let many =
            draw(&format!("title t\nrow 1 a\n{}", format!("box a: {list}\n").repeat(9))).expect("a picture");
        let height =
            |svg: &str| svg.split('"').nth(5).and_then(|text| text.parse::<f64>().ok()).expect("a height");
        assert!(height(&many) > 2.0 * height(&few));
    }

    #[test]
    fn what_is_no_box_is_refused() {
        for wrong in ["title t\n", "box a: b\n", "row 1 a\nbocks a: b\n", "row 1 a\nbox a\n"] {
            assert!(draw(wrong).is_err(), "{wrong}");
        }
    }
}
