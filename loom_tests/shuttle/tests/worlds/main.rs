//! Larger worlds: the whole pool under random schedules, with more threads and longer programs than a model can have.
//!
//! `cargo test -p shuttle_tests --test worlds -- [FILTER] [--list] [--exact] ..` as with any test binary.
//!
//! | module | what it is |
//! |---|---|
//! | [`scenario`], [`world`] | generated programs of a whole pool, and what must hold in them |
//! | [`fixed`] | programs that cannot be generated |
//! | [`stall`] | lock-freedom: a thread stops for good, and the others end |
//! | [`scheduler`] | schedules with names |
//! | [`driver`], [`failure`] | what counts as a failure, how it is shrunk, and what replays it |
//!
//! | variable | meaning |
//! |---|---|
//! | `ZERO_POOL_SCHEDULES` | how many schedules of generated scenarios there are in all; never fewer than by default |
//! | `ZERO_POOL_SEED` | which scenarios are generated |
//! | `ZERO_POOL_SCENARIO` | one scenario to run, under so many schedules |
//! | `ZERO_POOL_SCHEDULE` | the one schedule to run |
//! | `ZERO_POOL_TRACE=1` | print each scenario before it runs |

#![allow(unreachable_pub, reason = "a program exports nothing; `pub` says what a module offers the others")]
#![allow(
    clippy::arc_with_non_send_sync,
    reason = "shuttle runs all threads of a world on one thread of the system"
)]

mod awaiting;
mod driver;
mod failure;
mod fixed;
mod generated;
mod own;
mod scenario;
mod scheduler;
mod stall;
mod world;

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    if let Err(wrong) = refuse_wrong_build() {
        eprintln!("error: {wrong}");
        return ExitCode::FAILURE;
    }
    let arguments = Arguments::from_args();
    let trials = match generated::asked() {
        Some(asked) => vec![asked],
        None => {
            [generated::tests(), fixed::tests(), stall::tests(), own::tests()].into_iter().flatten().collect()
        }
    };
    let start = Instant::now();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        let total = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let driver::Totals { worlds, schedules, steps } = &driver::TOTALS;
        println!(
            "worlds: {}, schedules: {}, steps: {}, seconds: {:.1}",
            total(worlds),
            total(schedules),
            total(steps),
            start.elapsed().as_secs_f64()
        );
    }
    conclusion.exit_code()
}

/// Says what is wrong with this build, if anything is.
fn refuse_wrong_build() -> Result<(), &'static str> {
    if zero_pool_shuttle::sync::BACKEND != "shuttle" {
        return Err("the worlds were built without cfg(shuttle): loom_tests/shuttle/build.rs must print it");
    }
    if !cfg!(debug_assertions) {
        return Err("the worlds need debug assertions: run them with `cargo test`, without --release, \
                    and keep debug-assertions = true in [profile.test]");
    }
    Ok(())
}
