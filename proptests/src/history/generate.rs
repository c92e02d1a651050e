//! Random histories: valid ones, bent ones, and ones with a violation planted into them.
//!
//! A *valid* history comes from a run of the sequential specification. Each operation happens at an instant of its
//! own, and its interval is stretched around that instant at random, so that a linearization exists by construction.
//!
//! A *bent* history is a small valid one in which some operations got another interval or another event. It may or
//! may not be linearizable; [`search`](super::search) knows.
//!
//! A *planted* history is a valid one with one violation of a known kind, put where it fits.
//!
//! All of these are functions of lists of numbers, so that proptest can choose and shrink the numbers.

use super::{BatchId, Event, Kind, Op, Range, Stamp};

/// The numbers that one operation of a history is made of. Any numbers will do.
pub type Choice = (u8, u8, u8, u8, u8);

/// One change to a history: what to do, where, and with which numbers.
pub type Bend = (u8, u8, u8, u8);

/// How far apart the instants of a valid history lie.
const SPACING: Stamp = 3;

/// A batch of the specification: its number of tasks, and how many were claimed.
#[derive(Clone, Copy, Debug)]
struct Batch {
    tasks: u32,
    next: u32,
}

impl Batch {
    fn claim(&mut self, batch: BatchId, size: u8) -> Option<Range> {
        let (start, rest) = (self.next, self.tasks - self.next);
        self.next += (rest > 0).then(|| 1 + u32::from(size) % rest)?;
        Some(Range {
            batch,
            start,
            end: self.next,
        })
    }
}

/// Runs the specification and stretches each operation by up to `reach` to either side. A `drained` history goes on
/// until every task is claimed.
pub fn valid(choices: &[Choice], reach: u64, drained: bool) -> Vec<Op> {
    let (mut batches, mut history) = (Vec::new(), Vec::new());
    for &choice in choices {
        record(&mut history, next_event(&mut batches, choice), choice, reach);
    }
    for &choice in choices.iter().cycle().take(if drained { usize::MAX } else { 0 }) {
        let event = take(&mut batches, choice.2);
        record(&mut history, event, choice, reach);
        if event == Event::Empty {
            break;
        }
    }
    history
}

fn next_event(batches: &mut Vec<Batch>, (what, which, size, ..): Choice) -> Event {
    let which = usize::from(which) % batches.len().max(1);
    match what % 8 {
        0..3 => {
            let batch = batches.len() as BatchId;
            let tasks = 1 + u32::from(size) % 4;
            batches.push(Batch { tasks, next: 0 });
            Event::Push { batch, tasks }
        }
        3..6 if !batches.is_empty() => {
            let batch = which as BatchId;
            batches[which]
                .claim(batch, size)
                .map_or(Event::Exhausted { batch }, Event::Own)
        }
        _ => take(batches, size),
    }
}

fn take(batches: &mut [Batch], size: u8) -> Event {
    let claim = (0..).zip(batches).find_map(|(id, batch)| batch.claim(id, size));
    claim.map_or(Event::Empty, Event::Take)
}

fn record(history: &mut Vec<Op>, event: Event, (.., early, late): Choice, reach: u64) {
    let instant = reach + SPACING * history.len() as Stamp;
    let stretch = |by: u8| u64::from(by) * reach / u64::from(u8::MAX);
    history.push(Op {
        event,
        called: instant - stretch(early),
        answered: instant + stretch(late),
    });
}

/// Changes intervals and events without regard to the specification.
pub fn bend(history: &mut [Op], bends: &[Bend]) {
    for &(what, at, a, b) in bends.iter().take(if history.is_empty() { 0 } else { usize::MAX }) {
        let count = history.len();
        let (at, other) = (usize::from(at) % count, usize::from(a) % count);
        let called = Stamp::from(a) % (SPACING * count as Stamp + 6);
        match what % 6 {
            0 => (history[at].called, history[at].answered) = (called, called + Stamp::from(b) % 9),
            1 => history[at].answered = history[at].called,
            2 => history[at].called = history[at].answered,
            3 => (history[at].event, history[other].event) = (history[other].event, history[at].event),
            4 => history[at].event = Event::Empty,
            _ => {
                history[at].event = match history[at].event {
                    Event::Own(range) => Event::Take(range),
                    Event::Take(range) => Event::Own(range),
                    other => other,
                }
            }
        }
    }
}

/// One batch of a history, for the plants: its operations, and when it certainly has tasks.
#[derive(Debug)]
struct Bed {
    batch: BatchId,
    push: usize,
    claims: Vec<usize>,
    /// Certainly pushed after, certainly in service after, certainly not exhausted before.
    pushed: Stamp,
    served: Option<Stamp>,
    claimed: Stamp,
}

fn beds(history: &[Op]) -> Vec<Bed> {
    let pushes = history.iter().enumerate().filter_map(|(at, op)| match op.event {
        Event::Push { batch, .. } => Some((batch, at)),
        _ => None,
    });
    let bed = |(batch, push): (BatchId, usize)| {
        let range = |at: &usize| history[*at].event.claim().filter(|range| range.batch == batch);
        let mut claims: Vec<_> = (0..history.len()).filter(|at| range(at).is_some()).collect();
        claims.sort_by_key(|at| range(at).map(|range| range.start));
        let told = history
            .iter()
            .filter(|op| op.event == Event::Exhausted { batch })
            .map(|op| op.answered);
        let earliest = |from: &[usize]| {
            from.iter()
                .map(|&at| history[at].answered)
                .chain(told.clone())
                .min()
        };
        let take = claims
            .iter()
            .position(|&at| matches!(history[at].event, Event::Take(_)));
        Bed {
            batch,
            push,
            pushed: earliest(&claims)
                .into_iter()
                .fold(history[push].answered, Stamp::min),
            served: take.and_then(|take| earliest(&claims[take..])),
            claimed: claims.iter().map(|&at| history[at].called).max().unwrap_or(0),
            claims,
        }
    };
    pushes.map(bed).collect()
}

