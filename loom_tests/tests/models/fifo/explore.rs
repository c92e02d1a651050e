//! Runs a program in every schedule, and judges each run.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::{Acquire, Release};

use super::judge::{Done, Event, History, is_explained};
use super::queues::Fifo;
use super::script::{Script, Step};
use crate::fixture::{end, spawn};
use crate::support::{self, Bound};

/// What the threads of a run share.
struct Shared<F> {
    fifo: F,
    script: Arc<Script>,
    /// How many events each thread has told of.
    told: Vec<AtomicUsize>,
}

/// Explores `script`, and returns the number of schedules. Panics at a run that no order explains.
pub fn explore<F: Fifo>(script: &Script, bound: Bound) -> usize {
    let script = Arc::new(script.clone());
    let explained: Mutex<HashSet<History>> = Mutex::default();
    support::explore_all(bound, move || {
        let history = run::<F>(&script);
        let mut explained = explained.lock().unwrap_or_else(PoisonError::into_inner);
        if !explained.contains(&history) {
            assert!(is_explained(&history), "no order of its steps explains this run:\n{}", tell(&history));
            explained.insert(history);
        }
    })
}

/// The number of a batch: the pushes before all threads first, then those of each thread.
fn first_batch(script: &Script, thread: usize) -> usize {
    let pushes = |steps: &Vec<Step>| steps.iter().filter(|step| matches!(step, Step::Push(_))).count();
    script.before.len() + script.threads[..thread].iter().map(pushes).sum::<usize>()
}

fn run<F: Fifo>(script: &Arc<Script>) -> History {
    let fifo = F::new();
    for (batch, &size) in script.before.iter().enumerate() {
        fifo.let_go(fifo.push(batch, size.into()));
    }
    let told = script.threads.iter().map(|_| AtomicUsize::new(0)).collect();
    let shared = Arc::new(Shared { fifo, script: Arc::clone(script), told });
    let others: Vec<_> =
        (1..script.threads.len()).map(|at| spawn(&shared, move |shared| steps(shared, at))).collect();
    let mut threads = vec![steps(&shared, 0)];
    threads.extend(others.into_iter().map(end));
    let rest = std::iter::from_fn(|| shared.fifo.take()).collect();
    History { before: script.before.iter().map(|&size| size.into()).collect(), threads, rest }
}

fn steps<F: Fifo>(shared: &Shared<F>, thread: usize) -> Vec<Event> {
    let Shared { fifo, script, told } = shared;
    let mut events: Vec<Event> = Vec::new();
    let mut known = vec![0; told.len()];
    let mut owns: Vec<(usize, F::Own)> = Vec::new();
    for step in &script.threads[thread] {
        let done = match *step {
            Step::Push(size) => {
                let (batch, size) = (first_batch(script, thread) + owns.len(), size.into());
                owns.push((batch, fifo.push(batch, size)));
                Done::Pushed { batch, size }
            }
            Step::Take => Done::Took(fifo.take()),
            Step::Own => {
                let Some((batch, own)) = owns.last() else { continue };
                Done::Owned { batch: *batch, task: fifo.own(own) }
            }
            Step::Tell => {
                told[thread].store(events.len(), Release);
                continue;
            }
            Step::Look => {
                let others = (0..told.len()).filter(|&other| other != thread);
                others.for_each(|other| known[other] = told[other].load(Acquire));
                continue;
            }
        };
        events.push(Event { done, known: known.clone() });
    }
    owns.into_iter().for_each(|(_, own)| fifo.let_go(own));
    events
}

fn tell(history: &History) -> String {
    let mut text = String::new();
    for (at, events) in history.threads.iter().enumerate() {
        text += &format!("  thread {at}:");
        for Event { done, known } in events {
            let known = if known.iter().any(|&known| known > 0) {
                format!(" after {known:?}")
            } else {
                String::new()
            };
            text += &format!(" {done:?}{known};");
        }
        text += "\n";
    }
    text + &format!("  before: {:?}, in the end: {:?}", history.before, history.rest)
}
