//! The judge of histories is judged, and then real threads are.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptests::history::generate::{self, Bend, Choice};
use proptests::history::record::Session;
use proptests::history::{End, Event, Kind, Op, judge, overlapping, search};
use proptests::watchdog::watch;

/// The kinds that are a question of time, which the search can tell from valid histories.
const OF_TIME: [Kind; 6] =
    [Kind::Early, Kind::Disorder, Kind::FalseExhausted, Kind::Overtaken, Kind::Interleaved, Kind::FalseEmpty];

/// The kinds that are a question of numbers.
const OF_NUMBERS: [Kind; 4] = [Kind::PushedTwice, Kind::Alien, Kind::Twice, Kind::Lost];

fn all_kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select([&OF_TIME[..], &OF_NUMBERS].concat())
}

/// A history that can be searched, bent or not.
fn small_history(choices: &[Choice], reach: u64, bends: &[Bend]) -> Vec<Op> {
    let mut history = generate::valid(choices, reach, false);
    generate::bend(&mut history, bends);
    history
}

fn small() -> impl Strategy<Value = Vec<Op>> {
    let choices = vec(any::<Choice>(), 1..=8);
    let bends = vec(any::<Bend>(), 0..=4);
    (choices, 0..12_u64, bends).prop_map(|(choices, reach, bends)| small_history(&choices, reach, &bends))
}

/// A long history that ran the specification.
fn big(operations: usize) -> impl Strategy<Value = Vec<Op>> {
    (any::<u64>(), 1..=operations, 0..100_u64).prop_map(|(seed, operations, reach)| {
        generate::valid(&generate::choices(seed, operations), reach, true)
    })
}

proptest! {
    #![proptest_config(proptests::config!(100_000))]

    #[test]
    fn h_the_judge_agrees_with_the_search(history in small()) {
        let judged = judge(&history, End::Open);
        prop_assert_eq!(judged.is_ok(), search::is_linearizable(&history), "{:?}", judged);
    }
}

proptest! {
    #![proptest_config(proptests::config!(60))]

    #[test]
    fn h_big_valid_histories_are_accepted(history in big(50_000)) {
        prop_assert_eq!(judge(&history, End::Drained), Ok(()));
    }
}

proptest! {
    #![proptest_config(proptests::config!(400))]

    #[test]
    fn h_every_planted_violation_is_found(mut history in big(10_000), kind in all_kinds(), pick: usize) {
        if generate::plant(kind, &mut history, pick) {
            let found = judge(&history, End::Drained).map_err(|violation| violation.kind);
            prop_assert_eq!(found, Err(kind));
        }
    }
}

/// What the judge is compared on is worth it: many small histories are linearizable, many are not, and they are so in
/// every way that there is.
#[test]
fn h_small_histories_are_of_every_kind() {
    let (mut good, mut bad, mut kinds) = (0, 0, BTreeSet::new());
    for seed in 0..if cfg!(miri) { 300 } else { 20_000 } {
        let choices = generate::choices(seed, 12);
        let bends: Vec<_> = choices[8..].iter().map(|&(what, at, a, b, _)| (what, at, a, b)).collect();
        let history = small_history(&choices[..8], seed % 12, &bends[..seed as usize % 5]);
        match judge(&history, End::Open) {
            Ok(()) => good += 1,
            Err(violation) => {
                bad += 1;
                kinds.insert(format!("{:?}", violation.kind));
            }
        }
    }
    assert!(good > bad / 4 && bad > good / 4, "{good} are linearizable, and {bad} are not");
    let missing: Vec<_> = OF_TIME.iter().filter(|kind| !kinds.contains(&format!("{kind:?}"))).collect();
    assert!(missing.is_empty(), "none is {missing:?}; there are {kinds:?}");
}

/// Every kind finds its place in a big history, so that planting is no empty promise.
#[test]
fn h_every_kind_can_be_planted() {
    let history = generate::valid(&generate::choices(7, 2_000), 20, true);
    for kind in [&OF_TIME[..], &OF_NUMBERS].concat() {
        for pick in [0, 17, 1_000_003] {
            assert!(generate::plant(kind, &mut history.clone(), pick), "{kind:?} finds no place");
        }
    }
}

/// What a recorded run must contain before it proves anything.
#[derive(Debug, Default)]
struct Seen {
    operations: usize,
    empty: usize,
    /// Pushes during which somebody took, with or without success.
    overlaps: usize,
    own: usize,
    rounds: u64,
}

impl Seen {
    fn add(&mut self, history: &[Op]) {
        let count = |is: fn(Event) -> bool| history.iter().filter(|op| is(op.event)).count();
        let is_push = |event| matches!(event, Event::Push { .. });
        self.operations += history.len();
        self.empty += count(|event| event == Event::Empty);
        self.own += count(|event| matches!(event, Event::Own(_)));
        self.overlaps +=
            overlapping(history, is_push, |event| matches!(event, Event::Take(_) | Event::Empty));
        self.rounds += 1;
    }

    fn is_enough(&self, operations: usize) -> bool {
        self.operations >= operations && self.empty >= 10_000 && self.overlaps >= 10_000 && self.own >= 10_000
    }
}

/// How many operations are recorded at least; `ZERO_POOL_HISTORY` may raise the number and never lowers it.
fn operations() -> usize {
    let asked = std::env::var("ZERO_POOL_HISTORY").ok();
    let asked = asked.map_or(0, |asked| asked.parse().expect("ZERO_POOL_HISTORY is a number of operations"));
    if cfg!(miri) { 100 } else { asked.max(1_000_000) }
}

/// Two producers and two consumers, until enough was seen; if that does not come about the watchdog ends it.
#[test]
fn q1_recorded_histories_are_linearizable() {
    let operations = operations();
    let limit = Duration::from_secs(120).max(Duration::from_micros(100) * operations as u32);
    let _watchdog = watch("q1_recorded_histories_are_linearizable", limit);
    let (mut session, mut seen) = (Session::new(), Seen::default());
    while !seen.is_enough(operations) {
        let history = session.round(20_000, seen.rounds * 1_000);
        seen.add(&history);
        if let Err(violation) = judge(&history, End::Drained) {
            panic!("round {}: {}", seen.rounds, violation.explain(&history));
        }
    }
    println!("{seen:?}");
    assert!(seen.operations >= operations, "{seen:?}");
    assert!(seen.empty >= 10_000, "{seen:?}");
    assert!(seen.overlaps >= 10_000, "{seen:?}");
}
