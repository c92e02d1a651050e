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

use std::collections::BTreeMap;

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
        Some(range(batch, start, self.next))
    }
}

fn range(batch: BatchId, start: u32, end: u32) -> Range {
    Range { batch, start, end }
}

/// All batches of the specification, oldest first.
#[derive(Debug, Default)]
struct Fifo {
    batches: Vec<Batch>,
    /// All older ones are exhausted.
    oldest: usize,
}

impl Fifo {
    fn push(&mut self, size: u8) -> Event {
        let batch = self.batches.len() as BatchId;
        let tasks = 1 + u32::from(size) % 4;
        self.batches.push(Batch { tasks, next: 0 });
        Event::Push { batch, tasks }
    }

    fn take(&mut self, size: u8) -> Event {
        while let Some(batch) = self.batches.get_mut(self.oldest) {
            if let Some(range) = batch.claim(self.oldest as BatchId, size) {
                return Event::Take(range);
            }
            self.oldest += 1;
        }
        Event::Empty
    }

    /// Claims a part of a batch that is counted from the newest, if there is one.
    fn own(&mut self, from_newest: u8, size: u8) -> Option<Event> {
        let from_newest = usize::from(from_newest).checked_rem(self.batches.len())?;
        let at = self.batches.len() - 1 - from_newest;
        let batch = at as BatchId;
        Some(self.batches[at].claim(batch, size).map_or(Event::Exhausted { batch }, Event::Own))
    }

    fn step(&mut self, (what, which, size, ..): Choice) -> Event {
        match what % 8 {
            0..3 => self.push(size),
            3..6 => self.own(which, size).unwrap_or_else(|| self.take(size)),
            _ => self.take(size),
        }
    }
}

