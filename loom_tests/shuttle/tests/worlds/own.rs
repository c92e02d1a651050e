//! What the driver itself promises: schedules replay, failures are found and shrunk, and nothing is swallowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Failed, Trial};
use proptest::strategy::ValueTree;
use shuttle::thread;

use crate::driver::{self, Program};
use crate::scenario::{Scenario, generate};
use crate::scheduler::{Name, quiesce};

/// An increment in two steps, by two threads: one of them may be lost.
fn lost_update() -> Program {
    use shuttle::sync::atomic::AtomicUsize;
    Arc::new(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let threads = [(); 2].map(|()| {
            let count = Arc::clone(&count);
            thread::spawn(move || count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed))
        });
        threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
        assert_eq!(count.load(Ordering::Relaxed), 2, "an update is lost");
    })
}

fn a_failure_replays_by_its_name() -> Result<(), Failed> {
    let program = lost_update();
    for seed in 0..3 {
        let Err(found) = driver::explore(&program, driver::names(seed, 1000)) else {
            return Err("the lost update was not found".into());
        };
        let name: Name = found.schedule.to_string().parse()?;
        let mut once = Some(name);
        match driver::explore(&program, move |_| once.take()) {
            Err(again) if again.what == found.what && again.schedule == found.schedule => {}
            other => return Err(format!("{name} failed at first, and then ended so: {other:?}").into()),
        }
    }
    Ok(())
}

fn a_panic_that_is_caught_is_a_failure() -> Result<(), Failed> {
    let program: Program = Arc::new(|| _ = std::panic::catch_unwind(|| panic!("caught by a task")));
    match driver::explore(&program, driver::names(0, 10)) {
        Err(failure) if failure.what.contains("caught by a task") && failure.after == 0 => Ok(()),
        other => Err(format!("it ended so: {other:?}").into()),
    }
}

fn a_deadlock_is_a_failure() -> Result<(), Failed> {
    let program: Program = Arc::new(thread::park);
    match driver::explore(&program, driver::names(0, 10)) {
        Err(failure) if failure.what.contains("deadlock") => Ok(()),
        other => Err(format!("it ended so: {other:?}").into()),
    }
}

fn a_node_that_is_left_over_is_a_failure() -> Result<(), Failed> {
    let program: Program = Arc::new(|| std::mem::forget(zero_pool_shuttle::batch::Batch::sentinel()));
    match driver::explore(&program, driver::names(0, 10)) {
        Err(failure) if failure.what.contains("leaked") => Ok(()),
        other => Err(format!("it ended so: {other:?}").into()),
    }
}

/// The observer looks when all others have ended, and a scheduler of either kind gets there.
fn the_observer_comes_last() -> Result<(), Failed> {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    let program: Program = Arc::new(move || {
        let steps = Arc::new(shuttle::sync::atomic::AtomicUsize::new(0));
        for _ in 0..3 {
            let steps = Arc::clone(&steps);
            thread::spawn(move || (0..5).for_each(|_| _ = steps.fetch_add(1, Ordering::Relaxed)));
        }
        quiesce();
        assert_eq!(steps.load(Ordering::Relaxed), 15);
        counted.fetch_add(1, Ordering::Relaxed);
    });
    driver::explore(&program, driver::names(0, 100)).map_err(|failure| failure.to_string())?;
    let looks = looks.load(Ordering::Relaxed);
    if looks == 100 { Ok(()) } else { Err(format!("{looks} looks in 100 schedules").into()) }
}

fn names_and_scenarios_are_read_as_they_are_printed() -> Result<(), Failed> {
    for stop in [None, Some(7)] {
        for steps in [None, Some(412)] {
            let name = Name { steps, seed: 0x5e1f, stop };
            if name.to_string().parse() != Ok(name) {
                return Err(format!("{name} is read as another").into());
            }
        }
    }
    for seed in 0..300 {
        let scenario = generate::tree(seed).current();
        if scenario.to_string().parse().as_ref() != Ok(&scenario) {
            return Err(format!("{scenario} is read as another").into());
        }
    }
    for wrong in
        ["", "2", "2 soon | each (.)", "2 late | each (.", "2 late | each (.) wait", "2 late | spawn ."]
    {
        if wrong.parse::<Scenario>().is_ok() && !wrong.is_empty() {
            return Err(format!("{wrong:?} is read").into());
        }
    }
    Ok(())
}

/// The same seed means the same scenario and the same steps: nothing else decides, not even an address.
fn all_follows_from_the_seed() -> Result<(), Failed> {
    for seed in 0..10 {
        let scenario = generate::tree(seed).current();
        let run = || {
            let mut seen = Vec::new();
            for at in 0..20 {
                let name = Name { steps: (at % 2 == 0).then_some(400), seed: seed << 8 | at, stop: None };
                let held = driver::replay_scenario(&scenario, name);
                seen.push(held.map_err(|failure| driver::explain(&scenario, &failure))?.longest);
            }
            Ok::<_, String>(seen)
        };
        if run()? != run()? {
            return Err(format!("{scenario} took other steps at the second time").into());
        }
    }
    Ok(())
}

/// The tests of this file.
pub fn tests() -> Vec<Trial> {
    vec![
        Trial::test("own::a_failure_replays_by_its_name", a_failure_replays_by_its_name),
        Trial::test("own::a_panic_that_is_caught_is_a_failure", a_panic_that_is_caught_is_a_failure),
        Trial::test("own::a_deadlock_is_a_failure", a_deadlock_is_a_failure),
        Trial::test("own::a_node_that_is_left_over_is_a_failure", a_node_that_is_left_over_is_a_failure),
        Trial::test("own::the_observer_comes_last", the_observer_comes_last),
        Trial::test(
            "own::names_and_scenarios_are_read_as_they_are_printed",
            names_and_scenarios_are_read_as_they_are_printed,
        ),
        Trial::test("own::all_follows_from_the_seed", all_follows_from_the_seed),
    ]
}
