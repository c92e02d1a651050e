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
//! might suffer. A figure is the median of all samples; the 10th, 90th and 99th percentiles, the processor time and the
//! least and greatest median of a visit stand beside it. The processor time is the mean of all samples: what a thread spins away
//! the system books every few milliseconds, so that a few samples have all of it, and a median none.
//!
//! A sample is one call where that takes long enough, or where the workers are to be cold, and otherwise the mean of as many
//! calls as fill a tenth of a millisecond: the percentiles of short calls are those of such means, and show disturbances,
//! not single slow calls. What submits only, or meets once, is one call, and includes a look at the clock.
//!
//! The results of every sample are checked; a peer with a wrong one leaves the row, and the run fails. Rows with real work
//! also show the *ideal*, half of what one thread takes, and a peer that needs less than nine tenths of it fails the run
//! too: work was removed.
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
//! - A batch of the seed's surface is one call where a peer has one, zero-pool and its predecessors, and a task each elsewhere.
//!   Its parameters lie ready in *submit and wait*, and are built within the call in *parameters built*; there the others run
//!   their loop over the slice.
//! - All pools have their default settings, spinning included, but for the number of threads.
//! - Peers in Rust see the tasks as generic closures. The two in C++ get ranges by a function pointer, and the loop over a
//!   range is Rust: what a C++ compiler makes of a loop whose body it knows. Guided loops and tasks are one call each.
//! - Empty tasks hide their index from the optimiser, so that every peer makes as many calls.
//! - Not there: forte, whose releases need a newer compiler than this project's, and fork_union, which burns a core while
//!   it is idle.

use std::process::ExitCode;

use benches::machine::{self, Watch};
use clap::Parser;

mod cli;
mod measure;
mod peer;
mod report;
mod results;
mod roster;
mod table;
mod tour;
mod workload;

use cli::Cli;

#[global_allocator]
static ALLOCATOR: benches::alloc::Counting = benches::alloc::Counting;

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
    println!("{}", machine::description());
    let watch = Watch::begin();
    let tour = match tour::run(&rows, &peers, cli.rounds(), cli.budget()) {
        Ok(tour) => tour,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    tour.standings.iter().for_each(table::print);
    table::print_summary(&tour.standings);
    watch.doubts().iter().for_each(|doubt| println!("note: {doubt}"));
    tour.wrong.iter().for_each(|wrong| eprintln!("error: {wrong}"));
    if cli.write_docs
        && let Err(error) = report::write(&tour, &cli.command(), &watch)
    {
        eprintln!("error: the documentation could not be written: {error}");
        return ExitCode::FAILURE;
    }
    if tour.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