/// Makes choices for a long history out of one number.
pub fn choices(seed: u64, count: usize) -> Vec<Choice> {
    // Steele, Lea and Flood's SplitMix64.
    let mix = |number: u64, shift: u32, factor: u64| (number ^ number >> shift).wrapping_mul(factor);
    let number = |at: u64| {
        let state = seed.wrapping_add(at.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mixed = mix(mix(state, 30, 0xBF58_476D_1CE4_E5B9), 27, 0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31).to_le_bytes()
    };
    (1..=count as u64)
        .map(number)
        .map(|[what, which, size, early, late, ..]| (what, which, size, early, late))
        .collect()
}

/// Runs the specification and stretches each operation by up to `reach` to either side. A `drained` history goes on
/// until every task is claimed.
pub fn valid(choices: &[Choice], reach: u64, drained: bool) -> Vec<Op> {
    let (mut fifo, mut history) = (Fifo::default(), Vec::new());
    for &choice in choices {
        record(&mut history, fifo.step(choice), choice, reach);
    }
    for &choice in choices.iter().cycle().take(if drained { usize::MAX } else { 0 }) {
        let event = fifo.take(choice.2);
        record(&mut history, event, choice, reach);
        if event == Event::Empty {
            break;
        }
    }
    history
}

fn record(history: &mut Vec<Op>, event: Event, (.., early, late): Choice, reach: u64) {
    let instant = reach + SPACING * history.len() as Stamp;
    let stretch = |by: u8| u64::from(by) * reach / u64::from(u8::MAX);
    history.push(Op { event, called: instant - stretch(early), answered: instant + stretch(late) });
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
    /// In the order of their ranges.
    claims: Vec<usize>,
    exhausted: Vec<usize>,
    /// Certainly pushed after, certainly in service after, certainly not exhausted before.
    pushed: Stamp,
    served: Option<Stamp>,
    claimed: Stamp,
}

impl Bed {
    fn new(batch: BatchId, push: usize) -> Self {
        let (claims, exhausted) = (Vec::new(), Vec::new());
        Self { batch, push, claims, exhausted, pushed: 0, served: None, claimed: 0 }
    }

    fn measure(&mut self, history: &[Op]) {
        self.claims.sort_by_key(|&at| history[at].event.claim().map(|range| range.start));
        let told = self.exhausted.iter();
        let earliest = |from: &[usize]| from.iter().chain(told.clone()).map(|&at| history[at].answered).min();
        let take = self.claims.iter().position(|&at| matches!(history[at].event, Event::Take(_)));
        self.pushed = earliest(&self.claims).into_iter().fold(history[self.push].answered, Stamp::min);
        self.served = take.and_then(|take| earliest(&self.claims[take..]));
        self.claimed = self.claims.iter().map(|&at| history[at].called).max().unwrap_or(0);
    }

    /// Finds two claims of which the first was answered before the second was called.
    fn ordered_claims(&self, history: &[Op]) -> Option<(usize, usize)> {
        let pairs = self.claims.iter().flat_map(|&a| self.claims.iter().map(move |&b| (a, b)));
        pairs.into_iter().find(|&(a, b)| history[a].precedes(&history[b]))
    }

    /// Tells whether there is a place for a violation of `kind`.
    fn fits(&self, kind: Kind, history: &[Op]) -> bool {
        match kind {
            Kind::Disorder => self.ordered_claims(history).is_some(),
            Kind::Overtaken | Kind::FalseEmpty => self.pushed < self.claimed,
            Kind::Interleaved => self.served.is_some_and(|served| served < self.claimed),
            _ => !self.claims.is_empty(),
        }
    }
}

/// Sorts a valid history by batches.
fn beds(history: &[Op]) -> Vec<Bed> {
    let mut beds = BTreeMap::new();
    for (at, op) in history.iter().enumerate() {
        if let Event::Push { batch, .. } = op.event {
            beds.insert(batch, Bed::new(batch, at));
        }
    }
    for (at, op) in history.iter().enumerate() {
        match op.event {
            Event::Take(Range { batch, .. }) | Event::Own(Range { batch, .. }) => {
                beds.entry(batch).and_modify(|bed| bed.claims.push(at));
            }
            Event::Exhausted { batch } => {
                beds.entry(batch).and_modify(|bed| bed.exhausted.push(at));
            }
            Event::Push { .. } | Event::Empty => {}
        }
    }
    let mut beds: Vec<_> = beds.into_values().collect();
    beds.iter_mut().for_each(|bed| bed.measure(history));
    beds
}

/// Plants a violation of `kind` into a valid, drained history, where `pick` says. False: there is no place for it.
pub fn plant(kind: Kind, history: &mut Vec<Op>, pick: usize) -> bool {
    // Room between any two stamps.
    for op in history.iter_mut() {
        (op.called, op.answered) = (op.called * 8, op.answered * 8);
    }
    let beds = beds(history);
    let places: Vec<_> = beds.iter().filter(|bed| bed.fits(kind, history)).collect();
    let Some(pick) = pick.checked_rem(places.len()) else {
        return false;
    };
    plant_at(kind, history, places[pick], &beds, pick);
    true
}

fn plant_at(kind: Kind, history: &mut Vec<Op>, bed: &Bed, beds: &[Bed], pick: usize) {
    let claim = bed.claims.get(pick % bed.claims.len().max(1)).copied().unwrap_or(bed.push);
    let batch = beds.len() as BatchId;
    let (push, take) = (Event::Push { batch, tasks: 1 }, Event::Take(range(batch, 0, 1)));
    match kind {
        Kind::PushedTwice => history.push(history[bed.push]),
        Kind::Twice => history.push(history[claim]),
        Kind::Lost => drop(history.remove(claim)),
        Kind::Alien => history[claim].event = take,
        Kind::Early => {
            let first = bed.claims.iter().map(|&at| history[at].answered).min().unwrap_or(0);
            (history[bed.push].called, history[bed.push].answered) = (first + 1, first + 2);
        }
        Kind::Disorder => {
            if let Some((a, b)) = bed.ordered_claims(history) {
                let (first, second) = (history[a].event, history[b].event);
                (history[a].event, history[b].event) = (second, first);
            }
        }
        Kind::FalseExhausted => insert(history, Event::Exhausted { batch: bed.batch }, bed.claimed - 2, 1),
        Kind::Overtaken => {
            insert(history, push, bed.pushed + 1, 1);
            insert(history, take, bed.pushed + 3, 1);
        }
        Kind::Interleaved => {
            history.push(Op { event: push, ..history[bed.push] });
            insert(history, take, bed.served.unwrap_or(0) + 1, 1);
        }
        Kind::FalseEmpty => {
            let end = end_of_tasks(bed, beds);
            insert(history, Event::Empty, bed.pushed + 1, end - bed.pushed - 2);
        }
    }
}

/// Returns up to where some batch certainly has tasks without a gap, from where `bed` certainly does.
fn end_of_tasks(bed: &Bed, beds: &[Bed]) -> Stamp {
    let mut stretches: Vec<_> = beds.iter().map(|bed| (bed.pushed, bed.claimed)).collect();
    stretches.sort_unstable();
    stretches.iter().fold(bed.claimed, |end, &(from, to)| if from < end { end.max(to) } else { end })
}

fn insert(history: &mut Vec<Op>, event: Event, called: Stamp, length: Stamp) {
    history.push(Op { event, called, answered: called + length });
}

#[cfg(test)]
mod tests {
    use super::super::search::is_linearizable;
    use super::*;

    #[test]
    fn h_a_valid_history_runs_the_specification() {
        let choices: Vec<Choice> =
            (0..11_u8).map(|i| (i * 7, i * 11, i * 5, i.wrapping_mul(97), i.wrapping_mul(59))).collect();
        for reach in [0, 4, 40] {
            let history = valid(&choices, reach, false);
            assert_eq!(history.len(), choices.len());
            assert!(is_linearizable(&history), "reach {reach}: {history:?}");
        }
        let events =
            |choices: &[Choice]| valid(choices, 0, true).iter().map(|op| op.event).collect::<Vec<_>>();
        let range = Range { batch: 0, start: 0, end: 2 };
        let expected = [Event::Push { batch: 0, tasks: 2 }, Event::Take(range), Event::Empty];
        assert_eq!(events(&[(0, 0, 1, 0, 0)]), expected, "a drained history ends with an empty answer");
    }

    #[test]
    fn h_plants_find_no_place_in_a_desert() {
        for kind in [Kind::Lost, Kind::Disorder, Kind::FalseEmpty] {
            assert!(!plant(kind, &mut Vec::new(), 3), "{kind:?}");
        }
    }
}
