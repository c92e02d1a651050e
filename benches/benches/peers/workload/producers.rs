//! Producers: several threads submit small batches to one pool at the same time, and each waits for its own.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use benches::clock;

use super::submissions::Counted;
use super::{Question, Row};
use crate::measure::{Budget, Outcome, Sample, expect};
use crate::peer::{Pool, Session, Task, Visitor};

#[derive(Clone, Copy)]
pub(crate) struct Producers {
    threads: usize,
    way: Way,
}

#[derive(Clone, Copy)]
enum Way {
    Index,
    Batch,
}

/// So many tasks are in a batch.
const TASKS: usize = 16;

pub(crate) fn rows() -> Vec<Row> {
    let cases = [2, 4].into_iter().flat_map(|threads| [(threads, Way::Index), (threads, Way::Batch)]);
    let row = |(threads, way)| {
        let call = match way {
            Way::Index => "by index",
            Way::Batch => "submit and wait",
        };
        let name = format!("from {threads} threads, {call}");
        Row::new("batches of 16", name, Question::Producers(Producers { threads, way }))
    };
    cases.map(row).collect()
}

/// What the producers of one visit share. They wait for each other at both ends of a sample, and a sample lasts from the
/// first one's start to the last one's end.
struct Shared {
    barrier: Barrier,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many batches each producer submits in the next sample; none to stop.
    batches: u64,
    span: Option<(Instant, Instant)>,
    answered: bool,
    wrong: Option<String>,
}

impl Shared {
    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Producer<'a> {
    shared: &'a Shared,
    way: Way,
}

impl Visitor for Producer<'_> {
    type Out = ();

    fn visit<S: Session>(self, session: &mut S) {
        let places: Vec<_> = (0..TASKS).map(|_| AtomicU64::new(0)).collect();
        let tasks: Vec<_> = places.iter().map(Counted).collect();
        let mut expected = 0;
        loop {
            self.shared.barrier.wait();
            let batches = self.shared.with(|state| state.batches);
            if batches == 0 {
                return;
            }
            let start = Instant::now();
            let answered = (0..batches).all(|_| self.batch(session, &tasks).is_some());
            let end = Instant::now();
            expected += batches;
            let runs = |place: &AtomicU64| expect("runs of a task", place.load(Ordering::Relaxed), expected);
            let wrong = if answered { places.iter().find_map(|place| runs(place).err()) } else { None };
            self.shared.with(|state| {
                let (first, last) = state.span.unwrap_or((start, end));
                state.span = Some((first.min(start), last.max(end)));
                state.answered &= answered;
                state.wrong = state.wrong.take().or(wrong);
            });
            self.shared.barrier.wait();
        }
    }
}

impl Producer<'_> {
    fn batch<S: Session>(&self, session: &mut S, tasks: &[Counted<'_>]) -> Option<()> {
        match self.way {
            Way::Index => session.index(tasks.len(), |index| tasks[index].run()),
            Way::Batch => session.batch(tasks),
        }
    }
}

impl Producers {
    pub(crate) fn ask<P: Pool>(&self, pool: &P, budget: &Budget) -> Outcome {
        if !P::SHARED {
            return Ok(None);
        }
        let shared = Shared { barrier: Barrier::new(self.threads + 1), state: Mutex::default() };
        thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| pool.enter(Producer { shared: &shared, way: self.way }));
            }
            let outcome = self.measure(&shared, budget);
            shared.with(|state| state.batches = 0);
            shared.barrier.wait();
            outcome
        })
    }

    fn measure(&self, shared: &Shared, budget: &Budget) -> Outcome {
        let mut batches = 1;
        let mut samples = Vec::new();
        let start = Instant::now();
        // Threads that wait for each other begin some microseconds apart.
        let long = 4 * budget.sample;
        loop {
            let Some((wall, cpu)) = sample(shared, batches)? else { return Ok(None) };
            let elapsed = start.elapsed();
            if wall < long && samples.is_empty() {
                batches *= 2;
            } else if elapsed >= budget.warm_up {
                let of_all = (batches * self.threads as u64) as f64;
                let each = |time: Duration| time.as_secs_f64() * 1e9 / of_all;
                samples.push(Sample { wall: each(wall), cpu: each(cpu) });
            }
            if !samples.is_empty() && elapsed >= budget.warm_up + budget.measure {
                return Ok(Some(samples));
            }
        }
    }
}

/// Lets every producer submit so many batches; returns the time on the wall and that of the processors.
fn sample(shared: &Shared, batches: u64) -> Result<Option<(Duration, Duration)>, String> {
    shared.with(|state| *state = State { batches, answered: true, ..State::default() });
    let before = clock::cpu();
    shared.barrier.wait();
    shared.barrier.wait();
    let cpu = clock::cpu().saturating_sub(before);
    shared.with(|state| {
        if let Some(wrong) = state.wrong.take() {
            return Err(wrong);
        }
        let span = state.span.map(|(start, end)| (end - start, cpu));
        Ok(span.filter(|_| state.answered))
    })
}
