//! What does a value cost on its way through our queue, and what through others?
//!
//! ```text
//! cargo bench -p benches --bench queues -- [--quick] [--write-docs]
//! ```
//!
//! Producers push numbers, consumers take them, as many of one kind as of the other: 1x1, 2x2, 4x4. The unit is one value
//! that was pushed and taken, in time on the wall, from the common start to the end of the last consumer. Consumers that
//! find nothing yield and try again, which is the same for all. In each round every queue is visited in turn and is made
//! afresh.
//!
//! Ours is the list of `zero_pool::queue` with the smallest node: one number that is taken once. It is measured as the pool
//! uses it: a value is a node in a box, pushing and scanning pin the pool's epochs, and nodes are freed by them. The others
//! are used as their users do. What ours can do besides, a node that is consumed in many steps while it stays at the head,
//! is not asked for here.
//!
//! Each consumer checks that the values of every producer come in the order in which they were pushed, and at the end none
//! may be missing or be there twice.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use benches::machine::Watch;
use benches::page::{self, Table};
use benches::stats::{Samples, time};
use clap::Parser;
use concurrent_queue::ConcurrentQueue;
use crossbeam_channel::{Receiver, Sender};
use crossbeam_queue::SegQueue;
use indicatif::ProgressBar;
use zero_pool::queue::{Node, Queue};
use zero_pool::reclaim::{Canary, Domain, Guard, Retire};
use zero_pool::sync::UnsafeCell;

/// Compares our queue with others.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo bench -p benches --bench queues --")]
struct Cli {
    /// Few and short visits.
    #[arg(long)]
    quick: bool,
    /// Writes the figures into docs/benchmarks.md.
    #[arg(long)]
    write_docs: bool,
    /// Cargo passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// So many producers, and as many consumers.
const SIDES: [usize; 3] = [1, 2, 4];

/// A queue of numbers.
trait Fifo: Sync {
    fn push(&self, value: u64);
    fn pop(&self) -> Option<u64>;
}

/// The smallest node.
struct Number {
    next: AtomicPtr<Self>,
    place: UnsafeCell<u32>,
    value: u64,
    taken: AtomicBool,
    canary: Canary,
}

impl Number {
    fn new(value: u64, taken: bool) -> Box<Self> {
        let (next, taken) = (AtomicPtr::new(ptr::null_mut()), AtomicBool::new(taken));
        Box::new(Self { next, place: UnsafeCell::new(0), value, taken, canary: Canary::new() })
    }

    fn take(&self) -> Option<u64> {
        // The value was fixed before the node was linked, so that the flag orders nothing; the load spares nodes that are
        // taken the cost of a write.
        let first = !self.taken.load(Ordering::Relaxed) && !self.taken.swap(true, Ordering::Relaxed);
        first.then_some(self.value)
    }
}

impl Retire for Number {
    fn canary(&self) -> &Canary {
        &self.canary
    }
}

// SAFETY: the number is written before the node is linked, and the rest is atomics and plain values.
unsafe impl Sync for Number {}

// SAFETY: `next` is one field that only the queue writes; `taken` never turns false; `unlinked` frees through the guard.
unsafe impl Node for Number {
    fn next(&self) -> &AtomicPtr<Self> {
        &self.next
    }

    fn place(&self) -> &UnsafeCell<u32> {
        &self.place
    }

    fn is_spent(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    fn is_finished(&self) -> bool {
        self.is_spent()
    }

    unsafe fn unlinked(node: NonNull<Self>, guard: Option<&Guard>) -> bool {
        match guard {
            // SAFETY: the queue alone holds a number, and has unlinked it once.
            Some(guard) => unsafe { guard.retire(node) },
            // SAFETY: the queue is gone, and numbers come from boxes.
            None => drop(unsafe { Box::from_raw(node.as_ptr()) }),
        }
        true
    }
}

struct Ours {
    queue: Queue<Number>,
    domain: Domain,
}

impl Fifo for Ours {
    fn push(&self, value: u64) {
        let node = NonNull::from(Box::leak(Number::new(value, false)));
        // SAFETY: the node comes from a box, is linked once, and only the queue frees it.
        unsafe { self.queue.push(node, &self.domain.pin()) };
    }

    fn pop(&self) -> Option<u64> {
        self.queue.scan(&self.domain.pin(), Number::take)
    }
}

impl Fifo for SegQueue<u64> {
    fn push(&self, value: u64) {
        Self::push(self, value);
    }

    fn pop(&self) -> Option<u64> {
        Self::pop(self)
    }
}

impl Fifo for ConcurrentQueue<u64> {
    fn push(&self, value: u64) {
        Self::push(self, value).expect("nobody closes it");
    }

    fn pop(&self) -> Option<u64> {
        Self::pop(self).ok()
    }
}

impl Fifo for (Sender<u64>, Receiver<u64>) {
    fn push(&self, value: u64) {
        self.0.send(value).expect("the receiver is here");
    }

