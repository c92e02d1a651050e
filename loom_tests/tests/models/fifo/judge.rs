//! The sequential specification, and whether some order of the steps explains what they were answered.
//!
//! The specification is a FIFO of batches: `push` puts one behind all others, `take` gets the next task of the oldest batch
//! that has one, or the answer that there is none, and `own` gets the next task of one certain batch, wherever it stands.
//!
//! An order explains a run if each thread's steps are in it in their order, if what a thread had learned to be done comes
//! before what it did next, if every step is answered as the specification answers it, and if what is left in the end, in
//! its order, is what was then taken out. The search for such an order tries all of them.

use std::collections::{BTreeMap, HashSet};

/// A task: the number of its batch, and its index in it.
pub type Task = (usize, usize);

/// What a step did, and what it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Done {
    Pushed { batch: usize, size: usize },
    Took(Option<Task>),
    Owned { batch: usize, task: Option<Task> },
}

/// A step, with how many steps of each thread are known to come before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    pub done: Done,
    pub known: Vec<usize>,
}

/// One run: the sizes of what was there before, what each thread did, and what was taken out in the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct History {
    pub before: Vec<usize>,
    pub threads: Vec<Vec<Event>>,
    pub rest: Vec<Task>,
}

/// Batches from the oldest to the newest, with how many tasks were taken, and the size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Fifo {
    order: Vec<usize>,
    taken: BTreeMap<usize, (usize, usize)>,
}

impl Fifo {
    fn push(&mut self, batch: usize, size: usize) {
        self.order.push(batch);
        self.taken.insert(batch, (0, size));
    }

    fn take(&mut self) -> Option<Task> {
        self.order.clone().into_iter().find_map(|batch| self.own(batch))
    }

    fn own(&mut self, batch: usize) -> Option<Task> {
        let (taken, size) = self.taken.get_mut(&batch)?;
        let index = *taken;
        *taken += usize::from(index < *size);
        (index < *size).then_some((batch, index))
    }

    /// Takes a step; tells whether it is answered so.
    fn answers(&mut self, done: &Done) -> bool {
        match done {
            Done::Pushed { batch, size } => {
                self.push(*batch, *size);
                true
            }
            Done::Took(task) => self.take() == *task,
            Done::Owned { batch, task } => self.own(*batch) == *task,
        }
    }

    fn rest(&mut self) -> Vec<Task> {
        std::iter::from_fn(|| self.take()).collect()
    }
}

/// Tells whether an order explains the history.
pub fn is_explained(history: &History) -> bool {
    let mut fifo = Fifo::default();
    history.before.iter().enumerate().for_each(|(batch, &size)| fifo.push(batch, size));
    let begin = (vec![0; history.threads.len()], fifo);
    let mut seen = HashSet::from([begin.clone()]);
    let mut open = vec![begin];
    while let Some((at, fifo)) = open.pop() {
        let mut ended = true;
        for (thread, events) in history.threads.iter().enumerate() {
            let Some(event) = events.get(at[thread]) else { continue };
            ended = false;
            let is_due = at.iter().zip(&event.known).all(|(done, known)| done >= known);
            let (mut at, mut fifo) = (at.clone(), fifo.clone());
            at[thread] += 1;
            if is_due && fifo.answers(&event.done) && seen.insert((at.clone(), fifo.clone())) {
                open.push((at, fifo));
            }
        }
        if ended && fifo.clone().rest() == history.rest {
            return true;
        }
    }
    false
}
