//! The judge of big histories: a fixed list of bad patterns, each found in O(n log n).
//!
//! Looking for violations instead of looking for a linearization is an idea of Henzinger, Sezgin and Vafeiadis
//! (*Aspect-oriented linearizability proofs*, CONCUR 2013) and of Bouajjani, Emmi, Enea and Hamza (*On reducing
//! linearizability to state reachability*, ICALP 2015), who did it for queues. A FIFO of batches is not quite a queue:
//! a batch is taken in pieces, and its owner takes pieces past the order. So the patterns are ours, and so is the
//! proof. **They are sound and complete**: a history has one of them if and only if it is not linearizable.
//!
//! # Words
//!
//! For a batch `A` let `pA` be its push, `tA` its first take (its owner's claims are no takes), and `eA` its last
//! claim. Windows are those of [`windows`](super::windows): `x.lo` and `x.hi` bound the instant of `x`. A linearization
//! must do these, and if it does it is one:
//!
//! 1. keep each operation in its window, and so the real-time order;
//! 2. run each batch in its order: push, claims by index, answers *exhausted*;
//! 3. for any `A` and any `B` with a take: *if `pA < pB` then `eA < tB`*;
//! 4. for any answer *empty*, `E`, and any `A`: *`E < pA` or `eA < E`*.
//!
//! `A` is certainly *first* (before `B` in the queue) if it was pushed first or served first:
//!
//! ```text
//!   A →p B   if  pA.hi < pB.lo
//!   A →s B   if  tA.hi < eB.lo         with pB < pA, rule 3 would want eB < tA
//! ```
//!
//! # Patterns
//!
//! | kind | what was seen | rule |
//! |---|---|---|
//! | `PushedTwice`, `Alien`, `Twice`, `Lost` | ranges that are no partition of what was pushed; no question of time | 2 |
//! | `Early` | a claim answered before its batch's push was called | 2 |
//! | `Disorder` | of two claims of a batch, the one with the higher tasks answered before the other was called | 2 |
//! | `FalseExhausted` | *exhausted* answered before the batch's last claim was called | 2 |
//! | `Overtaken` | `A →p B →s A`: `B` was served while `A`, pushed before it, certainly had tasks | 3 |
//! | `Interleaved` | `A →s B →s A`: each was begun through the queue before the other was exhausted | 3 |
//! | `FalseEmpty` | *empty*, and at each instant from its call to its answer some batch certainly had tasks | 4 |
//!
//! *Certainly had tasks* is the stretch between `pA.hi` and `eA.lo`, ends excluded. It is the union of these stretches
//! that must not cover an empty answer: many short-lived batches that overlap hide each other's ends.
//!
//! Between `Interleaved` and the second look for `Overtaken` the windows are *settled*. The stretch from `tB.hi` to
//! `eB.lo` is one in which `B` is certainly in service, and no other batch's first take can be in there. So if `tA.hi`
//! is, then `A` went before `B`, and `tA.hi` moves to `tB.hi`, `pA.hi` with it. These stretches are disjoint when there
//! is no `Interleaved`, and moving makes no new one, so one pass settles all.
//!
//! # Soundness
//!
//! Each pattern contradicts the rule beside it, by the definition of the windows, which follow from rules 1 and 2. A
//! settled window follows from rule 3 as just said.
//!
//! # Completeness
//!
//! Suppose no pattern is found. Give each `E` an instant of its window that lies in none of the stretches, and treat
//! it as a batch with `pE = tE = eE` there. Then `→ = →p ∪ →s` has no cycle:
//!
//! - `→p` is transitive. `A →s B →s C` gives `A →s C`, or else `tB.hi < tA.hi < eB.lo`, which settling excluded; and it
//!   gives no cycle when `A = C`, as that is `Interleaved`, or has an `E` in a stretch. So a shortest cycle alternates.
//! - If it has length two it is `Overtaken`, or has an `E` in a stretch. If it is longer, it has two edges `A →p B` and
//!   `C →p D`. As in every order of intervals, `A →p D` or `C →p B`, and either way there is a shorter cycle.
//!
//! Let `σ` order all batches and empties along `→`. Add to the real-time order of the windows, and to the order within
//! each batch, the edges `pA < pB`, `eA < tB`, and around an empty `eA < E < pB`, for all `A σ B` (and `A σ E`, `E σ B`).
//! If this has no cycle, any linear extension is a linearization, by the rules. A shortest cycle has at most one
//! real-time edge `u ≺ v` (of two, one can skip the other, as above), and one at least, since all other edges go
//! along `σ` or along a batch. So it goes from `v`, of some `A`, along `σ` to `u`, of some `B`:
//!
//! - `A = B`: then `v.lo ≤ u.lo ≤ u.hi`, against `u ≺ v`.
//! - `v = pA`: then `pB.hi ≤ u.hi < pA.lo`, so `B →p A`, against `A σ B`.
//! - `v` a claim, and the path enters `B` at `tB`: then `tB.hi ≤ u.hi < v.lo ≤ eA.lo`, so `B →s A`, against `A σ B`.
//! - `v` a claim, and it enters at `pB`, which it can do from an `E` only. `A σ E` means that not `E →s A`, so `eA.lo ≤ E`;
//!   likewise `E ≤ pB.hi`. Then `v.lo ≤ eA.lo ≤ E ≤ pB.hi ≤ u.hi`, against `u ≺ v`.
//!
//! Checked by: the tests below, and `tests/histories.rs`, which compares with [`search`](super::search).

