//! Resources: what a pool takes when it has nothing to do, what a call allocates, and whether memory grows.

use core::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use benches::{alloc, clock};

use super::submissions::Counted;
use super::{Question, Row, Unit};
use crate::measure::{Budget, Outcome, Sample, counted, expect};
use crate::peer::{Each, Session, Task};

#[derive(Clone, Copy)]
pub(crate) enum Resource {
    /// Processor time while nobody asks for anything, after work.
    Idle,
    /// Allocations of a call, when many have gone before.
    Allocations(Call),
    /// Bytes that stay allocated, per submission.
    Growth,
}

#[derive(Clone, Copy)]
pub(crate) enum Call {
    Index,
    Batch,
    Single,
    Join,
}

/// So many tasks are submitted one by one before all are waited for.
const SINGLES: usize = 1000;
/// So many calls go before those that are counted, and so many are counted.
const CALLS: usize = 1000;
/// A pool that keeps more than this is seen to grow without another submission.
const ENOUGH: i64 = 256 << 20;

pub(crate) fn rows() -> Vec<Row> {
    let row = |group, name: &str, unit, once, question| Row {
        unit,
        once,
        ..Row::new(group, name, Question::Resource(question))
    };
    let allocations = |name, call| row("allocations", name, Unit::Count, true, Resource::Allocations(call));
    vec![
        row("processor time", "idle after work", Unit::CpuPerSecond, false, Resource::Idle),
        allocations("per loop of 1000 by index", Call::Index),
        allocations("per batch of 64", Call::Batch),
        allocations("per single of 1000", Call::Single),
        allocations("per join", Call::Join),
        row("memory", "growth per submission", Unit::Bytes, true, Resource::Growth),
    ]
}

impl Resource {
    pub(crate) fn ask<S: Session>(self, session: &mut S, budget: &Budget) -> Outcome {
        match self {
            Self::Idle => idle(session, budget),
            Self::Allocations(_) | Self::Growth if !S::COUNTED => Ok(None),
            Self::Allocations(call) => allocations(session, call),
            Self::Growth => growth(session, budget),
        }
    }
}

/// A number of tasks that count their runs.
struct Tally(Vec<AtomicU64>);

impl Tally {
    fn of(tasks: usize) -> Self {
        Self((0..tasks).map(|_| AtomicU64::new(0)).collect())
    }

    fn tasks(&self) -> Vec<Counted<'_>> {
        self.0.iter().map(Counted).collect()
    }

    fn expect(&self, runs: u64) -> Result<(), String> {
        self.0.iter().try_for_each(|place| expect("runs of a task", place.load(Ordering::Relaxed), runs))
    }
}

fn idle<S: Session>(session: &mut S, budget: &Budget) -> Outcome {
    const ROUNDS: u64 = 100;
    let tally = Tally::of(SINGLES);
    let tasks = tally.tasks();
    for _ in 0..ROUNDS {
        if session.index(tasks.len(), |index| tasks[index].run()).is_none() {
            return Ok(None);
        }
    }
    tally.expect(ROUNDS)?;
    // Who spins for a while before it sleeps is let do so.
    thread::sleep(Duration::from_millis(20));
    let pause = 4 * budget.measure;
    // This thread's own sleep takes more than an idle pool does.
    let before = clock::cpu_of_others();
    thread::sleep(pause);
    let used = clock::cpu_of_others().saturating_sub(before);
    let per_second = used.as_secs_f64() * 1e3 / pause.as_secs_f64();
    Ok(Some(vec![Sample { wall: per_second, cpu: f64::NAN }]))
}

fn allocations<S: Session>(session: &mut S, call: Call) -> Outcome {
    let tally = Tally::of(match call {
        Call::Index | Call::Single => SINGLES,
        Call::Batch => 64,
        Call::Join => 2,
    });
    let tasks = tally.tasks();
    let mut calls = |calls: usize| -> Option<()> {
        for _ in 0..calls {
            match call {
                Call::Index => session.index(tasks.len(), |index| tasks[index].run())?,
                Call::Batch => session.batch(&tasks)?,
                Call::Single => session.scope(Each(&tasks))?,
                Call::Join => {
                    session.fork(|session| session.join(|_| tasks[0].run(), |_| tasks[1].run())).map(drop)?;
                }
            }
        }
        Some(())
    };
    let (calls_of, per) = if matches!(call, Call::Single) { (CALLS / 10, SINGLES) } else { (CALLS, 1) };
    if calls(calls_of).is_none() {
        return Ok(None);
    }
    let allocations = alloc::count(|| calls(calls_of).unwrap_or_default());
    tally.expect(2 * calls_of as u64)?;
    counted(allocations as f64 / (calls_of * per) as f64)
}

/// Submits a tenth of the tasks, and the rest; what the rest leaves behind is the growth.
fn growth<S: Session>(session: &mut S, budget: &Budget) -> Outcome {
    let tally = Tally::of(SINGLES);
    let tasks = tally.tasks();
    let (first, rounds) = (budget.submissions / SINGLES / 10, budget.submissions / SINGLES);
    let live = alloc::LiveBytes::follow();
    let mut before = 0;
    for round in 0..rounds {
        if round == first {
            before = live.grown();
        }
        if session.scope(Each(&tasks)).is_none() {
            return Ok(None);
        }
        if round > first && live.grown() > ENOUGH {
            return counted((live.grown() - before) as f64 / ((round + 1 - first) * SINGLES) as f64);
        }
    }
    tally.expect(rounds as u64)?;
    counted((live.grown() - before).max(0) as f64 / ((rounds - first) * SINGLES) as f64)
}
