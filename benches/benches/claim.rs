//! What does a task cost when one or two threads claim a batch of a thousand together?
//!
//! A task adds one number to its thread's own sum, so that nearly all of a figure is claiming. The batches lie ready
//! in the queue before the clock starts; each thread joins the oldest, advances until it is exhausted, completes its
//! participation and goes on to the next. The clock runs from the first thread's start to the last one's end. The
//! unit is one task, in time on the wall; two threads that gain nothing from each other show the figure of one.
//!
//! - `guided`: chunks of a share of what remains, as a batch among this many threads is cut.
//! - `single`: one task per claim, the shape that guided chunks avoid.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use benches::{batch, take_tally, tally_of};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use zero_pool::injector::Injector;

const TASKS: u64 = 1_000;
/// How many batches lie ready at most, so that memory stays small.
const READY: u64 = 256;
/// As many threads as share a batch to have every share rounded down to one task.
const MANY: u32 = 1_000;

/// Takes part in every batch until none admits a worker; returns when it did so, and what its tasks added up to.
fn drain(injector: &Injector) -> (Instant, Instant, u64) {
    let start = Instant::now();
    while let Some(mut claim) = injector.take() {
        claim.run();
        while claim.advance(None) {
            claim.run();
        }
        injector.complete(claim);
    }
    (start, Instant::now(), take_tally())
}

/// Publishes `batches` batches and lets `threads` threads drain them; returns how long that took.
fn round(injector: &Injector, batches: u64, threads: u32, sharers: u32) -> Duration {
    let handles: Vec<_> = (0..batches).map(|_| injector.publish(batch(TASKS, sharers))).collect();
    let barrier = Barrier::new(threads as usize);
    let part = || {
        barrier.wait();
        drain(injector)
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(part)).collect();
        let own = part();
        others.into_iter().map(|other| other.join().expect("no task panics")).chain([own]).collect()
    });
    handles.into_iter().for_each(|handle| injector.release(handle));
    let sum: u64 = parts.iter().map(|(_, _, sum)| sum).sum();
    assert_eq!(sum, batches * tally_of(TASKS), "every task runs once");
    let start = parts.iter().map(|(start, _, _)| *start).min();
    let end = parts.iter().map(|(_, end, _)| *end).max();
    end.zip(start).map(|(end, start)| end - start).expect("one thread takes part at least")
}

fn shape(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, threads: u32, sharers: u32) {
    let injector = Injector::new(0);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|batches| {
            let rounds = (0..batches.div_ceil(READY)).map(|done| READY.min(batches - done * READY));
            rounds.map(|batches| round(&injector, batches, threads, sharers)).sum()
        });
    });
}

fn main() {
    let mut criterion: Criterion = benches::criterion();
    let mut group = criterion.benchmark_group("claim");
    group.throughput(Throughput::Elements(TASKS));
    shape(&mut group, "guided/1_thread", 1, 1);
    shape(&mut group, "guided/2_threads", 2, 2);
    shape(&mut group, "single/1_thread", 1, MANY);
    shape(&mut group, "single/2_threads", 2, MANY);
    group.finish();
    criterion.final_summary();
}
