//! The generated scenarios as tests: so many schedules in all, spread over many scenarios.

use std::sync::atomic::Ordering;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::driver::{self, SCENARIO, SCHEDULE, TOTALS};
use crate::scenario::Scenario;

/// Schedules in all that a plain run has; `ZERO_POOL_SCHEDULES` may ask for more, and never for fewer.
const LEAST: u64 = 100_000;

/// Schedules of one scenario.
const EACH: u64 = 500;

/// Into so many tests the scenarios are divided.
const TESTS: u64 = 8;

/// How often a long run says how far it is.
const PATIENCE: Duration = Duration::from_secs(10);

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}; it must be a number")))
}

fn schedules() -> u64 {
    number("ZERO_POOL_SCHEDULES").unwrap_or(0).max(LEAST)
}

/// The tests: each runs its share of the scenarios.
pub fn tests() -> Vec<Trial> {
    let (scenarios, base) = (schedules() / EACH, number("ZERO_POOL_SEED").unwrap_or(0));
    let share = |test: u64| {
        Trial::test(format!("generated::{test}"), move || {
            for scenario in (test..scenarios).step_by(TESTS as usize) {
                driver::check_generated(base.wrapping_add(scenario), EACH as usize)?;
                report();
            }
            Ok(())
        })
    };
    (0..TESTS).map(share).collect()
}

/// Tells how far a long run is.
fn report() {
    use std::sync::Mutex;
    use std::time::Instant;
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let now = Instant::now();
    if now - *last.get_or_insert(now) > PATIENCE {
        *last = Some(now);
        let done = TOTALS.schedules.load(Ordering::Relaxed);
        eprintln!("{done} schedules, {} of generated scenarios to be run", schedules());
    }
}

/// The one test of a run that was asked for a scenario: under the schedule that was asked for, or under many.
pub fn asked() -> Option<Trial> {
    let text = std::env::var(SCENARIO).ok()?;
    Some(Trial::test("replay", move || {
        let scenario: Scenario = text.parse()?;
        let result = match std::env::var(SCHEDULE) {
            Ok(name) => driver::replay_scenario(&scenario, name.parse()?),
            Err(_) => {
                driver::check_scenario(&scenario, 0, number("ZERO_POOL_SCHEDULES").unwrap_or(EACH) as usize)
            }
        };
        let held = result.map_err(|failure| driver::explain(&scenario, &failure))?;
        println!("{} schedules held", held.schedules);
        Ok(())
    }))
}
