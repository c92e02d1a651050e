//! A picture in the making: shapes and texts, by the names of their styles.

use std::fmt::Write;

use anyhow::{Result, ensure};

/// How texts look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Plain,
    Strong,
    /// Small, for what stands beside.
    Small,
}

impl Text {
    fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Strong => "strong",
            Self::Small => "small",
        }
    }

    /// At most how wide a text is. Readers have other fonts, so this is on the safe side.
    pub fn width(self, text: &str) -> f64 {
        let em = match self {
            Self::Plain => 6.9,
            Self::Strong => 8.3,
            Self::Small => 6.3,
        };
        text.chars().count() as f64 * em
    }
}

/// Colours for a light page, and those that are different on a dark one.
const STYLE: &str = "\
text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
.strong { font-weight: 600 }
.small { font-size: 11.5px; fill: #59636e }
.box { fill: #ffffff; stroke: #818b98 }
.band { fill: #eaeef2 }
.line { stroke: #818b98; stroke-dasharray: 2 3 }
.arrow { stroke: #0969da; stroke-width: 1.4 }
.head { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.small { fill: #9198a1 }
.box { fill: #0d1117 }
.band { fill: #212830 }
.arrow { stroke: #4493f8 }
.head { fill: #4493f8 }
}
";

/// Shapes, in the order in which they are drawn.
#[derive(Debug, Default)]
pub struct Picture {
    body: String,
}

impl Picture {
    pub fn text(&mut self, (x, y): (f64, f64), style: Text, text: &str) {
        self.put(&format!("<text class=\"{}\" x=\"{x}\" y=\"{y}\">{}</text>", style.class(), escape(text)));
    }

    /// A text that ends there.
    pub fn text_to(&mut self, (x, y): (f64, f64), style: Text, text: &str) {
        let class = style.class();
        self.put(&format!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{}</text>",
            escape(text)
        ));
    }

    pub fn rectangle(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.put(&format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\"/>"
        ));
    }

    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.put(&format!("<line class=\"line\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"));
    }

    /// A level arrow from one place to another.
    pub fn arrow(&mut self, from: f64, to: f64, y: f64) {
        self.pointer(true, (from, y), (to, y));
    }

    /// A level arrow, or one that is upright: of what is new, or of what was there before.
    pub fn pointer(&mut self, new: bool, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let (line, head) = if new { ("arrow", "head") } else { ("box", "box") };
        let back = |from: f64, to: f64| if to > from { to - 6.0 } else { to + 6.0 };
        let (x, y) = if y1 == y2 { (back(x1, x2), y2) } else { (x2, back(y1, y2)) };
        let (wide, high) = if y1 == y2 { (0.0, 3.5) } else { (3.5, 0.0) };
        let [left, right, above, below] = [x - wide, x + wide, y - high, y + high];
        self.put(&format!("<line class=\"{line}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x}\" y2=\"{y}\"/>"));
        self.put(&format!("<path class=\"{head}\" d=\"M{x2} {y2} L{left} {above} L{right} {below} Z\"/>"));
    }

    fn put(&mut self, shape: &str) {
        self.body.push_str(shape);
        self.body.push('\n');
    }

    /// Ends the picture, whose title is read to those who do not see it.
    pub fn end(self, (width, height): (f64, f64), title: &str) -> Result<String> {
        ensure!(!title.is_empty(), "a picture needs a title");
        let mut svg = String::new();
        writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">"
        )?;
        writeln!(svg, "<title>{}</title>\n<style>\n{STYLE}</style>\n{}</svg>", escape(title), self.body)?;
        Ok(svg)
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_shapes_kept_in_order() {
        let mut picture = Picture::default();
        picture.rectangle("box", (0.0, 1.0), (2.0, 3.0));
        picture.text((1.0, 2.0), Text::Strong, "a<b> & c");
        picture.arrow(10.0, 0.0, 5.0);
        let svg = picture.end((20.0, 10.0), "a & b").expect("a picture");
        let places =
            ["<title>a &amp; b</title>", "<rect", "a&lt;b&gt; &amp; c</text>", "M0 5 L6 1.5 L6 8.5 Z"];
        let found: Vec<_> = places.iter().map(|part| svg.find(part).expect(part)).collect();
        assert!(found.is_sorted(), "{svg}");
        assert!(Picture::default().end((1.0, 1.0), "").is_err());
    }

    #[test]
    fn pointers_lead_in_all_four_directions() {
        let heads = [
            ((0.0, 5.0), (10.0, 5.0), "M10 5 L4 1.5 L4 8.5 Z"),
            ((10.0, 5.0), (0.0, 5.0), "M0 5 L6 1.5 L6 8.5 Z"),
            ((5.0, 0.0), (5.0, 10.0), "M5 10 L1.5 4 L8.5 4 Z"),
            ((5.0, 10.0), (5.0, 0.0), "M5 0 L1.5 6 L8.5 6 Z"),
        ];
        for (from, to, head) in heads {
            let mut picture = Picture::default();
            picture.pointer(false, from, to);
            assert!(picture.body.contains(&format!("class=\"box\" d=\"{head}\"")), "{}", picture.body);
        }
    }
}
