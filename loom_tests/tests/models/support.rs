//! What the models share: the table they stand in, the way a model is run, and small fixtures.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::checker::Checker;
use crate::long::Long;
use crate::trace;

/// Under which reclaimer a model runs; see `src/reclaim`.
pub const ORACLES: &[&str] = if cfg!(crossbeam_loom) { &["epoch"] } else { &["retirement", "kill", "never"] };

/// The reclaimers that kill.
pub const KILLERS: &[&str] = if cfg!(crossbeam_loom) { &["epoch"] } else { &["retirement", "kill"] };

/// The reclaimer that lets memory be used again, for models of that.
pub const REUSE: &[&str] = if cfg!(crossbeam_loom) { &["epoch"] } else { &["reuse"] };

/// For models that never pin: the reclaimer cannot matter.
pub const NO_RECLAIMER: &[&str] = if cfg!(crossbeam_loom) { &["epoch"] } else { &["never"] };

/// How far a model explores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Every schedule with at most this many preemptions.
    Preemptions(usize),
    /// Every schedule.
    None,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Preemptions(n) => write!(f, "{n}"),
            Self::None => f.write_str("none"),
        }
    }
}

/// One model: a program whose every schedule must hold its assertions.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// The invariant's ID in small letters, and what happens.
    pub name: &'static str,
    /// The module of `src` that it checks.
    pub file: &'static str,
    /// How far it is explored.
    pub bound: Bound,
    /// The reclaimers that it runs under.
    pub oracles: &'static [&'static str],
    /// The program.
    pub body: Body,
}

/// What a model runs.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// One program, in every schedule.
    One(fn()),
    /// Many programs, each in every schedule; returns the number of all schedules.
    Many(fn() -> usize),
}

/// Makes the table of a file's models.
#[macro_export]
macro_rules! table {
    ($file:literal: $($name:ident($bound:expr, $oracles:expr)),* $(,)?) => {
        /// The models of this file.
        pub const TABLE: &[$crate::support::Model] = &[$(
            $crate::support::Model {
                name: stringify!($name),
                file: $file,
                bound: $bound,
                oracles: $oracles,
                body: $crate::support::Body::One($name),
            },
        )*];
    };
}

/// The smallest bound that finds what the models hunt; see `docs/verification.md`.
pub const THREE: Bound = Bound::Preemptions(3);

/// One more, where that ends in a second.
pub const FOUR: Bound = Bound::Preemptions(4);

/// The environment variable that raises every bound.
pub const BOUND_VARIABLE: &str = "ZERO_POOL_BOUND";

/// The environment variable that sets the bound of models on the real epochs; `cargo loom --bound` does.
pub const EPOCH_BOUND_VARIABLE: &str = "ZERO_POOL_EPOCH_BOUND";

/// Returns the bound that `model` runs with: its own, or a larger one from the environment. The real epochs have many
/// more schedules, of which all with three preemptions are explored, or with as many as `cargo loom` was told. The litmus
/// programs are tiny, and pin what loom shows without a bound: with one, it goes back to more places, and shows some of what
/// it misses otherwise.
pub fn effective_bound(model: &Model) -> Bound {
    let is_litmus = model.file == "litmus";
    let of_epochs = || {
        let asked = std::env::var(EPOCH_BOUND_VARIABLE).ok().map(|asked| asked.parse());
        let asked =
            asked.map(|asked| asked.unwrap_or_else(|_| panic!("{EPOCH_BOUND_VARIABLE} must be a number")));
        asked.map_or(THREE, Bound::Preemptions)
    };
    let own = if cfg!(crossbeam_loom) && !is_litmus { of_epochs() } else { model.bound };
    let own = Checker::current().bound(own, is_litmus);
    let Ok(asked) = std::env::var(BOUND_VARIABLE) else {
        return own;
    };
    let asked: usize =
        asked.parse().unwrap_or_else(|_| panic!("{BOUND_VARIABLE} is {asked:?}; it must be a number"));
    match own {
        Bound::Preemptions(own) => Bound::Preemptions(own.max(asked)),
        Bound::None => Bound::None,
    }
}

/// The environment variable that raises the number of random programs of each kind.
pub const PROGRAMS_VARIABLE: &str = "ZERO_POOL_PROGRAMS";

/// Returns how many random programs to run: so many, or more if the environment asks for them.
pub fn programs_asked_for(own: usize) -> usize {
    let Ok(asked) = std::env::var(PROGRAMS_VARIABLE) else { return own };
    let asked = asked.parse::<usize>();
    asked.unwrap_or_else(|_| panic!("{PROGRAMS_VARIABLE} must be a number")).max(own)
}

/// Runs every schedule of `model` in this process and returns how many there were.
pub fn explore(model: &Model) -> usize {
    match model.body {
        Body::One(body) => explore_with(effective_bound(model), Long::asked_for(true), body),
        Body::Many(body) => body(),
    }
}

/// How many schedules this process has begun.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// Returns the number of the schedule that runs.
pub fn schedule() -> usize {
    BEGUN.load(Ordering::Relaxed)
}

/// Runs `body`, one of many programs, in every schedule within `bound` and returns how many there were.
pub fn explore_all(bound: Bound, body: impl Fn() + Send + Sync + 'static) -> usize {
    explore_with(bound, Long::asked_for(false), body)
}

/// The limits that loom reads from the environment are all set here: none of them may end an exploration early.
fn explore_with(bound: Bound, long: Option<Long>, body: impl Fn() + Send + Sync + 'static) -> usize {
    let before = schedule();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = match bound {
        Bound::Preemptions(n) => Some(n),
        Bound::None => None,
    };
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.max_branches = 10_000;
    builder.max_threads = 5;
    builder.checkpoint_file = None;
    let long = long.map(Arc::new);
    long.iter().for_each(|long| long.configure(&mut builder));
    builder.log = trace::wanted();
    builder.location = trace::wanted();
    let telling = long.clone();
    builder.check(move || {
        let number = BEGUN.fetch_add(1, Ordering::Relaxed) + 1 - before;
        telling.iter().for_each(|long| long.begins(number));
        trace::begin();
        body();
    });
    let schedules = schedule() - before;
    long.map_or(schedules, |long| long.over(schedules))
}
