//! Work that takes a known time, has a result to be checked, and cannot be folded away.
//!
//! A step multiplies and adds, and each needs the one before it: no compiler has a closed form for it, nothing runs in
//! parallel within a core, and the time is proportional to the number of steps. [`calibrate`] measures how long one is.

use core::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Returns the number that `steps` dependent steps make of `seed`.
pub fn chain(seed: u64, steps: u64) -> u64 {
    let mut x = black_box(seed);
    for _ in 0..steps {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    }
    x
}

/// Returns the number that `steps` steps with branches make of `seed`, in a stretch of code that predictors dislike.
pub fn branches(seed: u64, steps: u64) -> u64 {
    let (mut x, mut sum) = (black_box(seed), 0_u64);
    for _ in 0..steps {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let high = x >> 33;
        if high.is_multiple_of(3) {
            sum = sum.wrapping_mul(17);
        } else if high.is_multiple_of(7) {
            sum ^= high;
        }
        sum = sum.wrapping_add(high);
    }
    sum
}

/// Returns how many nanoseconds a step of [`chain`] takes, from the fastest of some hundred trials.
pub fn calibrate() -> f64 {
    const STEPS: u64 = 20_000;
    static STEP: OnceLock<f64> = OnceLock::new();
    let trial = |seed| {
        let start = Instant::now();
        black_box(chain(seed, STEPS));
        start.elapsed()
    };
    let fastest = || (0..300).map(trial).min().unwrap_or(Duration::ZERO);
    *STEP.get_or_init(|| fastest().as_secs_f64() * 1e9 / STEPS as f64)
}

/// Returns how many steps of [`chain`] take so many nanoseconds here.
pub fn steps(nanoseconds: f64) -> u64 {
    (nanoseconds / calibrate()).round().max(1.0) as u64
}

/// Returns how many steps make tasks that take so many nanoseconds when one follows another. Short tasks overlap: a core
/// begins the next while it waits for the steps of the last, so that their number is found by trials.
pub fn steps_in_a_row(nanoseconds: f64) -> u64 {
    const TASKS: u64 = 1_000;
    let row = |steps| {
        let trial = |_| {
            let start = Instant::now();
            (0..TASKS).for_each(|seed| {
                black_box(chain(seed, steps));
            });
            start.elapsed()
        };
        let fastest = (0..100).map(trial).min().unwrap_or(Duration::ZERO);
        fastest.as_secs_f64() * 1e9 / TASKS as f64
    };
    let mut count = steps(nanoseconds);
    for _ in 0..3 {
        count = ((count as f64 * nanoseconds / row(count)).round() as u64).max(1);
    }
    count
}

/// A small generator of numbers that look random and are the same in every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number (SplitMix64).
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns the next number between 0 and 1, never 0.
    pub fn share(&mut self) -> f64 {
        ((self.number() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Shuffles the items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, (self.number() % (last as u64 + 1)) as usize);
        }
    }
}
