//! Shared by the benchmarks: how long they measure, a batch whose tasks can be counted, and the instruments.
//!
//! Every benchmark answers one question, which its module states, and checks its own result: a benchmark whose work
//! folds away, or runs twice, fails instead of reporting a number.

pub mod alloc;
pub mod chart;
pub mod clock;
pub mod machine;
pub mod page;
pub mod stats;
pub mod work;

use core::cell::Cell;
use core::hint::black_box;
use core::ops::Range;
use core::ptr;
use std::time::Duration;

use criterion::Criterion;
use zero_pool::batch::{Batch, Plan, Work};
use zero_pool::grain::Grain;
use zero_pool::unwind::Payload;

/// Returns a driver that measures briefly; the command line may ask for more (`--measurement-time 10`).
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(30)
        .without_plots()
        .configure_from_args()
}

thread_local! {
    /// The sum of `index + 1` over the tasks that this thread ran and nobody asked for yet. A shared sum would cost
    /// more than what is measured.
    static TALLY: Cell<u64> = const { Cell::new(0) };
}

/// Runs a range of tasks, each of which adds its index plus one to the tally of the thread that runs it.
///
/// # Safety
///
/// - Nothing is owed: the context is not read.
unsafe fn tally(_context: *const (), range: Range<usize>) -> Option<Payload> {
    let sum = range.map(|index| black_box(index as u64 + 1)).sum::<u64>();
    TALLY.set(TALLY.get() + sum);
    None
}

/// Returns the tally of the current thread and sets it to zero.
pub fn take_tally() -> u64 {
    TALLY.take()
}

/// Returns what a batch of `tasks` tasks adds to the tallies when each of them runs once.
pub const fn tally_of(tasks: u64) -> u64 {
    tasks * (tasks + 1) / 2
}

/// Makes a batch of `tasks` tasks that is shared as if among `threads` threads, all of which may join.
pub fn batch(tasks: u64, threads: u32) -> Box<Batch> {
    let work = Work { run: tally, context: ptr::null() };
    let plan = Plan { tasks, threads, helpers: threads, grain: Grain::SINGLE };
    // SAFETY: `tally` reads no context and may run on any thread, for any ranges.
    unsafe { Batch::new(work, plan) }
}