use std::fmt;

use super::windows::{Ledger, Windows};
use super::{Event, Op, Stamp};

/// Which bad pattern a history has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table of patterns above describes each")]
pub enum Kind {
    PushedTwice,
    Alien,
    Twice,
    Lost,
    Early,
    Disorder,
    FalseExhausted,
    Overtaken,
    Interleaved,
    FalseEmpty,
}

/// A bad pattern, and where it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The pattern.
    pub kind: Kind,
    /// The operations that show it, as places in the history.
    pub ops: Vec<usize>,
}

impl Violation {
    pub(crate) fn new(kind: Kind, ops: impl IntoIterator<Item = usize>) -> Self {
        Self { kind, ops: ops.into_iter().collect() }
    }

    fn of(kind: Kind, a: &Windows, b: &Windows) -> Self {
        let ops = |w: &Windows| [Some(w.push), w.take, w.last];
        Self::new(kind, ops(a).into_iter().chain(ops(b)).flatten())
    }

    /// Writes the violation out with the operations of its history.
    pub fn explain(&self, history: &[Op]) -> String {
        self.ops.iter().fold(self.to_string(), |text, &at| format!("{text}\n  #{at}: {:?}", history[at]))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not linearizable: {:?}, by operations {:?}", self.kind, self.ops)
    }
}

/// How a history ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Somewhere: batches may have unclaimed tasks.
    Open,
    /// When the queue was drained: each task was claimed.
    Drained,
}

/// Judges whether a history is linearizable, and whether it lost a task.
///
/// Every operation has been answered, at a stamp that is smaller than [`NEVER`](super::windows::NEVER).
pub fn judge(history: &[Op], end: End) -> Result<(), Violation> {
    let ledger = Ledger::new(history)?;
    if end == End::Drained {
        ledger.check_drained()?;
    }
    let mut windows = ledger.windows()?;
    overtaken(&windows)?;
    interleaved(&windows)?;
    settle(&mut windows);
    overtaken(&windows)?;
    false_empty(history, &windows)
}

/// Looks for `A →p B →s A`.
fn overtaken(windows: &[Windows]) -> Result<(), Violation> {
    let mut by_push: Vec<_> = windows.iter().collect();
    by_push.sort_unstable_by_key(|a| a.pushed.1);
    let longest = running(&by_push, |best: &Windows, a| best.claimed < a.claimed);
    for b in windows.iter().filter(|b| b.take.is_some()) {
        let before = by_push.partition_point(|a| a.pushed.1 < b.pushed.0);
        if let Some(a) = before.checked_sub(1).map(|at| longest[at])
            && b.served < a.claimed
        {
            return Err(Violation::of(Kind::Overtaken, a, b));
        }
    }
    Ok(())
}

