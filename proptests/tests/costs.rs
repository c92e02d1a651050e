//! Properties of the estimates of what tasks cost, which are pure, and of the table that keeps them.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use zero_pool::costs::{Costs, Estimate, TRUSTED};
use zero_pool::grain::TARGET_NANOS;
use zero_pool::unwind::Payload;

/// More than a measurement is corrected by.
const CLOCK: u64 = 40;

/// Learns from measurements, each a number of tasks and how long they took.
fn learn(measurements: &[(u64, u64)]) -> Option<Estimate> {
    measurements.iter().fold(None, |known, &(tasks, nanos)| Some(Estimate::learn(known, tasks, nanos)))
}

fn measurement() -> impl Strategy<Value = (u64, u64)> {
    (1..1_000_000_u64, 0..1_000_000_000_u64)
}

/// Runs nothing; its address is a name.
///
/// # Safety
///
/// - Nothing is owed.
unsafe fn one(_: *const (), _: Range<usize>) -> Option<Payload> {
    None
}

/// Another one.
///
/// # Safety
///
/// - Nothing is owed.
unsafe fn two(_: *const (), range: Range<usize>) -> Option<Payload> {
    Some(Box::new(range))
}

proptest! {
    #![proptest_config(proptests::config!(1_000))]

    /// Whatever was known, tasks are not expected to take less than they took last, up to what can be told apart.
    #[test]
    fn k1_an_estimate_is_not_below_the_last_measurement(
        before in vec(measurement(), 0..20),
        (tasks, nanos) in measurement(),
    ) {
        let known = Estimate::learn(learn(&before), tasks, nanos);
        let most = u64::from(u32::MAX) * tasks / 256;
        prop_assert!(known.nanos(tasks) + CLOCK + tasks / 256 + 1 >= nanos.min(most), "{known:?} after {nanos}");
    }

    /// The same measurement again and again is known in the end, as well as it can be told from the clock.
    #[test]
    fn k1_estimates_come_down_to_what_is_measured(
        before in vec(measurement(), 0..20),
        (tasks, nanos) in measurement(),
    ) {
        let known = (0..100).fold(learn(&before), |known, _| Some(Estimate::learn(known, tasks, nanos)));
        let most = u64::from(u32::MAX) * tasks / 256;
        let expected = nanos.saturating_sub(CLOCK).min(most);
        let known = known.expect("something was learnt").nanos(tasks);
        prop_assert!(known <= expected + tasks / 16 + 1 , "{known} for {expected}");
    }

    /// Fewer measurements than are asked for are not trusted.
    #[test]
    fn k2_trust_is_earned(measurements in vec(measurement(), 1..TRUSTED as usize)) {
        prop_assert!(!learn(&measurements).expect("something was learnt").is_trusted());
    }

    /// After a measurement far above what was known as many are asked for again.
    #[test]
    fn k2_a_cost_that_varies_ends_the_trust(tasks in 1..10_000_u64, nanos in 100..1_000_u64, times in 6..1_000_u64) {
        let steady = vec![(tasks, nanos + CLOCK); 30];
        let known = learn(&steady).expect("something was learnt");
        prop_assert!(known.is_trusted());
        let surprised = Estimate::learn(Some(known), tasks, (nanos + CLOCK + tasks) * times + TARGET_NANOS);
        prop_assert!(!surprised.is_trusted());
    }

    /// In as many rounds as `Costs` counts nanoseconds between two measurements, each of the functions that take turns is
    /// measured as often as one of its calls counts nanoseconds, which are 16 more than it should take.
    #[test]
    fn k4_functions_that_take_turns_are_all_measured(nanos in vec(0..TARGET_NANOS, 1..6)) {
        const ROUNDS: u64 = 2_039;
        let calls: Vec<u64> = nanos.iter().map(|nanos| nanos + 16).collect();
        // A round of this length begins at the same place each time.
        prop_assume!(!calls.iter().sum::<u64>().is_multiple_of(ROUNDS));
        let trusted = learn(&[(1, 1); TRUSTED as usize]).expect("something was learnt");
        let mut measured = vec![0; nanos.len()];
        for _ in 0..ROUNDS {
            for (measured, &nanos) in measured.iter_mut().zip(&nanos) {
                *measured += u64::from(Costs::is_due(trusted, nanos));
            }
        }
        prop_assert_eq!(measured, calls);
    }

    /// A slice and a grain take about a microsecond, by the estimate.
    #[test]
    fn k1_slices_fit_the_estimate(measurements in vec(measurement(), 1..20)) {
        let known = learn(&measurements).expect("something was learnt");
        let slice = known.slice();
        prop_assert!(slice == 1 || known.nanos(slice) <= TARGET_NANOS);
        prop_assert!(known.grain().tasks() <= slice);
    }
}

#[test]
fn k1_functions_are_told_apart() {
    let costs = Costs::new();
    assert!(costs.known(one).is_none() && costs.known(two).is_none());
    costs.learn(one, 10, 100_040);
    assert!(costs.known(two).is_none());
    costs.learn(two, 10, 1_040);
    let nanos = |run| costs.known(run).map(|known| known.nanos(10));
    assert_eq!((nanos(one), nanos(two)), (Some(100_000), Some(1_000)));
}

/// A loop that is shorter than a wake is shared with a worker that is awake, if it is long enough for that, and else one of many.
#[test]
fn k5_short_loops_are_shared_with_who_is_awake_or_by_way_of_trial() {
    let (asleep, awake) = (|| false, || true);
    let unseen = || unreachable!("what takes so long or so little does not depend on it");
    assert!((0..1_000).all(|_| !Costs::is_worth_sharing(4_999, unseen)));
    assert!(Costs::is_worth_sharing(10_000, unseen));
    let trials = |calls| (0..calls).filter(|_| Costs::is_worth_sharing(5_000, asleep)).count();
    assert_eq!((trials(39), trials(1)), (0, 1), "one in 200 us");
    assert_eq!((trials(400), trials(39)), (10, 0), "and again");
    assert!((0..1_000).all(|_| Costs::is_worth_sharing(5_000, awake)));
    assert_eq!((trials(1), trials(39)), (1, 0), "what was shared makes a trial due, and no more than one");
}