/// Plants a violation of `kind` into a valid, drained history, where `pick` says. False: there is no place for it.
pub fn plant(kind: Kind, history: &mut Vec<Op>, pick: usize) -> bool {
    // Room between any two stamps.
    for op in history.iter_mut() {
        (op.called, op.answered) = (op.called * 8, op.answered * 8);
    }
    let beds = beds(history);
    let fits = |bed: &&Bed| match kind {
        Kind::Disorder => ordered_claims(history, bed).is_some(),
        Kind::Overtaken | Kind::FalseEmpty => bed.pushed < bed.claimed,
        Kind::Interleaved => bed.served.is_some_and(|served| served < bed.claimed),
        _ => !bed.claims.is_empty(),
    };
    let places: Vec<_> = beds.iter().filter(fits).collect();
    let Some(&bed) = pick.checked_rem(places.len()).map(|at| &places[at]) else {
        return false;
    };
    plant_at(kind, history, bed, &beds, pick);
    true
}

fn plant_at(kind: Kind, history: &mut Vec<Op>, bed: &Bed, beds: &[Bed], pick: usize) {
    let claim = bed
        .claims
        .get(pick % bed.claims.len().max(1))
        .copied()
        .unwrap_or(bed.push);
    let fresh = beds.len() as BatchId;
    match kind {
        Kind::PushedTwice => history.push(history[bed.push]),
        Kind::Twice => history.push(history[claim]),
        Kind::Lost => drop(history.remove(claim)),
        Kind::Alien => {
            let range = Range {
                batch: fresh,
                start: 0,
                end: 1,
            };
            history[claim].event = Event::Take(range);
        }
        Kind::Early => {
            let first = bed
                .claims
                .iter()
                .map(|&at| history[at].answered)
                .min()
                .unwrap_or(0);
            (history[bed.push].called, history[bed.push].answered) = (first + 1, first + 2);
        }
        Kind::Disorder => {
            if let Some((a, b)) = ordered_claims(history, bed) {
                let (first, second) = (history[a].event, history[b].event);
                (history[a].event, history[b].event) = (second, first);
            }
        }
        Kind::FalseExhausted => insert(history, Event::Exhausted { batch: bed.batch }, bed.claimed - 2, 1),
        Kind::Overtaken => {
            insert(
                history,
                Event::Push {
                    batch: fresh,
                    tasks: 1,
                },
                bed.pushed + 1,
                1,
            );
            insert(
                history,
                Event::Take(Range {
                    batch: fresh,
                    start: 0,
                    end: 1,
                }),
                bed.pushed + 3,
                1,
            );
        }
        Kind::Interleaved => {
            let event = Event::Push {
                batch: fresh,
                tasks: 1,
            };
            history.push(Op {
                event,
                ..history[bed.push]
            });
            let served = bed.served.unwrap_or(0);
            insert(
                history,
                Event::Take(Range {
                    batch: fresh,
                    start: 0,
                    end: 1,
                }),
                served + 1,
                1,
            );
        }
        Kind::FalseEmpty => {
            // As long as can be: over this batch and all that follow without a gap.
            let mut end = bed.claimed;
            while let Some(next) = beds.iter().find(|next| next.pushed < end && end < next.claimed) {
                end = next.claimed;
            }
            insert(history, Event::Empty, bed.pushed + 1, end - bed.pushed - 2);
        }
    }
}

fn insert(history: &mut Vec<Op>, event: Event, called: Stamp, length: Stamp) {
    history.push(Op {
        event,
        called,
        answered: called + length,
    });
}

/// Finds two claims of one batch of which the first was answered before the second was called.
fn ordered_claims(history: &[Op], bed: &Bed) -> Option<(usize, usize)> {
    let pairs = bed
        .claims
        .iter()
        .flat_map(|&a| bed.claims.iter().map(move |&b| (a, b)));
    pairs.into_iter().find(|&(a, b)| history[a].precedes(&history[b]))
}

#[cfg(test)]
mod tests {
    use super::super::search::is_linearizable;
    use super::*;

    #[test]
    fn h_a_valid_history_runs_the_specification() {
        let choices: Vec<Choice> = (0..11_u8)
            .map(|i| (i * 7, i * 11, i * 5, i.wrapping_mul(97), i.wrapping_mul(59)))
            .collect();
        for reach in [0, 4, 40] {
            let history = valid(&choices, reach, false);
            assert_eq!(history.len(), choices.len());
            assert!(is_linearizable(&history), "reach {reach}: {history:?}");
        }
        let events = |choices: &[Choice]| {
            valid(choices, 0, true)
                .iter()
                .map(|op| op.event)
                .collect::<Vec<_>>()
        };
        let range = Range {
            batch: 0,
            start: 0,
            end: 2,
        };
        let expected = [
            Event::Push { batch: 0, tasks: 2 },
            Event::Take(range),
            Event::Empty,
        ];
        assert_eq!(
            events(&[(0, 0, 1, 0, 0)]),
            expected,
            "a drained history ends with an empty answer"
        );
    }

    #[test]
    fn h_plants_find_no_place_in_a_desert() {
        for kind in [Kind::Lost, Kind::Disorder, Kind::FalseEmpty] {
            assert!(!plant(kind, &mut Vec::new(), 3), "{kind:?}");
        }
    }
}
