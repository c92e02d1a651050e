//! In which stretch of time each operation of a history can have happened.
//!
//! First the *ledger*: which operations belong to a batch, whether the claimed ranges fit together, and nothing about
//! time. Then the *windows*. An operation happened between its call and its answer, and also after every operation
//! that must come before it, hence after all their calls, and before all the answers of those that come after:
//!
//! ```text
//!              push      ├──────────────────────────┤
//!              claim 0..2       ├───────────┤
//!              claim 2..3   ├──────────────────┤
//!
//!   window of  push      ▐██████████████████▌             the first claim was answered there
//!              claim 0..2       ▐███████████▌
//!              claim 2..3       ▐██████████████▌          not before its predecessor was called
//! ```
//!
//! An operation whose window is empty breaks the order of its own batch, whatever other batches did. Of all others
//! only four numbers per batch are needed, which [`Windows`] keeps: the window of the push, the end of the window of
//! the first take (from where the batch is certainly *in service*), and the start of the window of the last claim (up
//! to where it certainly has tasks).
//!
//! A batch that was not claimed to its end is treated as if its rest were claimed by its owner after all that was
//! recorded, at [`NEVER`].

use std::collections::HashMap;

use super::check::{Kind, Violation};
use super::{BatchId, Event, Op, Stamp};

/// After all stamps of a history.
pub const NEVER: Stamp = Stamp::MAX;

/// What belongs to one batch, as places in the history.
#[derive(Debug)]
struct Entry {
    push: usize,
    tasks: u32,
    /// In the order of their ranges.
    claims: Vec<usize>,
    exhausted: Vec<usize>,
    complete: bool,
}

/// A history sorted by batches. What it says fits together, apart from time.
#[derive(Debug)]
pub struct Ledger<'a> {
    history: &'a [Op],
    entries: Vec<Entry>,
}

/// What the judge needs to know of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// The push, as a place in the history.
    pub push: usize,
    /// The first claim through the queue, if there was one.
    pub take: Option<usize>,
    /// The last claim.
    pub last: Option<usize>,
    /// The push happened in this stretch.
    pub pushed: (Stamp, Stamp),
    /// The first take happened up to here; [`NEVER`] when there was none.
    pub served: Stamp,
    /// The last task was claimed from here on.
    pub claimed: Stamp,
}

impl<'a> Ledger<'a> {
    /// Sorts a history by batches and checks the ranges.
    pub fn new(history: &'a [Op]) -> Result<Self, Violation> {
        let mut ids = HashMap::<BatchId, usize>::new();
        let mut entries = Vec::<Entry>::new();
        for (push, op) in history.iter().enumerate() {
            let Event::Push { batch, tasks } = op.event else {
                continue;
            };
            if let Some(first) = ids.insert(batch, entries.len()) {
                return Err(Violation::new(Kind::PushedTwice, [entries[first].push, push]));
            }
            entries.push(Entry { push, tasks, claims: Vec::new(), exhausted: Vec::new(), complete: false });
        }
        for (at, op) in history.iter().enumerate() {
            let batch = match op.event {
                Event::Take(range) | Event::Own(range) => range.batch,
                Event::Exhausted { batch } => batch,
                Event::Push { .. } | Event::Empty => continue,
            };
            let Some(&entry) = ids.get(&batch) else {
                return Err(Violation::new(Kind::Alien, [at]));
            };
            match op.event.claim() {
                Some(_) => entries[entry].claims.push(at),
                None => entries[entry].exhausted.push(at),
            }
        }
        let mut ledger = Self { history, entries };
        ledger.check_ranges()?;
        Ok(ledger)
    }

    /// Sorts the claims of each batch by their ranges, which must follow one another without overlap or gap.
    fn check_ranges(&mut self) -> Result<(), Violation> {
        let range = |&at: &usize| self.history[at].event.claim().expect("only claims are filed as such");
        for entry in &mut self.entries {
            entry.claims.sort_by_key(|at| range(at).start);
            let (mut next, mut before) = (0, entry.push);
            for &at in &entry.claims {
                let claim = range(&at);
                if claim.start >= claim.end || claim.end > entry.tasks {
                    return Err(Violation::new(Kind::Alien, [at]));
                }
                if claim.start < next {
                    return Err(Violation::new(Kind::Twice, [before, at]));
                }
                if claim.start > next {
                    return Err(Violation::new(Kind::Lost, [before, at]));
                }
                (next, before) = (claim.end, at);
            }
            entry.complete = next == entry.tasks;
        }
        Ok(())
    }

