//! What the tasks of a function cost, as far as it is known: a hint that decides who runs a loop, and never whether.
//!
//! Waking a worker costs its waker about 7 us on a virtual machine, and the worker is there 5 to 30 us later. A loop whose work is
//! less than that ends sooner when its caller runs it alone. So each pool remembers what a task took, by the chunk runner, of which
//! there is one per closure type or task function. Batches that are submitted use it for their [`grain`](crate::grain) alone.
//!
//! A worker that is awake need not be woken, and half as much work is worth sharing with it. It is awake if loops follow each other
//! closely; whether they do is found by trial, as who sleeps never sees them: now and then such a loop wakes a worker.
//!
//! ```text
//!   63            40 39    32 31                        0
//!   ┌───────────────┬────────┬──────────────────────────┐      one function
//!   │ tag           │ trust  │ 1/256 ns per task        │
//!   └───────────────┴────────┴──────────────────────────┘
//!     of its address    └ how many measurements in a row fitted
//! ```
//!
//! A measurement above the estimate replaces it at once, one below moves it by a quarter of the way: a loop that was wrongly
//! taken for cheap runs on one thread, while one that was wrongly taken for costly is only shared in vain. A measurement far above
//! shows that the cost varies, and ends the trust: until it is back every call is measured. Afterwards one is in two
//! microseconds that calls are expected to take, since two readings of the clock take 46 ns: of the shortest loops one in 127, and of
//! those of a microsecond every other.
//!
//! # Invariants
//!
//! - `K1`  *Up at once.* After a measurement the estimate is not below it, but for the clock's own time.
//! - `K2`  *Trust is earned.* A call goes unmeasured only after [`TRUSTED`] measurements in a row that fitted.
//! - `K3`  *Each its own.* What is known of one function is not believed of another. Two that share an entry are taken for each other
//!   with a chance of one in 2^23.
//! - `K4`  *Trust is tested.* Of the functions that a thread calls in turn each is measured again: one call in 127 of it on average,
//!   and more of those that take longer.
//! - `K5`  *Trials are rare.* Of the loops that take less than a wake a thread shares one in 200 us of them though no worker is awake.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | all | Relaxed | a number that stands for itself; an old one costs time |
//!
//! # Alternatives turned down
//!
//! *Measuring each call*: 2 tasks then cost 144 ns instead of 66, as the prototype showed. *A table for all pools*: a mutable static,
//! which would leak from one modelled schedule to the next. *Estimates that decide whether a
//! submission wakes*: submitted tasks start without their caller whatever they cost, and an estimate only tells how many of them are
//! worth a claim.
//!
//! Checked by: the properties `k1_*`, `k2_*`, `k4_*` and `k5_*` in `proptests/tests/costs.rs`, `k5_*` in [`idle`](crate::idle), `k3_*` and `a_loop_that_grows_dear_is_shared` in its
//! contract tests.

use core::cell::Cell;

use crate::grain::{Grain, TARGET_NANOS};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::each_thread;
use crate::work::Run;

/// What a wake costs in all: a loop that is known to be shorter wakes nobody but by way of trial.
pub const WAKE_NANOS: u64 = 10_000;

/// What it costs to share a loop with a worker that is awake: one that is known to be shorter is run by its caller alone.
const AWAKE_NANOS: u64 = 5_000;

/// A trial, which may cost 10 us of a thread's time, follows after so much of loops that are between the two.
const TRIAL_NANOS: u64 = 200_000;

/// So many measurements in a row have to fit before calls go unmeasured.
pub const TRUSTED: u64 = 16;

/// Of the calls of trusted functions, one is measured in so many nanoseconds of them. It is a prime number: functions that take
/// turns are then all measured, each as often as its calls are long.
const PERIOD: u64 = 2_039;

/// What a call takes at least, tasks aside.
const CALL_NANOS: u64 = 16;

/// How long two readings of the clock take, and some of what surrounds them.
const CLOCK_NANOS: u64 = 40;

const COST_BITS: u32 = 32;
const UNIT: u64 = 256;
const TRUST_BITS: u32 = 8;
const TAG_SHIFT: u32 = COST_BITS + TRUST_BITS;

/// What is known of one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Per task, in 256ths of a nanosecond.
    cost: u64,
    trust: u64,
}

