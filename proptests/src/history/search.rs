//! The judge of tiny histories: tries every linearization, and remembers where it has been.
//!
//! The search of Wing and Gong (*Testing and verifying concurrent objects*, 1993) with the memory that Lowe gave it
//! (*Testing for linearizability*, 2017): from a set of operations that have happened and the queue they left behind,
//! an operation may happen next if no other that is missing was answered before it was called, and if the
//! specification gives its answer. Its cost is exponential. It is here to judge the [judge](super::check), so it
//! runs the sequential specification itself and knows nothing of windows or patterns.

use std::collections::HashSet;

use super::{BatchId, Event, Op};

/// The longest history that is searched.
pub const MAX_OPS: usize = 16;

/// What the specification knows of one batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Batch {
    id: BatchId,
    next: u32,
    tasks: u32,
}

impl Batch {
    fn is_exhausted(&self) -> bool {
        self.next == self.tasks
    }
}

/// The state of the specification: all batches, oldest first.
type Queue = Vec<Batch>;

/// Tells whether the history is linearizable. It may leave tasks unclaimed.
pub fn is_linearizable(history: &[Op]) -> bool {
    assert!(history.len() <= MAX_OPS, "{} operations are too many to search", history.len());
    search(history, 0, &Queue::new(), &mut HashSet::new())
}

fn search(history: &[Op], done: u32, queue: &Queue, been: &mut HashSet<(u32, Queue)>) -> bool {
    if done == (1 << history.len()) - 1 {
        return true;
    }
    if !been.insert((done, queue.clone())) {
        return false;
    }
    let missing = |at: usize| done & (1 << at) == 0;
    (0..history.len()).filter(|&at| missing(at)).any(|at| {
        let is_next =
            (0..history.len()).all(|other| !missing(other) || !history[other].precedes(&history[at]));
        is_next
            && apply(queue, history[at].event)
                .is_some_and(|queue| search(history, done | 1 << at, &queue, been))
    })
}

/// Returns the queue after `event`, or `None` if the specification answers otherwise.
fn apply(queue: &Queue, event: Event) -> Option<Queue> {
    let mut after = queue.clone();
    let known = |id| queue.iter().position(|batch| batch.id == id);
    let oldest = queue.iter().position(|batch| !batch.is_exhausted());
    match event {
        Event::Push { batch, tasks } => {
            if known(batch).is_some() {
                return None;
            }
            after.push(Batch { id: batch, next: 0, tasks });
        }
        Event::Empty => return oldest.is_none().then_some(after),
        Event::Exhausted { batch } => return queue[known(batch)?].is_exhausted().then_some(after),
        Event::Take(range) | Event::Own(range) => {
            let at = known(range.batch)?;
            let of_the_oldest = matches!(event, Event::Own(_)) || oldest == Some(at);
            let batch = &mut after[at];
            let fits = batch.next == range.start && range.start < range.end && range.end <= batch.tasks;
            if !of_the_oldest || !fits {
                return None;
            }
            batch.next = range.end;
        }
    }
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::super::Range;
    use super::*;

    /// Makes a history whose operations follow one another.
    fn sequence(events: &[Event]) -> Vec<Op> {
        let op =
            |(at, &event): (usize, &Event)| Op { event, called: 2 * at as u64, answered: 2 * at as u64 + 1 };
        events.iter().enumerate().map(op).collect()
    }

    fn push(batch: BatchId, tasks: u32) -> Event {
        Event::Push { batch, tasks }
    }

    fn range(batch: BatchId, start: u32, end: u32) -> Range {
        Range { batch, start, end }
    }

    #[test]
    fn h_the_specification_is_a_fifo_of_batches() {
        use Event::{Empty, Exhausted, Own, Take};
        let good = [
            Empty,
            push(1, 3),
            push(2, 1),
            Take(range(1, 0, 1)),
            Own(range(2, 0, 1)),
            Exhausted { batch: 2 },
            Take(range(1, 1, 3)),
            Empty,
        ];
        assert!(is_linearizable(&sequence(&good)));
        let bad: [&[Event]; 9] = [
            &[push(1, 1), Empty],
            &[push(1, 1), push(1, 1)],
            &[push(1, 1), push(2, 1), Take(range(2, 0, 1))],
            &[push(1, 2), Take(range(1, 1, 2))],
            &[push(1, 1), Take(range(1, 0, 2))],
            &[push(1, 1), Take(range(1, 0, 0))],
            &[push(1, 1), Own(range(1, 0, 1)), Take(range(1, 0, 1))],
            &[push(1, 2), Own(range(1, 0, 1)), Exhausted { batch: 1 }],
            &[Exhausted { batch: 1 }],
        ];
        for events in bad {
            assert!(!is_linearizable(&sequence(events)), "{events:?}");
        }
    }

    #[test]
    fn h_operations_that_overlap_come_in_any_order() {
        let mut history = sequence(&[Event::Take(range(1, 0, 1)), push(1, 1)]);
        assert!(!is_linearizable(&history));
        history[0].answered = history[1].called;
        assert!(is_linearizable(&history), "equal stamps overlap");
    }
}
