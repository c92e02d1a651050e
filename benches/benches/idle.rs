//! What does a submission pay for wake-ups when none is needed, and what does the idle word cost when one is?
//!
//! One thread plays the submitter and the only worker, so that nobody sleeps and no system call wakes anybody: the
//! figures are the price of the protocol without the operating system. The unit is one notification or one round.
//!
//! - `idle/notify_nobody_parked`: the fence and the notification of a submission when every worker is running.
//! - `idle/notify_while_looking`: the same while a worker looks, with another one parked.
//! - `idle/round`: a worker announces its sleep, is popped by a notification, and leaves the looking state.

use std::hint::black_box;
use std::sync::atomic::{Ordering, fence};

use criterion::{Criterion, Throughput};
use zero_pool::idle::{Announced, Idle, Looking, Seat, Woken};

/// Does what a submission does after it has linked its batch.
fn submit(idle: &Idle) {
    fence(Ordering::SeqCst);
    black_box(idle).notify();
}

/// Sleeps, which ends at once since the worker was popped before.
fn woken(idle: &Idle, announced: Announced) -> (Seat, Looking) {
    match idle.sleep(announced) {
        Woken::Look(seat, looking) => (seat, looking),
        Woken::Closed => panic!("nobody closed"),
    }
}

/// Announces the worker of `seat` as parked.
fn announce(idle: &Idle, seat: Seat) -> Announced {
    idle.announce(seat, None).expect("nobody closed")
}

fn notify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("idle");
    group.throughput(Throughput::Elements(1));
    let idle = Idle::new(2);
    group.bench_function("notify_nobody_parked", |bencher| bencher.iter(|| submit(&idle)));

    // SAFETY: the seat of worker 0 is taken once.
    let first = unsafe { idle.seat(0) };
    // SAFETY: the seat of worker 1 is taken once.
    let second = unsafe { idle.seat(1) };
    let below = announce(&idle, first);
    let above = announce(&idle, second);
    submit(&idle);
    let (_, looking) = woken(&idle, above);
    group.bench_function("notify_while_looking", |bencher| bencher.iter(|| submit(&idle)));
    idle.leave(looking);
    // Only a worker that no notification has popped is told by the close.
    idle.close();
    assert!(matches!(idle.sleep(below), Woken::Closed), "nobody is woken while one looks");
    group.finish();
}

fn round(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("idle");
    group.throughput(Throughput::Elements(1));
    let idle = Idle::new(1);
    // SAFETY: the seat of worker 0 is taken once.
    let mut seat = Some(unsafe { idle.seat(0) });
    group.bench_function("round", |bencher| {
        bencher.iter(|| {
            let announced = announce(&idle, seat.take().expect("the seat comes back each round"));
            submit(&idle);
            let (again, looking) = woken(&idle, announced);
            idle.leave(looking);
            seat = Some(again);
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = benches::criterion();
    notify(&mut criterion);
    round(&mut criterion);
    criterion.final_summary();
}
