//! What the models share: the table they stand in, the way a model is run, and small fixtures.

use std::sync::atomic::{AtomicUsize, Ordering};

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
    pub body: fn(),
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
                body: $name,
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

/// Returns the bound that `model` runs with: its own, or a larger one from the environment. The real epochs have many
/// more schedules, of which all with three preemptions are explored.
pub fn effective_bound(model: &Model) -> Bound {
    let own = if cfg!(crossbeam_loom) { THREE } else { model.bound };
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

/// Runs every schedule of `model` in this process and returns how many there were.
///
/// The limits that loom reads from the environment are all set here: none of them may end an exploration early.
pub fn explore(model: &Model) -> usize {
    static SCHEDULES: AtomicUsize = AtomicUsize::new(0);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = match effective_bound(model) {
        Bound::Preemptions(n) => Some(n),
        Bound::None => None,
    };
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.max_branches = 10_000;
    builder.max_threads = 5;
    builder.checkpoint_file = None;
    let trace = std::env::var_os("ZERO_POOL_TRACE").is_some();
    builder.log = trace;
    builder.location = trace;
    let body = model.body;
    builder.check(move || {
        SCHEDULES.fetch_add(1, Ordering::Relaxed);
        body();
    });
    SCHEDULES.load(Ordering::Relaxed)
}
