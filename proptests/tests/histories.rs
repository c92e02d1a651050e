//! The judge of histories is judged, and then real threads are.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptests::history::fifo::SwapThenLink;
use proptests::history::generate::{self, Bend, Choice};
use proptests::history::record::Session;
use proptests::history::{BatchId, End, Event, Kind, Op, judge, overlapping, search};
use proptests::watchdog::watch;
use zero_pool::grain::Grain;

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

/// So many rounds are recorded at least, so that what happens once in a few rounds is met.
const ROUNDS: usize = 60;

/// So many operations are recorded at least.
const OPERATIONS: usize = 10_000_000;

/// What a recorded run must contain before it proves anything.
const ENOUGH: usize = 100_000;

/// No round is longer, so that memory does not grow with the number of operations.
const LONGEST: usize = 1_000_000;

/// What was recorded.
#[derive(Debug, Default)]
struct Seen {
    rounds: usize,
    operations: usize,
    /// The operations of the longest round.
    longest: usize,
    empty: usize,
    /// Claims through handles, and within participations.
    own: usize,
    /// Pushes during which somebody took, with or without success.
    overlaps: usize,
}

impl Seen {
    fn add(&mut self, history: &[Op]) {
        let count = |is: fn(Event) -> bool| history.iter().filter(|op| is(op.event)).count();
        let is_push = |event| matches!(event, Event::Push { .. });
        let is_take = |event| matches!(event, Event::Take(_) | Event::Empty);
        self.rounds += 1;
        self.operations += history.len();
        self.longest = self.longest.max(history.len());
        self.empty += count(|event| event == Event::Empty);
        self.own += count(|event| matches!(event, Event::Own(_)));
        self.overlaps += overlapping(history, is_push, is_take);
    }

    fn is_enough(&self, operations: usize) -> bool {
        self.rounds >= ROUNDS
            && self.operations >= operations
            && [self.empty, self.own, self.overlaps].iter().all(|&seen| seen >= ENOUGH)
    }
}

/// How many operations were asked for, if any were; `cargo xtask histories` does.
fn asked_for() -> Option<usize> {
    let asked = std::env::var("ZERO_POOL_HISTORY").ok()?;
    Some(asked.parse().expect("ZERO_POOL_HISTORY is a number of operations"))
}

/// Returns the most memory that this process ever had, in MiB, where the system tells it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// Two producers and two consumers, until enough was seen; if that does not come about the watchdog ends it. Rounds are
/// recorded and judged one by one; `record.rs` says why that loses nothing.
#[test]
#[cfg_attr(miri, ignore = "ten million operations")]
fn q1_recorded_histories_are_linearizable() {
    let asked = asked_for();
    let operations = asked.unwrap_or(0).max(OPERATIONS);
    let limit = Duration::from_secs(120).max(Duration::from_micros(100 * operations as u64));
    let _watchdog = watch("q1_recorded_histories_are_linearizable", limit);
    let (start, mut told) = (Instant::now(), Instant::now());
    let (mut session, mut seen) = (Session::new(), Seen::default());
    while !seen.is_enough(operations) {
        // Single tasks show most of the queue, and batches of several the rest.
        let tasks = if seen.rounds % 3 == 2 { 6 } else { 1 };
        let history = session.round(20_000, tasks, 1_000 * seen.rounds as u64);
        seen.add(&history);
        if let Err(violation) = judge(&history, End::Drained) {
            panic!("round {}: {}", seen.rounds, violation.explain(&history));
        }
        if asked.is_some() && told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            // Past the runner, which keeps what tests print. Who does not read it misses nothing.
            _ = writeln!(
                std::io::stderr(),
                "{} of {operations} operations, {} rounds, {} s",
                seen.operations,
                seen.rounds,
                start.elapsed().as_secs()
            );
        }
    }
    println!("{seen:?}, {:.1} s, peak memory {:?} MiB", start.elapsed().as_secs_f64(), peak_memory());
    assert!(seen.operations >= operations && operations >= 10_000_000, "{seen:?}");
    assert!(seen.longest <= LONGEST, "{seen:?}");
    assert!(seen.empty >= 100_000, "{seen:?}");
    assert!(seen.overlaps >= 100_000, "{seen:?}");
}

/// A control: the same rounds on a queue that swaps and then links, whose producers give way now and then between these
/// two steps. The judge refuses it for an empty answer while a batch was there, as the predecessor gave it.
#[test]
#[cfg_attr(miri, ignore = "thousands of operations")]
fn h_swap_then_link_is_refused() {
    let _watchdog = watch("h_swap_then_link_is_refused", Duration::from_secs(120));
    let give_way =
        |batch: BatchId| (0..if batch % 50 == 7 { 100 } else { 0 }).for_each(|_| thread::yield_now());
    let mut session = Session::on(SwapThenLink::new(give_way));
    let refused = (0..100).find_map(|seed| {
        let history = session.round(1_000, 1, seed);
        let violation = judge(&history, End::Drained).err()?;
        Some((violation.kind, history[violation.ops[0]].event))
    });
    assert_eq!(refused, Some((Kind::FalseEmpty, Event::Empty)));
}

/// The same without chance: one producer stops between its two steps until another has pushed a batch, looked for it in
/// vain, and so been told EMPTY by a queue that holds it.
#[test]
fn h_a_hidden_successor_is_a_false_empty() {
    let _watchdog = watch("h_a_hidden_successor_is_a_false_empty", Duration::from_secs(120));
    let (swapped, looked) = (Barrier::new(2), Barrier::new(2));
    let stop = |batch: BatchId| {
        if batch == 0 {
            swapped.wait();
            looked.wait();
        }
    };
    let session = Session::on(SwapThenLink::new(stop));
    let mut history = session.script(vec![
        Box::new(|stopped| _ = stopped.push(0, 1, Grain::SINGLE)),
        Box::new(|other| {
            swapped.wait();
            other.push(1, 1, Grain::SINGLE);
            assert!(!other.take(true), "the queue finds what is hidden");
            looked.wait();
        }),
    ]);
    history.extend(session.script(vec![Box::new(|rest| while rest.take(true) {})]));
    let violation = judge(&history, End::Drained).expect_err("1 was there");
    assert_eq!(violation.kind, Kind::FalseEmpty, "{}", violation.explain(&history));
    assert_eq!(history.iter().position(|op| op.event == Event::Empty), Some(violation.ops[0]));
    // All else is right: without that answer, and with the one at the end.
    history.remove(violation.ops[0]);
    assert_eq!(judge(&history, End::Drained), Ok(()));
    assert_eq!(history.iter().filter(|op| op.event == Event::Empty).count(), 1);
}