/// Looks for `A →s B →s A`.
fn interleaved(windows: &[Windows]) -> Result<(), Violation> {
    let mut by_service: Vec<_> = windows.iter().filter(|a| a.take.is_some()).collect();
    by_service.sort_unstable_by_key(|a| a.served);
    let longest = running(&by_service, |best: &Windows, a| best.claimed < a.claimed);
    for (at, b) in by_service.iter().enumerate() {
        // It is enough to try the longest one before `B`. If another `C` before `B` were bad with `B` and this `A` were
        // not, then `C.served < B.claimed <= A.served <= B.served < C.claimed`, so that `A` and `C` were found before.
        let Some(a) = at.checked_sub(1).map(|before| longest[before]) else {
            continue;
        };
        if b.served < a.claimed && a.served < b.claimed {
            return Err(Violation::of(Kind::Interleaved, a, b));
        }
    }
    Ok(())
}

/// Moves every first take out of the stretches in which other batches are certainly in service.
fn settle(windows: &mut [Windows]) {
    let mut stretches: Vec<_> =
        windows.iter().filter(|b| b.served < b.claimed).map(|b| (b.served, b.claimed)).collect();
    stretches.sort_unstable();
    for a in windows.iter_mut().filter(|a| a.take.is_some()) {
        let begun = stretches.partition_point(|&(from, _)| from < a.served);
        if let Some((from, to)) = begun.checked_sub(1).map(|at| stretches[at])
            && a.served < to
        {
            a.served = from;
            a.pushed.1 = a.pushed.1.min(from);
        }
    }
}

/// Looks for an empty answer that is covered by stretches in which some batch certainly had tasks.
fn false_empty(history: &[Op], windows: &[Windows]) -> Result<(), Violation> {
    let stretches = covered(windows);
    for (at, op) in history.iter().enumerate().filter(|(_, op)| op.event == Event::Empty) {
        let begun = stretches.partition_point(|&(from, _)| from < op.called);
        if let Some((_, to)) = begun.checked_sub(1).map(|before| stretches[before])
            && op.answered < to
        {
            return Err(Violation::new(Kind::FalseEmpty, [at]));
        }
    }
    Ok(())
}

/// Returns the disjoint stretches of time, ends excluded, at each instant of which some batch certainly had tasks.
fn covered(windows: &[Windows]) -> Vec<(Stamp, Stamp)> {
    let mut parts: Vec<_> =
        windows.iter().map(|a| (a.pushed.1, a.claimed)).filter(|(from, to)| from < to).collect();
    parts.sort_unstable();
    let mut whole = Vec::<(Stamp, Stamp)>::new();
    for (from, to) in parts {
        match whole.last_mut() {
            // At an instant where one ends and the next begins there may have been nothing.
            Some(last) if from < last.1 => last.1 = last.1.max(to),
            _ => whole.push((from, to)),
        }
    }
    whole
}

/// Returns for each place the best one up to there.
fn running<'a>(all: &[&'a Windows], better: impl Fn(&Windows, &Windows) -> bool) -> Vec<&'a Windows> {
    let mut best = None::<&Windows>;
    let mut step = |&a: &&'a Windows| {
        best = Some(best.filter(|best| !better(best, a)).unwrap_or(a));
        best.unwrap_or(a)
    };
    all.iter().map(&mut step).collect()
}

#[cfg(test)]
mod tests {
    use super::super::search::is_linearizable;
    use super::super::{BatchId, Range};
    use super::*;

    fn push(batch: BatchId, tasks: u32, called: Stamp, answered: Stamp) -> Op {
        Op { event: Event::Push { batch, tasks }, called, answered }
    }

    fn take(batch: BatchId, task: u32, called: Stamp, answered: Stamp) -> Op {
        Op { event: Event::Take(Range { batch, start: task, end: task + 1 }), called, answered }
    }

