//! The same programs under loom, which explores every schedule.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use loom::sync::atomic::{AtomicU8, fence};
use loom::thread;

use super::machine::Outcome;
use super::program::{Op, Program};
use crate::support::{self, Bound};

/// Returns the outcomes that loom shows, and in how many schedules it found them.
pub fn outcomes(program: &Program) -> (BTreeSet<Outcome>, usize) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let notes = Arc::clone(&seen);
    let program = Arc::new(program.clone());
    let schedules = support::explore_all(Bound::None, move || {
        let outcome = run(&program);
        notes.lock().unwrap_or_else(PoisonError::into_inner).insert(outcome);
    });
    (std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner)), schedules)
}

/// Runs it once, the first thread on the main one.
fn run(program: &Arc<Program>) -> Outcome {
    let atomics: Arc<[AtomicU8]> = (0..program.atomics).map(|_| AtomicU8::new(0)).collect();
    let others: Vec<_> = (1..program.threads.len())
        .map(|at| {
            let (atomics, program) = (Arc::clone(&atomics), Arc::clone(program));
            thread::spawn(move || steps(&atomics, &program.threads[at]))
        })
        .collect();
    let mut outcome = vec![steps(&atomics, &program.threads[0])];
    outcome.extend(others.into_iter().map(|other| other.join().expect("the thread ends")));
    outcome
}

fn steps(atomics: &[AtomicU8], steps: &[Op]) -> Vec<u8> {
    let mut read = Vec::new();
    for step in steps {
        match *step {
            Op::Load { at, order } => read.push(atomics[at].load(order)),
            Op::Store { at, value, order } => atomics[at].store(value, order),
            Op::Add { at, value, order } => read.push(atomics[at].fetch_add(value, order)),
            Op::Exchange { at, from, to, success, failure } => {
                read.push(atomics[at].compare_exchange(from, to, success, failure).unwrap_or_else(|old| old));
            }
            Op::Fence { order } => fence(order),
        }
    }
    read
}
