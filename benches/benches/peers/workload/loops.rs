//! Loops: one call for many tasks, by index, from items to places, or over parameters that are built for the call.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use benches::work::{Random, steps, steps_in_a_row};

use super::load::{Empty, Indexed, Load, Steps};
use super::{Question, Row};
use crate::measure::{Budget, Outcome, timed};
use crate::peer::Session;

/// One row: what the tasks do, and by which call they are run.
pub(crate) struct Loop {
    tasks: usize,
    kind: Kind,
    way: Way,
    /// Lengths and results, which are worked out when a peer is first asked.
    work: OnceLock<Steps>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Empty,
    Indexed,
    /// 10,000 to 50,000 steps with branches.
    Heavy,
    /// So many nanoseconds each.
    Worked(f64),
    /// Pareto with a tail that holds most of the work, in random order or with the longest last.
    Tailed {
        sorted: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Index,
    Uneven,
    Map,
    /// The seed's surface: a vector of parameters, built within the call.
    Slice,
}

/// What a task must do for the dispatch of 0.4 to have cost as much as the work, in nanoseconds.
const SHORT: f64 = 87.0;

pub(crate) fn rows() -> Vec<Row> {
    use Kind::{Empty, Heavy, Indexed, Tailed, Worked};
    let row = |group, name: &str, tasks, kind, way| {
        let question = Loop { tasks, kind, way, work: OnceLock::new() };
        let real_work = !matches!(kind, Empty | Indexed);
        Row { real_work, ..Row::new(group, name, Question::Loop(Arc::new(question))) }
    };
    let ways = [("by index", Way::Index), ("map into", Way::Map), ("parameters built", Way::Slice)];
    let thousand = [
        ("indexed computation", Indexed, &ways[..]),
        ("task overhead", Empty, &ways),
        ("87 ns of work", Worked(SHORT), &ways),
        ("heavy compute", Heavy, &[ways[0], ways[2]]),
    ];
    let mut rows = Vec::new();
    for (group, kind, ways) in thousand {
        rows.extend(ways.iter().map(|(name, way)| row(group, name, 1000, kind, *way)));
    }
    for tasks in [1, 2, 8, 64, 1_000, 10_000, 100_000, 1_000_000] {
        rows.push(row("empty tasks by index", &tasks.to_string(), tasks, Empty, Way::Index));
    }
    for (tasks, nanos) in [(100, 50.0), (16, 500.0)] {
        rows.push(row("short loops", &format!("{tasks} of {nanos} ns"), tasks, Worked(nanos), Way::Index));
    }
    for (name, sorted) in [("random order", false), ("longest last", true)] {
        rows.push(row("10,000 uneven tasks", name, 10_000, Tailed { sorted }, Way::Uneven));
    }
    rows
}

impl Loop {
    pub(crate) fn ask<S: Session>(&self, session: &mut S, budget: &Budget) -> Outcome {
        match self.kind {
            Kind::Empty => self.measure(&Empty, session, budget),
            Kind::Indexed => self.measure(&Indexed, session, budget),
            Kind::Worked(_) | Kind::Heavy | Kind::Tailed { .. } => {
                self.measure(self.work.get_or_init(|| self.prepare()), session, budget)
            }
        }
    }

    fn prepare(&self) -> Steps {
        let mut random = Random::new(1);
        let lengths = 0..self.tasks;
        match self.kind {
            Kind::Empty | Kind::Indexed => Steps::chain(Vec::new()),
            Kind::Worked(nanos) => {
                let each = steps_in_a_row(nanos);
                Steps::chain(lengths.map(|_| each).collect())
            }
            Kind::Heavy => Steps::branches(lengths.map(|_| 10_000 + random.number() % 40_001).collect()),
            Kind::Tailed { sorted } => {
                // The least is 300 ns, and the mean about four times as much.
                let pareto = |share: f64| 300.0 * share.powf(-0.75).min(1000.0);
                let mut lengths: Vec<_> = lengths.map(|_| steps(pareto(random.share()))).collect();
                if sorted {
                    lengths.sort_unstable();
                }
                Steps::chain(lengths)
            }
        }
    }

    fn measure<S: Session, L: Load>(&self, load: &L, session: &mut S, budget: &Budget) -> Outcome {
        let items: Vec<usize> = if self.way == Way::Map { (0..self.tasks).collect() } else { Vec::new() };
        let results = core::cell::RefCell::new(vec![0_u64; self.tasks]);
        let call = |epoch| {
            let results = &mut *results.borrow_mut();
            match self.way {
                Way::Index => {
                    let places = atomics(results);
                    session.index(self.tasks, |index| {
                        places[index].store(load.run(index, epoch), Ordering::Relaxed);
                    })
                }
                Way::Uneven => {
                    let places = atomics(results);
                    session.uneven(self.tasks, |index| {
                        places[index].store(load.run(index, epoch), Ordering::Relaxed);
                    })
                }
                Way::Map => session.map(&items, results, |index| load.run(*index, epoch)),
                Way::Slice => {
                    let places = results.iter_mut().enumerate();
                    let params: Vec<_> =
                        places.map(|(index, result)| load.params(index, epoch, result)).collect();
                    session.slice(&params)
                }
            }
        };
        timed(budget, call, |epoch| check(load, &mut results.borrow_mut(), epoch))
    }
}

/// Lends places to tasks that each write one of them. A relaxed store is a plain one on every machine that runs this.
fn atomics(places: &mut [u64]) -> &[AtomicU64] {
    let places: *mut [u64] = places;
    // SAFETY: the layout is the same, and the places are borrowed for as long.
    unsafe { &*(places as *const [AtomicU64]) }
}

/// Compares all results, and spoils them for the next sample.
fn check<L: Load>(load: &L, results: &mut [u64], epoch: u64) -> Result<(), String> {
    for (index, result) in results.iter_mut().enumerate() {
        let (found, expected) = (std::mem::replace(result, u64::MAX), load.expected(index, epoch));
        if found != expected {
            return Err(format!("task {index}: found {found:#x}, expected {expected:#x}"));
        }
    }
    Ok(())
}