    fn empty(called: Stamp, answered: Stamp) -> Op {
        Op { event: Event::Empty, called, answered }
    }

    /// Returns the kind that the judge reports, after asking the search whether it may report one.
    fn kind(history: &[Op]) -> Option<Kind> {
        let kind = judge(history, End::Open).err().map(|violation| violation.kind);
        assert_eq!(kind.is_none(), is_linearizable(history), "the search disagrees about {history:?}");
        kind
    }

    #[test]
    fn h_overtaking_is_seen_only_where_it_is_certain() {
        let overtaken = [push(1, 1, 0, 1), push(2, 1, 2, 3), take(2, 0, 4, 5), take(1, 0, 6, 7)];
        assert_eq!(kind(&overtaken), Some(Kind::Overtaken));
        let pushed_together = [push(1, 1, 0, 2), push(2, 1, 2, 3), take(2, 0, 4, 5), take(1, 0, 6, 7)];
        assert_eq!(kind(&pushed_together), None);
        let taken_together = [push(1, 1, 0, 1), push(2, 1, 2, 3), take(2, 0, 4, 6), take(1, 0, 6, 7)];
        assert_eq!(kind(&taken_together), None);
    }

    #[test]
    fn h_a_batch_in_service_keeps_others_out() {
        let one = [push(1, 2, 0, 1), take(1, 0, 2, 3), take(1, 1, 8, 9), push(2, 1, 0, 1)];
        assert_eq!(kind(&[&one[..], &[take(2, 0, 5, 6)]].concat()), Some(Kind::Interleaved));
        assert_eq!(kind(&[&one[..], &[take(2, 0, 5, 8)]].concat()), None, "after the last claim");
        assert_eq!(kind(&[&one[..], &[take(2, 0, 1, 6)]].concat()), None, "before the first");
    }

    #[test]
    fn h_settling_finds_what_pairs_do_not() {
        // Batch 2 is in service from 10 to 20, so 1 was taken before 10 and 3 after 20; but 3 was pushed before 1.
        let service = [push(2, 2, 0, 9), take(2, 0, 9, 10), take(2, 1, 20, 21)];
        let others = [push(3, 1, 0, 1), push(1, 1, 2, 3), take(1, 0, 4, 15), take(3, 0, 12, 25)];
        assert_eq!(kind(&[&service[..], &others].concat()), Some(Kind::Overtaken));
        let pushed_together = [push(3, 1, 0, 2), push(1, 1, 2, 3), take(1, 0, 4, 15), take(3, 0, 12, 25)];
        assert_eq!(kind(&[&service[..], &pushed_together].concat()), None);
    }

    #[test]
    fn h_an_empty_answer_needs_one_instant_without_tasks() {
        let chain =
            [push(1, 1, 0, 1), push(2, 1, 2, 3), take(1, 0, 4, 5), push(3, 1, 6, 7), take(2, 0, 8, 9)];
        assert_eq!(
            kind(&[&chain[..], &[empty(2, 20)]].concat()),
            Some(Kind::FalseEmpty),
            "batch 3 is still there"
        );
        let taken = [&chain[..], &[take(3, 0, 15, 16)]].concat();
        assert_eq!(kind(&[&taken[..], &[empty(2, 14)]].concat()), Some(Kind::FalseEmpty));
        assert_eq!(kind(&[&taken[..], &[empty(2, 15)]].concat()), None, "after all");
        assert_eq!(kind(&[&taken[..], &[empty(1, 14)]].concat()), None, "before all");
    }

    #[test]
    fn h_violations_are_explained() {
        let history = [push(1, 1, 0, 1), empty(2, 3)];
        let violation = judge(&history, End::Open).expect_err("the queue is not empty");
        assert_eq!(violation, Violation::new(Kind::FalseEmpty, [1]));
        assert!(
            violation.explain(&history).contains("#1: Op { event: Empty"),
            "{}",
            violation.explain(&history)
        );
        assert_eq!(judge(&history[..1], End::Drained).map_err(|violation| violation.kind), Err(Kind::Lost));
    }
}
