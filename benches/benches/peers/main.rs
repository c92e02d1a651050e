//! Is zero-pool faster than other pools, at what, and where is it not?
//!
//! ```text
//! cargo bench -p benches --bench peers -- --quick          less than two minutes, figures to look at
//! cargo bench -p benches --bench peers                     half an hour, figures to quote
//! ```
//!
//! # Method
//!
//! A run has rounds. In each round, for each row, every peer is visited in turn: a fresh thread starts a fresh pool, warms
//! up, takes samples and ends the pool. So a disturbance of some seconds hits all peers alike, and a figure has samples
//! from all over the run. The order of the peers is turned by one from round to round, as the one after a pool that spins
//! might suffer. A figure is the median of all samples; the 10th and 90th percentiles, the processor time and the least
//! and greatest median of a visit stand beside it.
//!
//! The results of every sample are checked; a wrong one ends the run. Rows with real work also show the *ideal*, half of
//! what one thread takes, and a peer that needs less than nine tenths of it fails the run: work was removed.
//!
//! # What is fair
//!
//! Every peer has two threads that may run tasks, and the calls that its own documentation would use.
//!
//! | peer | its two threads | loops | tasks one by one |
//! |---|---|---|---|
//! | zero-pool | 2 workers, the caller takes part in place of one | `for_each_index`, `map_into`; `submit_batch_uniform` over parameters | `submit_task` |
//! | zero-pool 0.4, 0.9 | 2 workers, the caller sleeps | parameters built, then one batch: there is no loop by index | `submit_task`; `scope` and `run` of one |
//! | rayon, outside | 2 workers, the caller sleeps | `install` of a parallel iterator | `in_place_scope` |
//! | rayon, inside | 2 workers, the caller is one | parallel iterator | `scope` |
//! | chili | 1 worker and the caller | halved by `join` down to one task | none |
//! | orx-parallel | 2 workers, the caller sleeps | `par` with the adaptive runner | none |
//! | paralight | 2 workers, the caller sleeps | fixed shares; work stealing if uneven | none |
//! | bevy_tasks | 1 worker and the caller | `scope` of 2 tasks, 64 if uneven | `scope` |
//! | threadpool | 2 workers, the caller sleeps | 2 closures, 64 if uneven, then `join` | `execute`, `join` |
//! | tokio | 2 workers, the caller sleeps | 2 tasks, 64 if uneven, then their handles | `spawn`, handles |
//! | thread::scope | a new thread and the caller | 2 shares; shared counter if uneven | a thread each, up to 64 |
//! | OpenMP | 1 worker and the caller | `schedule(static)`; `guided` if uneven | `task` in a `single` |
//! | oneTBB | 1 worker and the caller | `parallel_for`, automatic partitioner | `task_group` |
//!
//! - All pools have their default settings, spinning included, but for the number of threads.
//! - Peers in Rust see the tasks as generic closures. The two in C++ get ranges by a function pointer, and the loop over a
//!   range is Rust: what a C++ compiler makes of a loop whose body it knows. Guided loops and tasks are one call each.
//! - Empty tasks hide their index from the optimiser, so that every peer makes as many calls.
//! - Not there: forte, whose releases need a newer compiler than this project's, and fork_union, which burns a core while
//!   it is idle.

use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use benches::machine::{self, Busy};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

mod cli;
mod measure;
mod peer;
mod report;
mod results;
mod roster;
mod table;
mod workload;

use cli::Cli;
use measure::{Budget, Outcome, Sample};
use results::Standing;
use roster::Peer;
use workload::{Ask, Row};

#[global_allocator]
static ALLOCATOR: benches::alloc::Counting = benches::alloc::Counting;

/// A visit that takes longer than this will not end.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (rows, peers) = (cli.rows(), cli.peers());
    for (peer, reason) in roster::missing() {
        println!("{peer} is not there: {reason}. Its rows are left out.");
    }
    if cli.list {
        rows.iter().for_each(|row| println!("{}", row.title()));
        peers.iter().for_each(|peer| println!("peer: {}", peer.name()));
        return ExitCode::SUCCESS;
    }
    for doubt in machine::doubts() {
        println!("note: {doubt}");
    }
    println!("{}", machine::description());
    let busy = Busy::now();
    let standings = match run(&rows, &peers, &cli) {
        Ok(standings) => standings,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return ExitCode::FAILURE;
        }
    };
    standings.iter().for_each(table::print);
    table::print_summary(&standings);
    let others = busy.and_then(|busy| busy.others_since());
    if let Some(others) = others {
        println!("\nOther processes used {:.1} % of the machine during the run.", others * 100.0);
    }
    if cli.write_docs
        && let Err(error) = report::write(&standings, &cli.command(), others)
    {
        eprintln!("error: the documentation could not be written: {error}");
        return ExitCode::FAILURE;
    }
    verify(&standings)
}

/// Fails if somebody was faster than the work allows.
fn verify(standings: &[Standing]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for standing in standings {
        for peer in standing.impossible() {
            eprintln!("error: {}: {} is faster than the work allows", standing.row.title(), peer.name());
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// Visits every peer for every row in every round.
fn run(rows: &[Row], peers: &[Peer], cli: &Cli) -> Result<Vec<Standing>, String> {
    let (rounds, budget) = (cli.rounds(), cli.budget());
    let of_all = |row: &Row| if row.once { 1 } else { rounds } * peers.len();
    let bar = ProgressBar::new(rows.iter().map(of_all).sum::<usize>() as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} visits, {eta} left  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut visits: Vec<Vec<(Peer, Vec<Vec<Sample>>)>> =
        rows.iter().map(|_| peers.iter().map(|peer| (*peer, Vec::new())).collect()).collect();
    for round in 0..rounds {
        for (row, visits) in rows.iter().zip(&mut visits) {
            if row.once && round > 0 {
                continue;
            }
            for turn in 0..peers.len() {
                let (peer, visits) = &mut visits[(turn + round) % peers.len()];
                bar.set_message(format!("{}: {}", row.title(), peer.name()));
                let wrong = |what| format!("{}: {}: {what}", row.title(), peer.name());
                visits.extend(visit(*peer, row, budget).map_err(wrong)?);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(rows.iter().zip(&visits).map(|(row, visits)| Standing::new(row.clone(), visits)).collect())
}

/// Makes one visit on a thread of its own, which some peers take for the life of their workers.
fn visit(peer: Peer, row: &Row, budget: Budget) -> Outcome {
    let (send, receive) = mpsc::channel();
    let row = row.clone();
    let visitor = thread::spawn(move || {
        let outcome = peer.visit(Ask { row: &row, budget: &budget });
        // Nobody listens when patience is over.
        let _ = send.send(outcome);
    });
    let outcome = receive.recv_timeout(PATIENCE).unwrap_or_else(|error| {
        Err(match error {
            mpsc::RecvTimeoutError::Timeout => format!("no end after {} s", PATIENCE.as_secs()),
            mpsc::RecvTimeoutError::Disconnected => "the visit panicked".to_owned(),
        })
    })?;
    visitor.join().map_err(|_| "the visit panicked".to_owned())?;
    Ok(outcome)
}
