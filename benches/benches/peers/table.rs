//! The table that a run prints.

use crate::report::ratio;
use crate::results::Standing;

/// Prints every peer of a row, the best first.
pub(crate) fn print(standing: &Standing) {
    println!("\n{}", standing.row.title());
    if let Some(ideal) = standing.ideal() {
        println!("  {:<18} {:>10}", "ideal", standing.write(ideal));
    }
    let best = standing.cells.first().map_or(f64::NAN, |cell| cell.median());
    for cell in &standing.cells {
        let at = |share| cell.wall.at(share).map_or(String::new(), |value| standing.write(value));
        let cpu = cell.cpu.mean().map_or(String::new(), |cpu| format!("cpu {:>9}", standing.write(cpu)));
        println!(
            "  {:<18} {:>10}   p10 {:>10}  p90 {:>10}  p99 {:>10}   {cpu:<13}   {:>7} x   rounds {} .. {}",
            cell.peer.name(),
            standing.write(cell.median()),
            at(0.1),
            at(0.9),
            at(0.99),
            ratio(cell.median(), best),
            standing.write(cell.spread.0),
            standing.write(cell.spread.1),
        );
    }
}

/// Prints one line per row: our figure beside the best of the others.
pub(crate) fn print_summary(standings: &[Standing]) {
    println!("\n{:<46} {:>10}   {:>10}  {:<16} {:>8}", "row", "zero-pool", "best other", "", "ours is");
    for standing in standings {
        let Some((ours, rival, verdict)) = standing.verdict() else { continue };
        println!(
            "{:<46} {:>10}   {:>10}  {:<16} {:>6} x  {}",
            standing.row.title(),
            standing.write(ours.median()),
            standing.write(rival.median()),
            rival.peer.name(),
            ratio(ours.median(), rival.median()),
            verdict.word(),
        );
    }
}
