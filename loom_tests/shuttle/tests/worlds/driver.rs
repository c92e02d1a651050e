//! Runs worlds under many schedules, and says how to see a failure again.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::strategy::ValueTree;

use crate::failure;
use crate::scenario::{Scenario, generate};
use crate::scheduler::{self, Dealer, Name, Numbers};
use crate::world;

/// The variable that names one schedule to run, and the one that has a scenario to run.
pub const SCHEDULE: &str = "ZERO_POOL_SCHEDULE";
pub const SCENARIO: &str = "ZERO_POOL_SCENARIO";

/// Makes one execution, as its main thread.
pub type Program = Arc<dyn Fn() + Send + Sync>;

/// A failure and the schedule that showed it.
#[derive(Debug)]
pub struct Failure {
    pub what: String,
    pub schedule: Name,
    /// So many schedules of its program had held.
    pub after: u64,
    /// So many schedules this process had run, of whatever program.
    pub in_all: u64,
}

/// Schedules that held.
#[derive(Debug, PartialEq, Eq)]
pub struct Explored {
    pub schedules: u64,
    /// The steps of the longest.
    pub longest: u32,
}

/// What was explored, by all tests of this process.
pub struct Totals {
    pub worlds: AtomicU64,
    pub schedules: AtomicU64,
    pub steps: AtomicU64,
}

pub static TOTALS: Totals =
    Totals { worlds: AtomicU64::new(0), schedules: AtomicU64::new(0), steps: AtomicU64::new(0) };

/// Runs the program under each schedule that `names` yields, up to the first failure.
///
/// It does so on a thread of its own: what a failure leaves half unwound would mislead the schedules after it.
pub fn explore(
    program: &Program,
    names: impl FnMut(u32) -> Option<Name> + Send + 'static,
) -> Result<Explored, Failure> {
    let program = Arc::clone(program);
    let thread = std::thread::spawn(move || explore_here(program, names));
    thread.join().expect("its panics are caught")
}

fn explore_here(
    program: Program,
    mut names: impl FnMut(u32) -> Option<Name> + 'static,
) -> Result<Explored, Failure> {
    let last = Rc::new(Cell::new((None, 0)));
    let noted = Rc::clone(&last);
    let names = move |longest| {
        let name = if failure::has_failed() { None } else { names(longest) };
        if name.is_some() {
            noted.set((name, noted.get().1 + 1));
        }
        name
    };
    let mut config = shuttle::Config::new();
    config.silence_warnings = true;
    config.failure_persistence = shuttle::FailurePersistence::None;
    // Tasks nest, and a failed assertion is formatted where it fails.
    config.stack_size = 256 * 1024;
    config.max_steps = shuttle::MaxSteps::FailAfter(100_000);
    let failed = failure::watch(|| {
        shuttle::Runner::new(Dealer::new(names), config).run(move || program());
    });
    let (name, schedules) = last.get();
    let (steps, longest) = scheduler::steps();
    let in_all = TOTALS.schedules.fetch_add(schedules, Ordering::Relaxed) + schedules;
    TOTALS.steps.fetch_add(steps, Ordering::Relaxed);
    match (failed, name) {
        (None, _) => Ok(Explored { schedules, longest }),
        (Some(what), Some(schedule)) => Err(Failure { what, schedule, after: schedules - 1, in_all }),
        (Some(what), None) => panic!("no schedule was run: {what}"),
    }
}

/// Yields so many names, random and PCT in turn, which follow from the seed.
pub fn names(seed: u64, schedules: usize) -> impl FnMut(u32) -> Option<Name> + Send + 'static {
    let mut numbers = Numbers::new(seed);
    let mut left = schedules;
    move |longest| {
        left = left.checked_sub(1)?;
        let steps = left.is_multiple_of(2).then_some(longest);
        Some(Name { steps, seed: numbers.next() >> 32, stop: None })
    }
}

/// Runs the schedule that the environment names, or else those of `names`.
pub fn check(
    test: &str,
    program: &Program,
    names: impl FnMut(u32) -> Option<Name> + Send + 'static,
) -> Result<Explored, String> {
    TOTALS.worlds.fetch_add(1, Ordering::Relaxed);
    let result = match std::env::var(SCHEDULE) {
        Ok(name) => {
            let mut name = Some(name.parse()?);
            explore(program, move |_| name.take())
        }
        Err(_) => explore(program, names),
    };
    result.map_err(|failure| {
        format!("{}\nreplay: {}", failure, replay(&format!("{SCHEDULE}={}", failure.schedule), test))
    })
}

fn replay(variables: &str, test: &str) -> String {
    format!("{variables} cargo test -p shuttle_tests --test worlds -- --exact {test}")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, schedule, after, in_all } = self;
        write!(f, "{what}\nschedule: {schedule}, after {after} that held, {in_all} in all")
    }
}

/// How long a failing scenario may be shrunk.
const SHRINKING: Duration = Duration::from_secs(20);

fn program_of(scenario: &Scenario) -> Program {
    let scenario = scenario.clone();
    Arc::new(move || world::run(&scenario))
}

/// Runs one scenario, which has no other name than its text.
pub fn check_scenario(scenario: &Scenario, seed: u64, schedules: usize) -> Result<Explored, Failure> {
    TOTALS.worlds.fetch_add(1, Ordering::Relaxed);
    if std::env::var_os("ZERO_POOL_TRACE").is_some() {
        eprintln!("scenario {scenario}");
    }
    explore(&program_of(scenario), names(seed, schedules))
}

/// Runs one scenario under one schedule.
pub fn replay_scenario(scenario: &Scenario, name: Name) -> Result<Explored, Failure> {
    let mut name = Some(name);
    explore(&program_of(scenario), move |_| name.take())
}

/// Runs the scenario of a seed. If it fails, says how, and looks for a smaller one that fails as well.
pub fn check_generated(seed: u64, schedules: usize) -> Result<Explored, String> {
    let mut tree = generate::tree(seed);
    let first = match check_scenario(&tree.current(), seed, schedules) {
        Ok(schedules) => return Ok(schedules),
        Err(failure) => failure,
    };
    let original = explain(&tree.current(), &first);
    // Printed at once: a scenario that corrupts memory may not live to see itself shrunk.
    eprintln!("{original}\nshrinking it for {SHRINKING:?} at most");
    let (mut scenario, mut failure) = (tree.current(), first);
    let start = Instant::now();
    let mut goes_on = tree.simplify();
    while goes_on && start.elapsed() < SHRINKING {
        goes_on = match check_scenario(&tree.current(), seed, 4 * schedules) {
            Ok(_) => tree.complicate(),
            Err(smaller) => {
                (scenario, failure) = (tree.current(), smaller);
                tree.simplify()
            }
        };
    }
    Err(format!("{original}\nshrunk:\n{}", explain(&scenario, &failure)))
}

/// Says what failed and how to see it again.
pub fn explain(scenario: &Scenario, failure: &Failure) -> String {
    let variables = format!("{SCENARIO}='{scenario}' {SCHEDULE}={}", failure.schedule);
    format!("{failure}\nreplay: {}", replay(&variables, "replay"))
}
