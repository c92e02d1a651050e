//! What a run writes into the documentation: a section of the page, and two charts.

use std::fmt::Write as _;

use benches::chart::{self, Axis, Series};
use benches::machine::Watch;
use benches::page::{self, Table};

use crate::results::{Cell, Standing, Verdict};
use crate::roster::{self, Peer};
use crate::tour::Tour;
use crate::workload::Unit;

/// The rows of this group differ in the number of tasks alone.
const BY_SIZE: &str = "empty tasks by index";

/// Writes page and charts.
pub(crate) fn write(tour: &Tour, command: &str, watch: &Watch) -> Result<(), chart::Error> {
    let standings = tour.standings.as_slice();
    let folder = page::charts()?;
    overview(&folder.join("overview.svg"), standings)?;
    sizes(&folder.join("sizes.svg"), standings)?;
    let mut text = page::provenance(command, watch);
    let samples: usize =
        standings.iter().flat_map(|standing| &standing.cells).map(|cell| cell.wall.len()).sum();
    let _ = write!(text, " {samples} samples in all.\n\n");
    for (peer, reason) in roster::missing() {
        let _ = write!(text, "{peer} was not there: {reason}.\n\n");
    }
    for wrong in &tour.wrong {
        let _ = write!(text, "**Wrong**: {wrong}.\n\n");
    }
    text.push_str(&verdicts(standings));
    text.push_str(
        "\n![Time of every peer as a multiple of zero-pool's](benchmarks/overview.svg)\n\n\
         ![Time per task against the number of tasks](benchmarks/sizes.svg)\n",
    );
    for group in groups(standings) {
        text.push_str(&medians(&group));
    }
    text.push_str("\n### All percentiles\n");
    for standing in standings {
        text.push_str(&details(standing));
    }
    page::write("peers", &text)?;
    Ok(())
}

fn groups(standings: &[Standing]) -> Vec<Vec<&Standing>> {
    let mut groups: Vec<Vec<&Standing>> = Vec::new();
    for standing in standings {
        match groups.last_mut() {
            Some(group) if group[0].row.group == standing.row.group => group.push(standing),
            _ => groups.push(vec![standing]),
        }
    }
    groups
}

/// Lists where we are behind, level and ahead.
fn verdicts(standings: &[Standing]) -> String {
    let mut text = String::new();
    let sections = [
        (Verdict::Behind, "zero-pool is **behind** the best other pool in"),
        (Verdict::Level, "It is **level** with the best, within 5 %, in"),
        (Verdict::Ahead, "It is **ahead** of all others in"),
    ];
    for (wanted, heading) in sections {
        let all =
            standings.iter().filter_map(|standing| standing.verdict().map(|verdict| (standing, verdict)));
        let those: Vec<_> = all.filter(|(_, verdict)| verdict.2 == wanted).collect();
        let _ = write!(text, "{heading} {} rows", those.len());
        text.push_str(if those.is_empty() { ".\n\n" } else { ":\n\n" });
        if those.is_empty() {
            continue;
        }
        let mut table = Table::new(["row", "zero-pool", "best other", "", "ours / best"]);
        for (standing, (ours, rival, _)) in those {
            table.row([
                standing.row.title(),
                standing.write(ours.median()),
                standing.write(rival.median()),
                rival.peer.name().to_owned(),
                ratio(ours.median(), rival.median()),
            ]);
        }
        text.push_str(&table.finish());
        text.push('\n');
    }
    text
}

/// Writes a quotient, if it is one.
pub(crate) fn ratio(a: f64, b: f64) -> String {
    let ratio = a / b;
    if ratio.is_finite() { format!("{ratio:.2}") } else { String::new() }
}

