//! Lanes: who does what, in columns, from top to bottom.
//!
//! ```text
//! title The life of a batch
//! lane caller 400 The caller
//! lane words 260 Shared words
//! caller: ! submit                            a heading in a lane
//! caller: link: CAS on last.next [Q1 Q2]      a step, and what stands beside it
//! caller: fence || worker: looks [W1]         two at a height
//! caller: notify > words: idle: popped        an arrow; one more > leads on to the next lane
//! caller: + pin                               the same as a step, and a bar begins beside it
//! caller: - unpin                             the bar of this lane ends
//! --- who scans next                          a line across all lanes
//! ```

use anyhow::{Context, Result, ensure};

use super::lines;
use super::svg::{Picture, Text};

const ROW: f64 = 22.0;
const MARGIN: f64 = 12.0;
/// Room for arrows between two lanes.
const GAP: f64 = 44.0;

/// A column.
#[derive(Debug)]
struct Lane {
    name: String,
    title: String,
    left: f64,
    width: f64,
}

/// What becomes of the bar of a lane.
#[derive(Debug, PartialEq)]
enum Bar {
    Stays,
    Begins,
    Ends,
}

/// What stands in a lane at some height.
#[derive(Debug, PartialEq)]
struct Cell {
    lane: usize,
    heading: bool,
    bar: Bar,
    text: String,
    beside: String,
}

/// Draws a source.
pub fn draw(source: &str) -> Result<String> {
    let mut picture = Picture::default();
    let mut lanes: Vec<Lane> = Vec::new();
    let mut bars: Vec<Option<f64>> = Vec::new();
    let mut title = String::new();
    let mut y = 50.0;
    let mut first = true;
    for (number, line) in lines(source) {
        let told = || format!("line {number}: {line}");
        if let Some(text) = line.strip_prefix("title ") {
            title = text.to_owned();
        } else if let Some(rest) = line.strip_prefix("lane ") {
            lanes.push(lane(rest, &lanes).with_context(told)?);
            bars.push(None);
        } else if let Some(text) = line.strip_prefix("--- ") {
            picture.rectangle("band", (0.0, y - 1.0), (width(&lanes), ROW));
            // Bars go on behind the line.
            for (lane, from) in
                lanes.iter().zip(&mut bars).filter_map(|(lane, bar)| Some((lane, bar.as_mut()?)))
            {
                stroke(&mut picture, lane, *from, y - 1.0);
                *from = y - 1.0 + ROW;
            }
            picture.text((MARGIN, y + 14.0), Text::Strong, text);
            y += ROW + 4.0;
        } else {
            if first {
                heads(&mut picture, &lanes);
                first = false;
            }
            row(&mut picture, &lanes, &mut bars, line, y).with_context(told)?;
            y += ROW;
        }
    }
    ensure!(!first, "it has no rows");
    ensure!(bars.iter().all(Option::is_none), "a bar has no end");
    for lane in &lanes[1..] {
        let x = lane.left - GAP / 2.0;
        picture.line((x, 8.0), (x, y));
    }
    picture.end((width(&lanes), y + 8.0), &title)
}

fn lane(rest: &str, before: &[Lane]) -> Result<Lane> {
    let mut words = rest.splitn(3, ' ');
    let mut next = || words.next().context("a lane has a name, a width and a title");
    let (name, width, title) = (next()?.to_owned(), next()?.parse()?, next()?.to_owned());
    let left = before.last().map_or(MARGIN, |lane| lane.left + lane.width + GAP);
    Ok(Lane { name, title, left, width })
}

fn width(lanes: &[Lane]) -> f64 {
    lanes.last().map_or(0.0, |lane| lane.left + lane.width + MARGIN)
}

fn heads(picture: &mut Picture, lanes: &[Lane]) {
    picture.rectangle("band", (0.0, 8.0), (width(lanes), 28.0));
    for lane in lanes {
        picture.text((lane.left, 27.0), Text::Strong, &lane.title);
    }
}

fn row(picture: &mut Picture, lanes: &[Lane], bars: &mut [Option<f64>], line: &str, y: f64) -> Result<()> {
    let mut taken = Vec::new();
    for part in line.split(" || ") {
        let cells = part.split(" > ").map(|text| cell(text, lanes)).collect::<Result<Vec<_>>>()?;
        for Cell { lane, heading, bar, text, beside } in &cells {
            ensure!(!taken.contains(lane), "two texts at one place");
            taken.push(*lane);
            let Lane { left, width, .. } = &lanes[*lane];
            let style = if *heading { Text::Strong } else { Text::Plain };
            let indent = if *heading { 0.0 } else { 12.0 };
            let needed = indent + style.width(text) + 8.0 + Text::Small.width(beside);
            ensure!(needed <= *width, "{text:?} needs {needed:.0} of {width}");
            picture.text((left + indent, y + 14.0), style, text);
            picture.text_to((left + width, y + 14.0), Text::Small, beside);
            match bar {
                Bar::Stays => {}
                Bar::Begins => ensure!(bars[*lane].replace(y + 4.0).is_none(), "its bar has begun"),
                Bar::Ends => {
                    let from = bars[*lane].take().context("no bar has begun there")?;
                    stroke(picture, &lanes[*lane], from, y + 16.0);
                }
            }
        }
        for pair in cells.windows(2) {
            let (from, to) = (&lanes[pair[0].lane], &lanes[pair[1].lane]);
            let y = y + 10.0;
            if to.left > from.left {
                picture.arrow(from.left + from.width + 4.0, to.left + 6.0, y);
            } else {
                picture.arrow(from.left - 4.0, to.left + to.width + 4.0, y);
            }
        }
    }
    Ok(())
}

