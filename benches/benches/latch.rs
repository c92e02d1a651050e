//! What does it cost to finish a task, to ask whether a batch is finished, and to wake who waited?
//!
//! One thread does everything, so that no park is part of a figure. The unit is one completion, one question, or one
//! sleeper.
//!
//! - `latch/complete_is_finished`: one completion of one task, and one question, a thousand times on one latch.
//! - `latch/wait_finished`: a wait for a batch that is finished already.
//! - `latch/enter_complete_wake`: a waker enters the lot, and the completion that finishes the batch wakes it.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};

use criterion::{Criterion, Throughput};
use zero_pool::latch::{Latch, Lot, Sleeper};

const TASKS: u64 = 1_000;

/// Counts how often it was woken.
#[derive(Default)]
struct Alarm(AtomicU64);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Finishes a fresh latch of `tasks` tasks one by one; returns how often it said that it was finished.
fn finish(tasks: u64) -> u64 {
    let latch = Latch::new(tasks);
    let finished = |_| {
        let completion = latch.complete(black_box(1));
        assert!(!completion.wake && !completion.last, "nobody sleeps, and two holds are left");
        u64::from(latch.is_finished())
    };
    (0..tasks).map(finished).sum()
}

/// Lets `waker` sleep on a fresh latch, finishes it, and wakes who sleeps.
fn sleep_and_wake(lot: &Lot, waker: &Waker) {
    let latch = black_box(Latch::new(1));
    let ticket = lot.enter(&latch, Sleeper::Task(waker.clone()));
    assert!(ticket.is_some(), "an unfinished latch lets sleepers in");
    let key = latch.key();
    if latch.complete(1).wake {
        lot.wake(key, Sleeper::wake);
    }
}

fn latch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("latch");
    group.throughput(Throughput::Elements(TASKS));
    group.bench_function("complete_is_finished", |bencher| {
        bencher.iter(|| assert_eq!(finish(black_box(TASKS)), 1, "the last completion alone finishes"));
    });
    group.throughput(Throughput::Elements(1));
    let lot = Lot::new();
    let done = Latch::new(1);
    assert!(!done.complete(1).wake, "nobody sleeps");
    group.bench_function("wait_finished", |bencher| {
        bencher.iter(|| {
            let done = black_box(&done);
            done.wait(&lot);
            assert!(done.is_finished(), "it was finished before");
        });
    });
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    let mut slept = 0;
    group.bench_function("enter_complete_wake", |bencher| {
        bencher.iter(|| {
            slept += 1;
            sleep_and_wake(&lot, &waker);
        });
    });
    assert_eq!(alarm.0.load(Ordering::Relaxed), slept, "every sleeper is woken once");
    group.finish();
}

fn main() {
    let mut criterion = benches::criterion();
    latch(&mut criterion);
    criterion.final_summary();
}
