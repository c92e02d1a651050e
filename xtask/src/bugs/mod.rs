//! Seeded bugs: known mistakes, made in a copy of the sources, each to be found by the check that is named for it.
//!
//! Ordering mutants show that orderings matter. Other mistakes are a step that is missing, or in the wrong place, and most
//! were made by somebody before. The table of them is `xtask/bugs.toml`:
//!
//! ```text
//!   bugs.toml ──inject──▶ one copy with all bugs ──build──▶ models, worlds, properties, units ──judge──▶ verdicts
//!                        (inject.rs, runtime.rs)                                              (judge.rs)
//! ```
//!
//! An environment variable chooses a bug for each process. First each check that is named must pass without a bug; then
//! each bug must make its check fail, with the words that are expected. No two bugs are found by the same assertion of the
//! same check: the table is refused otherwise.

mod inject;
mod judge;
pub mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use self::judge::{Court, Verdict};
use self::table::{Bug, Layer};
use crate::page;
use crate::progress::Progress;
use crate::share::share;
use crate::tables;
use crate::tree::{self, Tree};

/// Which bugs, and what to tell.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only the bugs of these numbers, as `--list` counts them.
    #[arg(long, value_name = "N")]
    bug: Vec<usize>,
    /// Only those that plain `cargo test` tries.
    #[arg(long)]
    control: bool,
    /// Lists the bugs, and runs nothing.
    #[arg(long)]
    list: bool,
    /// Writes the table to docs/verification.md as well, and what other pages say of the bugs, if all are found.
    #[arg(long, conflicts_with_all = ["bug", "control", "list"])]
    write_docs: bool,
    /// How many checks run at a time [default: one on each core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
}

impl Args {
    fn selects(&self, bug: &Bug) -> bool {
        (self.bug.is_empty() || self.bug.contains(&bug.number)) && (bug.control || !self.control)
    }
}

/// A bug that was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub line: String,
    /// The number of the schedule or case that showed it, where the check counts some.
    pub after: Option<u64>,
    pub time: Duration,
}

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    crate::environment::refuse_changed_builds()?;
    let workspace = tree::workspace()?;
    let bugs = table::read(&workspace)?;
    let chosen: Vec<&Bug> = bugs.iter().filter(|bug| args.selects(bug)).collect();
    ensure!(!chosen.is_empty(), "no bug has that number; --list shows all of them");
    if args.list {
        for Bug { number, name, layer, check, message, .. } in chosen {
            println!("{number:>3}  {name}\n     {layer}: {check}, {message:?}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let jobs = args.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from);
    let start = Instant::now();
    let ends = judge(&workspace, &bugs, &chosen, jobs)?;
    let missed: Vec<_> = ends.iter().filter_map(|end| end.as_ref().err()).collect();
    for (bug, end) in chosen.iter().zip(&ends) {
        println!("{:>3}  {}\n     {}", bug.number, bug.name, tell(bug, end));
    }
    if args.write_docs {
        ensure!(missed.is_empty(), "not written, as {} are not found as expected", missed.len());
        let found: Vec<&Found> = ends.iter().flatten().collect();
        page::write(&workspace, PAGE, PART, &markdown(&chosen, &found))?;
        tables::write(&workspace)?;
    }
    println!(
        "bugs: {}, {} found as expected, {} not, in {} s",
        chosen.len(),
        chosen.len() - missed.len(),
        missed.len(),
        start.elapsed().as_secs()
    );
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the copy, sees that the named checks pass, and tries the chosen bugs; of a bug that is not found as expected it
/// tells why.
fn judge(workspace: &Path, bugs: &[Bug], chosen: &[&Bug], jobs: usize) -> Result<Vec<Result<Found, String>>> {
    eprintln!("building a copy with {} bugs", bugs.len());
    let scratch = tree::scratch(workspace, "bugs");
    let tree = Tree::write(workspace, &scratch, &inject::edit(workspace, bugs)?, None)?.beside(workspace);
    let court = Court::new(&tree, &scratch, chosen)?;
    let checks: BTreeSet<(Layer, &str)> = chosen.iter().map(|bug| (bug.layer, bug.check.as_str())).collect();
    let checks: Vec<_> = checks.into_iter().collect();
    let progress = Progress::new("without a bug", checks.len());
    share(jobs, checks.len(), |at| {
        let (layer, check) = checks[at];
        let (verdict, time) = court.run(layer, check, None)?;
        match verdict {
            Verdict::Passed => progress.step(&format!("{check}: passed, {:.2} s", time.as_secs_f64())),
            Verdict::Failed { said, .. } => bail!("without any bug, {check} fails:\n{said}"),
            Verdict::CutOff => bail!("without any bug, {check} is cut off after {} s", time.as_secs()),
        }
        Ok(())
    })?;
    drop(progress);
    let progress = Progress::new("bugs", chosen.len());
    share(jobs, chosen.len(), |at| {
        let end = try_one(&court, chosen[at])?;
        progress.step(&format!("{}: {}", chosen[at].name, tell(chosen[at], &end)));
        Ok(end)
    })
}

fn try_one(court: &Court, bug: &Bug) -> Result<Result<Found, String>> {
    let (verdict, time) = court.run(bug.layer, &bug.check, Some(bug.number))?;
    Ok(match verdict {
        Verdict::Passed => Err("the check passes".to_owned()),
        Verdict::CutOff => Err(format!("the check is cut off after {} s", time.as_secs())),
        Verdict::Failed { said, after } => judge::explain(&said, &bug.message)
            .map(|line| Found { line: line.to_owned(), after, time })
            .map_err(|instead| format!("the check fails without {:?}: {instead}", bug.message)),
    })
}

/// Where the table is written.
const PAGE: &str = "docs/verification.md";
const PART: &str = "bugs";

/// Returns the cells of a bug that no run can change.
fn cells(bug: &Bug) -> Vec<String> {
    let Bug { name, source, layer, check, message, .. } = bug;
    vec![name.clone(), source.clone(), layer.to_string(), format!("`{check}`"), format!("`{message}`")]
}

fn markdown(bugs: &[&Bug], found: &[&Found]) -> String {
    let rows = bugs.iter().zip(found).map(|(bug, Found { after, time, .. })| {
        let after = after.map_or_else(|| "-".to_owned(), |after| after.to_string());
        [cells(bug), vec![after, format!("{} ms", time.as_millis())]].concat()
    });
    page::table(&["bug", "whose mistake", "layer", "check", "it says", "after", "time"], rows)
}

fn tell(bug: &Bug, end: &Result<Found, String>) -> String {
    match end {
        Ok(Found { line, after, time }) => {
            let after = after.map_or_else(String::new, |after| format!(", after {after}"));
            format!("found by {}{after}, {:.2} s: {line}", bug.check, time.as_secs_f64())
        }
        Err(why) => format!("NOT FOUND by {}: {why}", bug.check),
    }
}