/// Draws a part of a lane's bar.
fn stroke(picture: &mut Picture, lane: &Lane, from: f64, to: f64) {
    picture.rectangle("head", (lane.left + 2.0, from), (4.0, to - from));
}

/// Reads `lane: ! text [beside]`.
fn cell(text: &str, lanes: &[Lane]) -> Result<Cell> {
    let (name, rest) = text.split_once(": ").context("a step begins with the name of its lane")?;
    let lane = lanes.iter().position(|lane| lane.name == name.trim());
    let lane = lane.with_context(|| format!("there is no lane {name:?}"))?;
    let (rest, beside) = match rest.trim_end().strip_suffix(']').and_then(|rest| rest.rsplit_once(" [")) {
        Some((rest, beside)) => (rest, beside),
        None => (rest, ""),
    };
    let marks = [("! ", true, Bar::Stays), ("+ ", false, Bar::Begins), ("- ", false, Bar::Ends)];
    let marked =
        marks.into_iter().find_map(|(mark, heading, bar)| Some((heading, bar, rest.strip_prefix(mark)?)));
    let (heading, bar, text) = marked.unwrap_or((false, Bar::Stays, rest));
    Ok(Cell { lane, heading, bar, text: text.trim().to_owned(), beside: beside.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "title t\nlane a 200 A\nlane b 200 B\n";

    #[test]
    fn steps_are_read() {
        let lanes = [lane("a 200 A b", &[]).expect("a lane")];
        assert_eq!(lanes[0].title, "A b");
        let read = |heading, text: &str, beside: &str| Cell {
            lane: 0,
            heading,
            bar: Bar::Stays,
            text: text.into(),
            beside: beside.into(),
        };
        assert_eq!(
            cell("a: link: x[0] [Q1 Q2]", &lanes).expect("a step"),
            read(false, "link: x[0]", "Q1 Q2")
        );
        assert_eq!(cell("a: ! submit", &lanes).expect("a heading"), read(true, "submit", ""));
        let begun = Cell { bar: Bar::Begins, ..read(false, "pin", "R1") };
        assert_eq!(cell("a: + pin [R1]", &lanes).expect("a bar"), begun);
        assert_eq!(cell("a: -", &lanes).expect("a step"), read(false, "-", ""));
        assert!(cell("c: x", &lanes).is_err_and(|error| error.to_string().contains("\"c\"")));
    }

    #[test]
    fn rows_have_texts_and_arrows() {
        let twice = draw(&format!("{HEAD}a: one > b: two\nb: three > a: four || b: five\n--- end\n"));
        let twice = format!("{:#}", twice.expect_err("two texts in one lane"));
        assert!(twice.contains("line 5") && twice.contains("two texts"), "{twice}");
        let svg =
            draw(&format!("{HEAD}a: one [x] > b: two\nb: three > a: four\n--- end\n")).expect("a picture");
        assert_eq!(svg.matches("class=\"head\"").count(), 2);
        assert!(
            ["one", "x", "two", "three", "four", "end"].iter().all(|text| svg.contains(&format!(">{text}<")))
        );
    }

    #[test]
    fn bars_reach_from_where_they_begin_to_where_they_end() {
        let bars = |rows: &str| draw(&format!("{HEAD}{rows}"));
        let svg = bars("a: + one || b: + two\n--- x\na: - three\nb: - four\n").expect("a picture");
        // Rows begin at 50 and are 22 apart; the line between takes 4 more, and bars go on behind it.
        for (x, y, height) in [(14, 54, 17), (14, 93, 21), (258, 54, 17), (258, 93, 43)] {
            let part = format!("class=\"head\" x=\"{x}\" y=\"{y}\" width=\"4\" height=\"{height}\"");
            assert!(svg.contains(&part), "{part} is not in {svg}");
        }
        let refused = |rows: &str, why: &str| {
            assert!(bars(rows).is_err_and(|error| format!("{error:#}").contains(why)), "{rows}");
        };
        refused("a: + one\n", "no end");
        refused("a: + one\na: + two\na: - three\n", "has begun");
        refused("a: + one\nb: - two\n", "no bar");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = format!("{HEAD}a: {}\n", "long ".repeat(10));
        assert!(draw(&long).is_err_and(|error| format!("{error:#}").contains("needs")));
        assert!(draw(HEAD).is_err());
    }
}
