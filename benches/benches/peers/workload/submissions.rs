//! Submissions: tasks that are submitted, one by one or as a batch of parameters that lie ready, and then waited for.

use core::hint;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use benches::work::{chain, steps};

use super::{Question, Row};
use crate::measure::{Budget, Outcome, expect, intervals, timed};
use crate::peer::{Each, Script, Session, Task};

#[derive(Clone, Copy)]
pub(crate) enum Submission {
    /// Submit so many tasks in one call if there is one, and wait.
    Batch(usize),
    /// Submit so many tasks one by one, then wait for all.
    Singles(usize),
    /// Submit so many tasks of so many nanoseconds one by one, then wait for all.
    Worked(usize, f64),
    /// Submit one task, when the workers have slept for a while, and see what that cost the submitter.
    ToIdle,
    /// Submit many tasks while all workers are busy, and see what each cost the submitter.
    ToBusy,
    /// Submit two tasks that wait for each other, when the workers have slept for a while, and wait for both.
    Rendezvous,
}

/// How long nobody needs the workers: longer than any peer spins before it sleeps (OpenMP some 4 ms).
const PAUSE: Duration = Duration::from_millis(10);
/// Whoever waits for another thread longer than this waits in vain.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many tasks are submitted to busy workers in one interval. OpenMP runs a task in place when 128 are queued.
const TO_BUSY: usize = 100;
/// A visit that pauses before every sample takes so many at least.
const FEW: usize = 8;

pub(crate) fn rows() -> Vec<Row> {
    let row = |group, name: &str, question| Row::new(group, name, Question::Submission(question));
    let mut rows = Vec::new();
    for tasks in [1, 2, 8, 64] {
        rows.push(row("submit and wait", &format!("batch of {tasks}"), Submission::Batch(tasks)));
    }
    rows.push(row("submit and wait", "1000 singles", Submission::Singles(1000)));
    for (tasks, nanos) in [(16, 10_000.0), (500, 5_000.0)] {
        let name = format!("{tasks} singles of {} us", nanos / 1e3);
        rows.push(Row { real_work: true, ..row("submit and wait", &name, Submission::Worked(tasks, nanos)) });
    }
    rows.push(row("submit only", "workers idle", Submission::ToIdle));
    rows.push(row("submit only", "workers busy", Submission::ToBusy));
    rows.push(row("rendezvous", "two tasks, cold", Submission::Rendezvous));
    rows
}

impl Submission {
    pub(crate) fn ask<S: Session>(self, session: &mut S, budget: &Budget) -> Outcome {
        match self {
            Self::Batch(tasks) => marks(tasks, budget, |params| session.batch(params)),
            Self::Singles(tasks) => marks(tasks, budget, |params| session.scope(Each(params))),
            Self::Worked(tasks, nanos) => worked(tasks, nanos, session, budget),
            Self::ToIdle => to_idle(session, budget),
            Self::ToBusy => to_busy(session, budget),
            Self::Rendezvous => rendezvous(session, budget),
        }
    }
}

/// A task that counts its runs, which no two threads do at once.
pub(super) struct Counted<'a>(pub(super) &'a AtomicU64);

