//! One visit: warm-up, samples, and a check of the results after each of them.
//!
//! A sample is as many calls as take long enough for the clocks, in one interval, so that a call of a few nanoseconds is
//! not drowned in the 23 that a clock costs. The results are checked outside of the interval and spoiled afterwards, and
//! every call gets another epoch, which empty tasks mix into their results: work that was skipped, folded away or done
//! by an earlier call does not pass.

use std::time::{Duration, Instant};

use benches::clock::took;

/// How long a visit may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
    /// A sample is at least so long.
    pub(crate) sample: Duration,
    /// How many tasks are submitted where it is seen whether memory grows.
    pub(crate) submissions: usize,
}

/// One figure: nanoseconds on the wall and of processor time, per operation. For rows that count other things, `wall` is
/// what was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

/// The samples of a visit; `None` if the peer has no such call, an error if a result was wrong.
pub(crate) type Outcome = Result<Option<Vec<Sample>>, String>;

/// Measures `call`, which is given its epoch; `check` is given the epoch of the last call.
pub(crate) fn timed(
    budget: &Budget,
    mut call: impl FnMut(u64) -> Option<()>,
    mut check: impl FnMut(u64) -> Result<(), String>,
) -> Outcome {
    let mut epoch = 0;
    let mut sample = |calls: u32| {
        let mut answered = true;
        let took = took(|| {
            for _ in 0..calls {
                epoch += 1;
                answered &= call(epoch).is_some();
            }
        });
        if !answered {
            return Ok(None);
        }
        check(epoch)?;
        Ok::<_, String>(Some(took))
    };
    let start = Instant::now();
    let mut calls = 1_u32;
    // An answer to the first call is one to all.
    while let Some(took) = sample(calls)? {
        let long = took.wall >= budget.sample;
        if long && start.elapsed() >= budget.warm_up {
            break;
        }
        calls = if long { calls } else { calls.saturating_mul(2) };
    }
    let mut samples = Vec::new();
    let start = Instant::now();
    while samples.is_empty() || start.elapsed() < budget.measure {
        let Some(took) = sample(calls)? else { return Ok(None) };
        let per_call = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(calls);
        samples.push(Sample { wall: per_call(took.wall), cpu: per_call(took.cpu) });
    }
    Ok(Some(samples))
}

/// Makes samples of intervals that the row has timed itself.
pub(crate) fn intervals(times: impl IntoIterator<Item = Duration>) -> Vec<Sample> {
    times.into_iter().map(|time| Sample { wall: time.as_secs_f64() * 1e9, cpu: f64::NAN }).collect()
}

/// Makes the one sample of a row that counts.
pub(crate) fn counted(value: f64) -> Outcome {
    Ok(Some(vec![Sample { wall: value, cpu: f64::NAN }]))
}

/// Complains unless both are equal.
pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: T,
    expected: T,
) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}")) }
}