impl Estimate {
    /// Returns what is known after `tasks` tasks took `nanos`, and `before` was known before.
    pub fn learn(before: Option<Self>, tasks: u64, nanos: u64) -> Self {
        let most = u64::from(u32::MAX);
        let work = nanos.saturating_sub(CLOCK_NANOS);
        let cost = (work.saturating_mul(UNIT) / tasks.max(1)).clamp(1, most);
        match before {
            None => Self { cost, trust: 1 },
            Some(Self { cost: known, .. }) if cost > 4 * known && work > TARGET_NANOS => {
                Self { cost, trust: 0 }
            }
            Some(Self { cost: known, trust }) => {
                let trust = (trust + 1).min(TRUSTED);
                // K1.
                Self { cost: if cost > known { cost } else { known - (known - cost) / 4 }, trust }
            }
        }
    }

    /// Returns how long so many tasks should take.
    pub fn nanos(self, tasks: u64) -> u64 {
        self.cost.saturating_mul(tasks) / UNIT
    }

    /// Returns how many tasks should take about a microsecond.
    pub fn slice(self) -> u64 {
        (TARGET_NANOS * UNIT / self.cost).max(1)
    }

    /// Returns how many tasks are worth a claim.
    pub fn grain(self) -> Grain {
        Grain::measured(self.slice(), TARGET_NANOS)
    }

    /// Tells whether calls may go unmeasured (K2).
    pub fn is_trusted(self) -> bool {
        self.trust >= TRUSTED
    }
}

/// How many functions a pool remembers.
const FUNCTIONS: usize = if cfg!(any(loom, shuttle)) { 2 } else { 128 };

/// The estimates of one pool.
#[derive(Debug)]
pub struct Costs {
    entries: [AtomicU64; FUNCTIONS],
}

each_thread! {
    /// How long the calls of trusted functions should have taken since one was measured, and what that one was late by.
    static UNMEASURED: Cell<u64> = Cell::new(0)
}

each_thread! {
    /// How long the loops should have taken since the last trial that were too short for a wake, and worth a worker that is awake.
    static UNTRIED: Cell<u64> = Cell::new(0)
}

impl Costs {
    /// Makes a memory without functions.
    #[allow(clippy::new_without_default, reason = "it is made in one place")]
    pub fn new() -> Self {
        Self { entries: core::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Returns where `run` stands if it does, and what it is known by there.
    fn entry(&self, run: Run) -> (&AtomicU64, u64) {
        // Functions lie 16 bytes apart as a rule; Fibonacci hashing.
        let hash = (run as usize as u64 >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (&self.entries[(hash >> 32) as usize % FUNCTIONS], hash >> TAG_SHIFT | 1)
    }

    /// Returns what is known of the tasks of `run`.
    #[inline]
    pub fn known(&self, run: Run) -> Option<Estimate> {
        let (entry, tag) = self.entry(run);
        // ORDERING: Relaxed; a number that stands for itself.
        let word = entry.load(Ordering::Relaxed);
        let trust = word >> COST_BITS & ((1 << TRUST_BITS) - 1);
        (word >> TAG_SHIFT == tag).then_some(Estimate { cost: word & u64::from(u32::MAX), trust })
    }

    /// Remembers that `tasks` tasks of `run` took `nanos`.
    pub fn learn(&self, run: Run, tasks: u64, nanos: u64) {
        let Estimate { cost, trust } = Estimate::learn(self.known(run), tasks, nanos);
        let (entry, tag) = self.entry(run);
        // ORDERING: Relaxed; as above. Of two that learn at once, one is forgotten.
        entry.store(tag << TAG_SHIFT | trust << COST_BITS | cost, Ordering::Relaxed);
    }

    /// Tells whether a call of a function with this estimate, which should take so long, is to be measured (K2, K4).
    #[inline]
    pub fn is_due(estimate: Estimate, nanos: u64) -> bool {
        let sampled = || {
            UNMEASURED.with(|unmeasured| {
                let sum = unmeasured.get() + nanos.min(TARGET_NANOS) + CALL_NANOS;
                let is_due = sum >= PERIOD;
                unmeasured.set(if is_due { sum - PERIOD } else { sum });
                is_due
            })
        };
        !estimate.is_trusted() || sampled()
    }

    /// Tells whether a loop that should take so long is to be shared.
    #[inline]
    pub fn is_worth_sharing(nanos: u64, has_awake: impl FnOnce() -> bool) -> bool {
        nanos >= WAKE_NANOS || nanos >= AWAKE_NANOS && Self::is_worth_trying(nanos, has_awake)
    }

    /// Tells whether a worker is awake, or is to be woken by way of trial (K5).
    fn is_worth_trying(nanos: u64, has_awake: impl FnOnce() -> bool) -> bool {
        UNTRIED.with(|untried| {
            let sum = (untried.get() + nanos).min(TRIAL_NANOS);
            let has_awake = has_awake();
            let is_trial = !has_awake && sum == TRIAL_NANOS;
            untried.set(if is_trial { 0 } else { sum });
            has_awake || is_trial
        })
    }
}