impl Task for Counted<'_> {
    fn run(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// Measures a call that runs each of these tasks once. They are built beforehand and count their runs, so that as many
/// runs as calls are expected of each.
fn marks(tasks: usize, budget: &Budget, mut call: impl FnMut(&[Counted<'_>]) -> Option<()>) -> Outcome {
    let places: Vec<_> = (0..tasks).map(|_| AtomicU64::new(0)).collect();
    let params: Vec<_> = places.iter().map(Counted).collect();
    timed(
        budget,
        |_| call(&params),
        |epoch| {
            places.iter().try_for_each(|place| expect("runs of a task", place.load(Ordering::Relaxed), epoch))
        },
    )
}

/// A task that does some work, and mixes what comes of it into its result.
struct Working {
    seed: u64,
    steps: u64,
    result: AtomicU64,
}

impl Task for Working {
    fn run(&self) {
        let before = self.result.load(Ordering::Relaxed);
        self.result
            .store(before.wrapping_mul(3).wrapping_add(chain(self.seed, self.steps)), Ordering::Relaxed);
    }
}

/// Measures the submission of tasks one by one, which do some work, and the wait for all.
fn worked<S: Session>(tasks: usize, nanos: f64, session: &mut S, budget: &Budget) -> Outcome {
    let steps = steps(nanos);
    let task = |seed| Working { seed, steps, result: AtomicU64::new(0) };
    let tasks: Vec<_> = (0..tasks as u64).map(task).collect();
    let each: Vec<_> = tasks.iter().map(|task| chain(task.seed, steps)).collect();
    // What a result is a multiple of its task's outcome by.
    let (mut calls, mut factor) = (0, 0_u64);
    timed(
        budget,
        |_| session.scope(Each(&tasks)),
        |epoch| {
            while calls < epoch {
                factor = factor.wrapping_mul(3).wrapping_add(1);
                calls += 1;
            }
            tasks.iter().zip(&each).try_for_each(|(task, each)| {
                expect("result", task.result.load(Ordering::Relaxed), each.wrapping_mul(factor))
            })
        },
    )
}

/// Takes one sample after another until the time is over, but a few at least. It takes longer than others, as most of it
/// is pauses.
fn repeat(budget: &Budget, mut sample: impl FnMut(u64) -> Result<Option<Duration>, String>) -> Outcome {
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < FEW || start.elapsed() < 5 * budget.measure {
        match sample(times.len() as u64 + 1)? {
            Some(time) => times.push(time),
            None => return Ok(None),
        }
    }
    Ok(Some(intervals(times)))
}

/// Submits each task and tells how long that took.
struct Timed<'t, T>(&'t [T]);

impl<'t, T: Task + 't> Script<'t, T> for Timed<'t, T> {
    type Out = Duration;

    fn tasks(&self) -> usize {
        self.0.len()
    }

    fn run(self, submit: impl FnMut(&'t T)) -> Duration {
        let start = Instant::now();
        self.0.iter().for_each(submit);
        start.elapsed()
    }
}

fn to_idle<S: Session>(session: &mut S, budget: &Budget) -> Outcome {
    let place = AtomicU64::new(0);
    let task = [Counted(&place)];
    repeat(budget, |epoch| {
        thread::sleep(PAUSE);
        let took = session.scope(Timed(&task));
        if took.is_some() {
            expect("runs of a task", place.load(Ordering::Relaxed), epoch)?;
        }
        Ok(took)
    })
}

/// What keeps workers busy without taking a core from the submitter: they sleep inside of a task.
#[derive(Default)]
struct Gate {
    arrived: AtomicUsize,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = self.opened.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }
}

/// A task before the gate, or one that counts.
enum Guest<'a> {
    Waits(&'a Gate),
    Counts(Counted<'a>),
}

impl Task for Guest<'_> {
    fn run(&self) {
        match self {
            Self::Waits(gate) => gate.pass(),
            Self::Counts(task) => task.run(),
        }
    }
}

/// Fills the workers, submits the other tasks, tells how long that took, and opens the gate.
struct Crowd<'t, 'a> {
    gate: &'a Gate,
    fillers: &'t [Guest<'a>],
    others: &'t [Guest<'a>],
}

impl<'t, 'a: 't> Script<'t, Guest<'a>> for Crowd<'t, 'a> {
    type Out = Option<Duration>;

    fn tasks(&self) -> usize {
        self.fillers.len() + self.others.len()
    }

    fn run(self, mut submit: impl FnMut(&'t Guest<'a>)) -> Option<Duration> {
        self.fillers.iter().for_each(&mut submit);
        let full = wait_until(|| self.gate.arrived.load(Ordering::Relaxed) == self.fillers.len());
        let start = Instant::now();
        self.others.iter().for_each(submit);
        let took = start.elapsed();
        self.gate.open();
        full.then_some(took)
    }
}

/// Waits for other threads without taking a core from them; tells whether it came true.
fn wait_until(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        thread::sleep(Duration::from_micros(50));
    }
    true
}

fn to_busy<S: Session>(session: &mut S, budget: &Budget) -> Outcome {
    if !S::MAY_BLOCK {
        return Ok(None);
    }
    let places: Vec<_> = (0..TO_BUSY).map(|_| AtomicU64::new(0)).collect();
    let others: Vec<_> = places.iter().map(|place| Guest::Counts(Counted(place))).collect();
    repeat(budget, |epoch| {
        let gate = Gate::default();
        let fillers: Vec<_> = (0..S::WORKERS).map(|_| Guest::Waits(&gate)).collect();
        let script = Crowd { gate: &gate, fillers: &fillers, others: &others };
        let Some(took) = session.scope(script) else { return Ok(None) };
        let took = took.ok_or("the workers did not take the tasks that should fill them")?;
        places.iter().try_for_each(|place| expect("runs", place.load(Ordering::Relaxed), epoch))?;
        Ok(Some(took / TO_BUSY as u32))
    })
}

/// One of two tasks that wait for each other.
struct Meeting<'a> {
    arrived: &'a AtomicUsize,
    met: AtomicU64,
}

impl Task for Meeting<'_> {
    fn run(&self) {
        self.arrived.fetch_add(1, Ordering::AcqRel);
        let start = Instant::now();
        // The other may be on its way, or wait for the core that we have.
        while self.arrived.load(Ordering::Acquire) < 2 {
            (0..100).for_each(|_| hint::spin_loop());
            thread::yield_now();
            if start.elapsed() > PATIENCE {
                return;
            }
        }
        self.met.fetch_add(1, Ordering::Relaxed);
    }
}

fn rendezvous<S: Session>(session: &mut S, budget: &Budget) -> Outcome {
    if S::WORKERS == 0 {
        return Ok(None);
    }
    repeat(budget, |_| {
        let arrived = AtomicUsize::new(0);
        let tasks = [(); 2].map(|()| Meeting { arrived: &arrived, met: AtomicU64::new(0) });
        thread::sleep(PAUSE);
        let start = Instant::now();
        if session.scope(Each(&tasks)).is_none() {
            return Ok(None);
        }
        let took = start.elapsed();
        tasks.iter().try_for_each(|task| expect("meetings", task.met.load(Ordering::Relaxed), 1))?;
        Ok(Some(took))
    })
}
