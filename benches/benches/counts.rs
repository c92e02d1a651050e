//! How many instructions does a submission take, a claim, a completion? A figure that is the same on a busy machine.
//!
//! ```text
//! cargo bench -p benches --bench counts -- [--write-docs]
//! ```
//!
//! Time is noisy; the number of instructions that one thread executes on a path without waiting is not. The program runs
//! itself under valgrind's callgrind, which collects within one function alone, of the thread that is in it, calls
//! included. Each *phase* below is such a function. Two runs, one with twice as many repetitions as the other, give the
//! count per repetition by their difference: what happens once, such as the first allocation of an epoch's bag, cancels
//! out, and what happens every so often is spread.
//!
//! The counts of the protocols are exact. Those of the calls differ by a few per cent from run to run, as the epochs of the
//! pool's other threads decide when nodes are freed, and as a policy that reads the clock sees valgrind's slow time; so each
//! is taken three times, and the spread stands beside the median.
//!
//! What is counted are instructions, not what they cost: a read-modify-write that waits for a cache line counts one. A
//! count that rises says that a path became longer; a count that stays does not say that it became no slower.
//!
//! - The *protocols*, without a pool: batches of one task are published, taken, run, completed and released by one thread.
//! - The *calls* of a pool whose two workers are held up in tasks: nobody is woken, and the caller does everything itself.
//!
//! Where valgrind is not installed, one line says so, and nothing else happens.

use core::sync::atomic::{AtomicU64, Ordering};
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::RwLock;
use std::thread;
use std::time::Duration;

use benches::page::{self, Table};
use benches::stats::Samples;
use benches::{batch, machine, take_tally, tally_of};
use clap::Parser;
use zero_pool::ZeroPool;
use zero_pool::batch::{Claim, Handle};
use zero_pool::injector::Injector;