    /// Returns an error if a task was never claimed.
    pub fn check_drained(&self) -> Result<(), Violation> {
        match self.entries.iter().find(|entry| !entry.complete) {
            Some(entry) => Err(Violation::new(Kind::Lost, [entry.push])),
            None => Ok(()),
        }
    }

    /// Computes the windows of every batch, none of which is empty.
    pub fn windows(&self) -> Result<Vec<Windows>, Violation> {
        self.entries.iter().map(|entry| self.windows_of(entry)).collect()
    }

    fn windows_of(&self, entry: &Entry) -> Result<Windows, Violation> {
        let op = |at: usize| &self.history[at];
        let (push, mut latest) = (op(entry.push), entry.push);
        // Forward: nothing happens before the latest call so far.
        for &at in &entry.claims {
            if op(at).precedes(op(latest)) {
                let kind = if latest == entry.push { Kind::Early } else { Kind::Disorder };
                return Err(Violation::new(kind, [latest, at]));
            }
            if op(at).called > op(latest).called {
                latest = at;
            }
        }
        for &at in &entry.exhausted {
            if !entry.complete || op(at).precedes(op(latest)) {
                return Err(Violation::new(Kind::FalseExhausted, [latest, at]));
            }
        }
        // Backward: nothing happens after the earliest answer to come.
        let after = entry.exhausted.iter().map(|&at| op(at).answered).min().unwrap_or(NEVER);
        let (mut earliest, mut served, mut take) = (after, NEVER, None);
        for &at in entry.claims.iter().rev() {
            earliest = earliest.min(op(at).answered);
            if matches!(op(at).event, Event::Take(_)) {
                (served, take) = (earliest, Some(at));
            }
        }
        Ok(Windows {
            push: entry.push,
            take,
            last: entry.claims.last().copied(),
            pushed: (push.called, earliest.min(push.answered)),
            served,
            claimed: if entry.complete { op(latest).called } else { NEVER },
        })
    }
}

impl Windows {
    /// Tells whether time `at` lies within the stretch in which this batch was certainly in service: begun by a take,
    /// and not exhausted.
    pub fn surely_in_service(&self, at: Stamp) -> bool {
        self.served < at && at < self.claimed
    }
}

#[cfg(test)]
mod tests {
    use super::super::Range;
    use super::*;

    fn op(event: Event, called: Stamp, answered: Stamp) -> Op {
        Op { event, called, answered }
    }

    fn range(start: u32, end: u32) -> Range {
        Range { batch: 7, start, end }
    }

    #[test]
    fn h_windows_are_cut_by_their_neighbours() {
        // The picture above, with one claim more.
        let history = [
            op(Event::Push { batch: 7, tasks: 4 }, 0, 27),
            op(Event::Own(range(2, 3)), 3, 22),
            op(Event::Own(range(0, 2)), 7, 19),
            op(Event::Take(range(3, 4)), 5, 40),
            op(Event::Exhausted { batch: 7 }, 6, 30),
        ];
        let windows = Ledger::new(&history).and_then(|ledger| ledger.windows()).expect("the history is fine");
        let [only] = windows[..] else { panic!("one batch was pushed, not {}", windows.len()) };
        assert_eq!(only.pushed, (0, 19), "the first claim was answered at 19");
        assert_eq!((only.take, only.last), (Some(3), Some(3)));
        assert_eq!(only.served, 30, "the owner heard at 30 that nothing is left");
        assert_eq!(only.claimed, 7, "the last claim comes after the first one, which was called at 7");
    }

    #[test]
    fn h_what_was_never_claimed_stays_for_ever() {
        let history = [op(Event::Push { batch: 7, tasks: 2 }, 0, 1), op(Event::Take(range(0, 1)), 2, 3)];
        let ledger = Ledger::new(&history).expect("the ranges are fine");
        assert!(ledger.check_drained().is_err_and(|violation| violation.kind == Kind::Lost));
        let windows = ledger.windows().expect("the times are fine");
        assert_eq!((windows[0].served, windows[0].claimed), (3, NEVER));
        assert!(windows[0].surely_in_service(4) && !windows[0].surely_in_service(3));
    }
}