    fn pop(&self) -> Option<u64> {
        self.1.try_recv().ok()
    }
}

const NAMES: [&str; 4] = ["zero-pool's list", "SegQueue", "concurrent-queue", "crossbeam-channel"];

/// Makes a queue and visits it.
fn visit(queue: usize, sides: usize, values: u64) -> f64 {
    match queue {
        0 => through(
            &Ours { queue: Queue::new(Number::new(0, true), 8), domain: Domain::new() },
            sides,
            values,
        ),
        1 => through(&SegQueue::new(), sides, values),
        2 => through(&ConcurrentQueue::unbounded(), sides, values),
        _ => through(&crossbeam_channel::unbounded(), sides, values),
    }
}

/// A value is its producer in the upper half and its place among that producer's in the lower.
const HALF: u32 = 32;

/// Sends `values` values of each producer through the queue; returns nanoseconds per value.
fn through(queue: &impl Fifo, sides: usize, values: u64) -> f64 {
    let all = values * sides as u64;
    let (done, taken, sum) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let barrier = Barrier::new(2 * sides);
    let produce = |producer: u64| {
        barrier.wait();
        let start = Instant::now();
        (0..values).for_each(|value| queue.push(producer << HALF | value));
        done.fetch_add(1, Ordering::Release);
        (start, start)
    };
    let consume = || {
        let (mut next, mut count, mut own) = ([0; 4], 0, 0_u64);
        barrier.wait();
        let start = Instant::now();
        loop {
            // Acquire, and before the look: a queue that is empty after the last push stays so.
            let last = done.load(Ordering::Acquire) == sides;
            let Some(value) = queue.pop() else {
                if last {
                    break;
                }
                thread::yield_now();
                continue;
            };
            let (producer, place) = ((value >> HALF) as usize, value & u64::from(u32::MAX));
            assert!(place >= next[producer], "values of one producer come in order");
            next[producer] = place + 1;
            own = own.wrapping_add(value);
            count += 1;
        }
        let end = Instant::now();
        // The threads are joined before either is read.
        taken.fetch_add(count, Ordering::Relaxed);
        sum.fetch_add(own, Ordering::Relaxed);
        (start, end)
    };
    let spans: Vec<_> = thread::scope(|scope| {
        let producers: Vec<_> =
            (0..sides as u64).map(|producer| scope.spawn(move || produce(producer))).collect();
        let consumers: Vec<_> = (0..sides).map(|_| scope.spawn(consume)).collect();
        let threads = producers.into_iter().chain(consumers);
        threads.map(|thread| thread.join().expect("every value comes once and in order")).collect()
    });
    let of_one = values * (values - 1) / 2;
    let expected = (0..sides as u64).map(|producer| (producer << HALF) * values + of_one).sum::<u64>();
    assert_eq!((taken.into_inner(), sum.into_inner()), (all, expected), "every value is taken once");
    let start = spans.iter().map(|span| span.0).min().expect("there are threads");
    let end = spans.iter().map(|span| span.1).max().expect("there are threads");
    (end - start).as_secs_f64() * 1e9 / all as f64
}

/// One figure per queue and number of sides.
fn measure(cli: &Cli) -> Vec<[Samples; NAMES.len()]> {
    let (rounds, values) = if cli.quick { (5, 20_000) } else { (25, 200_000) };
    let bar = ProgressBar::new((rounds * SIDES.len() * NAMES.len()) as u64);
    let mut samples = SIDES.map(|_| NAMES.map(|_| Vec::new()));
    for round in 0..rounds {
        for (sides, samples) in SIDES.iter().zip(&mut samples) {
            for turn in 0..NAMES.len() {
                let queue = (turn + round) % NAMES.len();
                samples[queue].push(visit(queue, *sides, values / *sides as u64));
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    samples.into_iter().map(|sides| sides.map(Samples::new)).collect()
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let watch = Watch::begin();
    let figures = measure(&cli);
    let mut table = Table::new(["time per value, p50 (p10 .. p90)"].into_iter().chain(NAMES));
    for (sides, queues) in SIDES.iter().zip(&figures) {
        let at = |samples: &Samples, share| samples.at(share).map_or(String::new(), time);
        let cell = |samples: &Samples| {
            format!("{} ({} .. {})", at(samples, 0.5), at(samples, 0.1), at(samples, 0.9))
        };
        let name = format!("{sides} producers, {sides} consumers");
        table.row([name].into_iter().chain(queues.iter().map(cell)));
    }
    let mut text = table.finish();
    for (sides, queues) in SIDES.iter().zip(&figures) {
        text.push_str(&verdict(*sides, queues));
    }
    println!("{text}");
    let command = if cli.quick { "-- --quick --write-docs" } else { "-- --write-docs" };
    let command = format!("cargo bench -p benches --bench queues {command}");
    let text = format!("{}\n\n{text}", page::provenance(&command, &watch));
    if cli.write_docs
        && let Err(error) = page::write("queues", &text)
    {
        eprintln!("error: the documentation could not be written: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Says how ours compares with the best of the others.
fn verdict(sides: usize, queues: &[Samples; NAMES.len()]) -> String {
    let medians = queues.each_ref().map(|samples| samples.median().unwrap_or(f64::NAN));
    let others = medians.iter().zip(NAMES).skip(1);
    let Some((best, name)) = others.min_by(|a, b| a.0.total_cmp(b.0)) else { return String::new() };
    format!(
        "\nAt {sides}x{sides} ours takes {:.2} times as long as the best other, {name}.\n",
        medians[0] / best
    )
}