/// Counts instructions per operation.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo bench -p benches --bench counts --")]
struct Cli {
    /// Writes the counts into docs/benchmarks.md.
    #[arg(long)]
    write_docs: bool,
    /// Runs one part of the program, for this many repetitions, as valgrind's child.
    #[arg(long, hide = true, num_args = 2)]
    child: Vec<String>,
    /// Cargo passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One phase: the function that callgrind watches, and what it does so often per repetition.
struct Phase {
    part: Part,
    function: &'static str,
    what: &'static str,
    /// How many operations are one repetition.
    operations: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Protocols,
    Calls,
}

/// How many batches lie in the queue at once.
const BURST: u64 = 16;
/// How many tasks a batch has that is claimed in pieces.
const MANY: u64 = 64;

const PHASES: [Phase; 13] = [
    phase(Part::Protocols, "phase_publish", "make a batch of one task and publish it", BURST),
    phase(Part::Protocols, "phase_take", "take the oldest batch's task", BURST),
    phase(Part::Protocols, "phase_run", "run the claimed task", BURST),
    phase(Part::Protocols, "phase_complete", "complete the claim", BURST),
    phase(Part::Protocols, "phase_release", "release the handle", BURST),
    phase(Part::Protocols, "phase_advance", "claim the next task of the same batch and run it", MANY - 1),
    phase(Part::Calls, "phase_submit_task", "`submit_task`", BURST),
    phase(Part::Calls, "phase_wait", "`wait` for it, on the thread that runs it", BURST),
    phase(Part::Calls, "phase_submit_batch", "`submit_batch_uniform` of 64 tasks", 1),
    phase(Part::Calls, "phase_wait_batch", "`wait` for it, on the thread that runs it", 1),
    phase(Part::Calls, "phase_index", "`for_each_index` of 1000 empty tasks", 1),
    phase(Part::Calls, "phase_join", "`join` of two empty closures", 1),
    phase(Part::Calls, "phase_scope", "`scope` with one task", 1),
];

const fn phase(part: Part, function: &'static str, what: &'static str, operations: u64) -> Phase {
    Phase { part, function, what, operations }
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_publish(injector: &Injector, handles: &mut Vec<Handle>) {
    handles.extend((0..BURST).map(|_| injector.publish(batch(black_box(1), 1))));
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_take(injector: &Injector, claims: &mut Vec<Claim>) {
    claims.extend((0..BURST).filter_map(|_| injector.take()));
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_run(claims: &mut [Claim]) {
    claims.iter_mut().for_each(Claim::run);
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_complete(injector: &Injector, claims: &mut Vec<Claim>) {
    claims.drain(..).for_each(|claim| injector.complete(claim));
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_release(injector: &Injector, handles: &mut Vec<Handle>) {
    handles.drain(..).for_each(|handle| injector.release(handle));
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_advance(claim: &mut Claim) {
    while claim.advance(None) {
        claim.run();
    }
}

fn protocols(repetitions: u64) {
    let injector = Injector::new(0);
    let (mut handles, mut claims) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        phase_publish(&injector, &mut handles);
        phase_take(&injector, &mut claims);
        phase_run(&mut claims);
        phase_complete(&injector, &mut claims);
        phase_release(&injector, &mut handles);
        assert_eq!(take_tally(), BURST * tally_of(1), "every task runs once");

        // Shared as if among so many threads that every claim is one task.
        let handle = injector.publish(batch(black_box(MANY), MANY as u32));
        let mut claim = injector.take().expect("it was published");
        claim.run();
        phase_advance(&mut claim);
        injector.complete(claim);
        injector.release(handle);
        assert_eq!(take_tally(), tally_of(MANY), "every task runs once");
    }
}

fn task(place: &AtomicU64) {
    place.store(place.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

type Future<'a> = zero_pool::TaskFuture<'a>;

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_submit_task<'a>(pool: &ZeroPool, places: &'a [AtomicU64], futures: &mut Vec<Future<'a>>) {
    futures.extend(places.iter().map(|place| pool.submit_task(task, place)));
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_wait(futures: &mut Vec<Future<'_>>) {
    futures.drain(..).for_each(Future::wait);
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_submit_batch<'a>(pool: &ZeroPool, places: &'a [AtomicU64]) -> Future<'a> {
    pool.submit_batch_uniform(task, places)
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_wait_batch(future: Future<'_>) {
    future.wait();
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_index(pool: &ZeroPool, places: &[AtomicU64]) {
    pool.for_each_index(0..places.len(), |index| task(&places[index]));
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_join(pool: &ZeroPool, places: &[AtomicU64; 2]) {
    pool.join(|| task(&places[0]), || task(&places[1]));
}

#[unsafe(no_mangle)]
#[inline(never)]
fn phase_scope(pool: &ZeroPool, place: &AtomicU64) {
    pool.scope(|scope| scope.spawn(|| task(place)));
}

fn calls(repetitions: u64) {
    let pool = ZeroPool::with_workers(2);
    let gate = RwLock::new(());
    let closed = gate.write().expect("nobody panics in here");
    let arrived = AtomicU64::new(0);
    let pass = |_: &()| {
        arrived.fetch_add(1, Ordering::Relaxed);
        drop(gate.read());
    };
    let held: Vec<_> = (0..pool.workers()).map(|_| pool.submit_task(pass, &())).collect();
    while arrived.load(Ordering::Relaxed) < held.len() as u64 {
        thread::sleep(Duration::from_micros(50));
    }
    let places = |tasks: u64| -> Vec<_> { (0..tasks).map(|_| AtomicU64::new(0)).collect() };
    let (singles, many, thousand) = (places(BURST), places(MANY), places(1_000));
    let (pair, one) = ([AtomicU64::new(0), AtomicU64::new(0)], AtomicU64::new(0));
    let mut futures = Vec::new();
    for repetition in 0..repetitions {
        // What the epochs do every so many pins should fall on every phase alike, and not always on the same.
        (0..repetition % 7).for_each(|_| pool.submit_task(|_: &()| (), &()).wait());
        phase_submit_task(&pool, &singles, &mut futures);
        phase_wait(&mut futures);
        phase_wait_batch(phase_submit_batch(&pool, &many));
        phase_index(&pool, &thousand);
        phase_join(&pool, &pair);
        phase_scope(&pool, &one);
    }
    drop(closed);
    held.into_iter().for_each(Future::wait);
    let all = singles.iter().chain(&many).chain(&thousand).chain(&pair).chain([&one]);
    let mut runs = all.map(|place| place.load(Ordering::Relaxed));
    assert!(runs.all(|runs| runs == repetitions), "every task runs once per repetition");
}

/// Runs this program under callgrind and returns what was collected within a function.
fn collect(phase: &Phase, repetitions: u64) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let part = if phase.part == Part::Protocols { "protocols" } else { "calls" };
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(format!("--toggle-collect={}", phase.function));
    command.arg(program).args(["--child", part, &repetitions.to_string()]);
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    match collected {
        Some((_, count)) if output.status.success() => {
            count.trim().parse().map_err(|_| format!("{}: {count:?} is no number", phase.function))
        }
        _ => Err(format!("{}: {text}", phase.function)),
    }
}

/// Returns instructions per operation.
fn count(phase: &Phase) -> Result<f64, String> {
    /// Enough for what happens once in 64 operations to happen as often as it should.
    const REPETITIONS: u64 = 512;
    let (once, twice) = (collect(phase, REPETITIONS)?, collect(phase, 2 * REPETITIONS)?);
    if twice <= once {
        return Err(format!("{}: nothing was collected, so the function was not found", phase.function));
    }
    Ok((twice - once) as f64 / (REPETITIONS * phase.operations) as f64)
}

fn run(cli: &Cli) -> Result<(), String> {
    const RUNS: usize = 3;
    let mut table = Table::new(["operation, on one thread", "instructions", "spread"]);
    for phase in &PHASES {
        let counts: Result<Vec<_>, _> = (0..RUNS).map(|_| count(phase)).collect();
        let counts = Samples::new(counts?);
        let at = |share| counts.at(share).unwrap_or(f64::NAN);
        let cells = [format!("{:.1}", at(0.5)), format!("{:.1} .. {:.1}", at(0.0), at(1.0))];
        println!("{:<52} {:>10}   {}", phase.what, cells[0], cells[1]);
        table.row([phase.what.to_owned()].into_iter().chain(cells));
    }
    if cli.write_docs {
        let command = "cargo bench -p benches --bench counts -- --write-docs";
        let text = format!(
            "Counted {} with {}, by `{command}`.\n\n{}",
            machine::today(),
            machine::compiler(),
            table.finish()
        );
        page::write("counts", &text).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let [part, repetitions] = cli.child.as_slice() {
        let repetitions = repetitions.parse().expect("the parent passes a number");
        if part == "protocols" {
            protocols(repetitions)
        } else {
            calls(repetitions)
        }
        return ExitCode::SUCCESS;
    }
    if cfg!(debug_assertions) {
        println!("note: this is a debug build: its counts mean little, run `cargo bench`");
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("valgrind is not installed, so nothing is counted.");
        return ExitCode::SUCCESS;
    }
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