/// The medians of a group: a line per peer, a column per row, the best of each in bold.
fn medians(group: &[&Standing]) -> String {
    let names = group.iter().map(|standing| standing.row.name.as_str());
    let mut table = Table::new(["median"].into_iter().chain(names));
    if group.iter().any(|standing| standing.ideal().is_some()) {
        let ideal =
            |standing: &&Standing| standing.ideal().map_or(String::new(), |ideal| standing.write(ideal));
        table.row(["*ideal*".to_owned()].into_iter().chain(group.iter().map(ideal)));
    }
    for peer in Peer::ALL {
        let cells: Vec<_> = group.iter().map(|standing| cell(standing, *peer)).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            table.row([peer.name().to_owned()].into_iter().chain(cells));
        }
    }
    format!("\n### {}\n\n{}", capital(group[0].row.group), table.finish())
}

fn cell(standing: &Standing, peer: Peer) -> String {
    let Some(cell) = standing.cell(peer) else { return String::new() };
    let best = standing.cells.iter().find(|cell| cell.peer != Peer::Sequential);
    let written = standing.write(cell.median());
    if best.is_some_and(|best| best.peer == peer) { format!("**{written}**") } else { written }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Everything about one row, folded away.
fn details(standing: &Standing) -> String {
    let heads = ["", "p10", "p50", "p90", "p99", "processor, mean", "medians of the visits"];
    let mut table = Table::new(heads);
    for cell in &standing.cells {
        let at = |share| cell.wall.at(share).map_or(String::new(), |value| standing.write(value));
        let cpu = cell.cpu.mean().map_or(String::new(), |cpu| standing.write(cpu));
        let spread = format!("{} .. {}", standing.write(cell.spread.0), standing.write(cell.spread.1));
        table.row([cell.peer.name().to_owned(), at(0.1), at(0.5), at(0.9), at(0.99), cpu, spread]);
    }
    let title = capital(&standing.row.title());
    format!("\n<details><summary>{title}</summary>\n\n{}\n</details>\n", table.finish())
}

/// The peers of a chart: ours first, then those that have a figure anywhere.
fn charted(standings: &[Standing]) -> Vec<Peer> {
    let there = |peer: &Peer| standings.iter().any(|standing| standing.cell(*peer).is_some());
    let others = Peer::ALL.iter().copied().filter(|peer| !matches!(peer, Peer::Ours | Peer::Sequential));
    [Peer::Ours].into_iter().chain(others).filter(there).collect()
}

fn overview(path: &std::path::Path, standings: &[Standing]) -> Result<(), chart::Error> {
    let timed: Vec<_> = standings.iter().filter(|standing| standing.row.unit == Unit::Time).collect();
    let timed: Vec<_> =
        timed.into_iter().filter_map(|standing| Some((standing, standing.cell(Peer::Ours)?))).collect();
    let rows: Vec<_> = timed.iter().map(|(standing, _)| standing.row.title()).collect();
    let dots = |peer: Peer| {
        let dot = |(row, (standing, ours)): (usize, &(&Standing, &Cell))| {
            let ratio = standing.cell(peer)?.median() / ours.median();
            ratio.is_finite().then_some((row as f64, ratio))
        };
        Series { name: peer.name().to_owned(), points: timed.iter().enumerate().filter_map(dot).collect() }
    };
    let series: Vec<_> = charted(standings).into_iter().map(dots).collect();
    chart::strips(
        path,
        "Every peer against zero-pool, median times: left of the line is faster",
        &rows,
        &series,
    )
}

fn sizes(path: &std::path::Path, standings: &[Standing]) -> Result<(), chart::Error> {
    let sizes = standings.iter().filter(|standing| standing.row.group == BY_SIZE);
    let sizes: Vec<_> =
        sizes.filter_map(|standing| Some((standing, standing.row.name.parse::<f64>().ok()?))).collect();
    let line = |peer: Peer| {
        let point =
            |(standing, tasks): &(&Standing, f64)| Some((*tasks, standing.cell(peer)?.median() / tasks));
        Series { name: peer.name().to_owned(), points: sizes.iter().filter_map(point).collect() }
    };
    let series: Vec<_> = charted(standings).into_iter().map(line).collect();
    let (x, y) = (Axis::Number("tasks of one call"), Axis::Time("time per task"));
    chart::lines(path, "An empty task, by the number of tasks of one call", x, y, &series)
}
