//! Charts as SVG, legible on light and on dark pages: nothing is painted behind them, and text and lines are mid-tones.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::stats;

/// Text and axes.
const NEUTRAL: RGBColor = RGBColor(128, 134, 142);
const GRID: RGBAColor = RGBAColor(128, 134, 142, 0.25);
/// The first is ours; the others differ from each other as far as so many can.
const COLOURS: [RGBColor; 15] = [
    RGBColor(229, 72, 77),
    RGBColor(62, 130, 246),
    RGBColor(34, 165, 89),
    RGBColor(240, 130, 30),
    RGBColor(142, 78, 198),
    RGBColor(18, 165, 148),
    RGBColor(214, 64, 159),
    RGBColor(176, 134, 24),
    RGBColor(90, 160, 220),
    RGBColor(150, 110, 90),
    RGBColor(130, 160, 60),
    RGBColor(190, 150, 200),
    RGBColor(210, 190, 60),
    RGBColor(70, 100, 190),
    NEUTRAL,
];

/// So wide is the margin with the names.
const LEGEND: u32 = 200;

/// Why a chart could not be drawn.
pub type Error = Box<dyn std::error::Error>;

/// A named line, or the dots of one kind.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the legend says.
    pub name: String,
    /// The points; where they are ranked, they are ranked by the first.
    pub points: Vec<(f64, f64)>,
}

/// What an axis counts.
#[derive(Clone, Copy, Debug)]
pub enum Axis {
    /// Nanoseconds, written in the unit that fits.
    Time(&'static str),
    /// Plain numbers.
    Number(&'static str),
}

impl Axis {
    fn label(self) -> &'static str {
        match self {
            Self::Time(label) | Self::Number(label) => label,
        }
    }

    fn write(self, value: f64) -> String {
        match self {
            Self::Time(_) => stats::time(value).replace(".00 ", " ").replace(".0 ", " "),
            Self::Number(_) if value >= 1e6 => format!("{}M", value / 1e6),
            Self::Number(_) if value >= 1e3 => format!("{}k", value / 1e3),
            Self::Number(_) => format!("{value}"),
        }
    }
}

fn colour(series: usize) -> RGBColor {
    COLOURS[series.min(COLOURS.len() - 1)]
}

fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&NEUTRAL)
}

/// Returns the powers of ten around all of these.
fn decades(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values
        .filter(|value| *value > 0.0)
        .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let low = if low.is_finite() { 10_f64.powf(low.log10().floor()) } else { 1.0 };
    low..10_f64.powf(high.max(low * 1.001).log10().ceil())
}

/// Draws lines on two logarithmic axes.
///
/// # Errors
///
/// If the file cannot be written.
pub fn lines(path: &Path, title: &str, x: Axis, y: Axis, series: &[Series]) -> Result<(), Error> {
    let area = SVGBackend::new(path, (900, 480)).into_drawing_area();
    let points = || series.iter().flat_map(|line| &line.points);
    let xs = decades(points().map(|point| point.0));
    let ys = decades(points().map(|point| point.1));
    let mut chart = ChartBuilder::on(&area)
        .caption(title, text(17))
        .margin(12)
        .margin_right(LEGEND)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d(xs.log_scale(), ys.log_scale())?;
    let mut mesh = chart.configure_mesh();
    mesh.axis_style(NEUTRAL).bold_line_style(GRID).light_line_style(TRANSPARENT).label_style(text(13));
    mesh.x_desc(x.label()).y_desc(y.label()).axis_desc_style(text(14));
    mesh.x_label_formatter(&|value| x.write(*value)).y_label_formatter(&|value| y.write(*value)).draw()?;
    for (number, line) in series.iter().enumerate() {
        let width = if number == 0 { 3 } else { 2 };
        let style = colour(number).stroke_width(width);
        chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
        chart.draw_series(
            line.points.iter().map(|point| Circle::new(*point, width + 1, colour(number).filled())),
        )?;
    }
    legend(&area, series.iter().map(|line| line.name.as_str()))?;
    area.present()?;
    Ok(())
}

/// Draws rows of dots on one logarithmic axis, on which ours lies at one: what is to the left of it is faster.
///
/// # Errors
///
/// If the file cannot be written.
pub fn strips(path: &Path, title: &str, rows: &[String], series: &[Series]) -> Result<(), Error> {
    let height = 110 + 18 * rows.len() as u32;
    let area = SVGBackend::new(path, (1020, height)).into_drawing_area();
    let ratios = series.iter().flat_map(|dots| &dots.points).map(|dot| dot.1);
    let ratios = decades(ratios.chain([0.5, 2.0]));
    let mut chart = ChartBuilder::on(&area)
        .caption(title, text(17))
        .margin(12)
        .margin_right(LEGEND)
        .x_label_area_size(44)
        .y_label_area_size(300)
        .build_cartesian_2d(ratios.log_scale(), -0.5..rows.len() as f64 - 0.5)?;
    let mut mesh = chart.configure_mesh();
    mesh.axis_style(NEUTRAL).bold_line_style(GRID).light_line_style(TRANSPARENT).label_style(text(13));
    mesh.disable_y_mesh().y_labels(0).x_desc("time, as a multiple of zero-pool's").axis_desc_style(text(14));
    let x = Axis::Number("");
    mesh.x_label_formatter(&|value| format!("{} x", x.write(*value))).draw()?;
    let place = |row: usize| (rows.len() - 1 - row) as f64;
    for (row, name) in rows.iter().enumerate() {
        let at = chart.backend_coord(&(1.0, place(row)));
        let right = text(13).pos(plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Right,
            plotters::style::text_anchor::VPos::Center,
        ));
        area.draw(&Text::new(name.clone(), (304, at.1), right))?;
    }
    let ours = [(1.0, -0.5), (1.0, rows.len() as f64 - 0.5)];
    chart.draw_series(LineSeries::new(ours, colour(0).stroke_width(2)))?;
    for (number, dots) in series.iter().enumerate().skip(1) {
        let dot = |(row, ratio): &(f64, f64)| {
            Circle::new((*ratio, place(*row as usize)), 4, colour(number).filled())
        };
        chart.draw_series(dots.points.iter().map(dot))?;
    }
    legend(&area, series.iter().map(|dots| dots.name.as_str()))?;
    area.present()?;
    Ok(())
}

/// Writes the names at the right margin, each beside a dot of its colour.
fn legend<'a>(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), Error> {
    let (width, _) = area.dim_in_pixel();
    for (number, name) in names.enumerate() {
        let (x, y) = ((width - LEGEND) as i32 + 18, 56 + 20 * number as i32);
        area.draw(&Circle::new((x, y), 5, colour(number).filled()))?;
        area.draw(&Text::new(name.to_owned(), (x + 12, y - 7), text(13)))?;
    }
    Ok(())
}
