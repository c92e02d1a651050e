//! What the driver itself promises: no green run that checked nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use crate::checker::Checker;
use crate::child::{Check, End};
use crate::fifo;
use crate::support::{self, Body, Bound, Model, effective_bound};
use crate::trace;

/// Long beyond what any model takes, short enough that a lost one is noticed.
const DEADLINE: Duration = Duration::from_secs(if cfg!(crossbeam_loom) { 3600 } else { 240 });

/// A model, under all its reclaimers, may explore this share of all schedules, so that no single one eats the time of the others.
const LARGEST_SHARE: f64 = 0.1;

struct Row {
    check: Check,
    schedules: usize,
    seconds: f64,
    cut_off: bool,
}

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// Says what is wrong with this build, if anything is.
pub fn refuse_wrong_build() -> Result<(), String> {
    if zero_pool_loom::sync::BACKEND != "loom" {
        return Err("the models were built without cfg(loom): loom_tests/build.rs must print it".into());
    }
    if !cfg!(debug_assertions) {
        return Err("the models need debug assertions: run them with `cargo test`, without --release, \
                    and keep debug-assertions = true in [profile.test]"
            .into());
    }
    let expected = std::env::var("ZERO_POOL_EXPECT_RECLAIMER").unwrap_or_default();
    if expected == "epoch" && !cfg!(crossbeam_loom) {
        return Err("cargo loom was asked for the real crossbeam-epoch, but the cfg was lost: \
                    unset RUSTFLAGS and CARGO_ENCODED_RUSTFLAGS"
            .into());
    }
    Checker::named().map(|_| ())
}

/// Ends this process at the first panic, whoever would catch it.
///
/// Tasks and drops run under `catch_unwind`, where a failed assertion, or a race that loom reports, would be taken for
/// a panic of the task's. A model that wants a task to panic uses `resume_unwind`, which comes by no hook.
pub fn fail_on_any_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        trace::explain();
        eprintln!("failed in schedule {}", support::schedule());
        fifo::explain();
        std::process::exit(101);
    }));
}

/// Runs a check and turns its end into a test's result.
pub fn run(check: &Check) -> Result<(), Failed> {
    let (end, time) = check.run(DEADLINE);
    let (schedules, cut_off) = match end {
        End::Passed(schedules) => (schedules, false),
        End::CutOff => (0, true),
        End::Failed(_) => (0, false),
    };
    let row = Row { check: *check, schedules, seconds: time.as_secs_f64(), cut_off };
    ROWS.lock().unwrap_or_else(PoisonError::into_inner).push(row);
    match end {
        End::Passed(2..) => Ok(()),
        End::Passed(n) => Err(check.explain(&format!("{n} schedule is no race; it needs two sides")).into()),
        End::CutOff => {
            Err(check.explain(&format!("cut off after {DEADLINE:?}; make the model smaller")).into())
        }
        End::Failed(why) => Err(check.explain(&why).into()),
    }
}

/// Prints what was explored; false if one model explored more than its share.
pub fn summarise(everything: bool) -> bool {
    let rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut models: BTreeMap<(&str, &str), (Bound, usize, f64)> = BTreeMap::new();
    for row in rows.iter() {
        let model = &row.check.model;
        let sum = models.entry((model.file, model.name)).or_insert((effective_bound(model), 0, 0.0));
        sum.1 += row.schedules;
        sum.2 += row.seconds;
    }
    println!("{:<58} {:>5} {:>11} {:>8}", "model, all reclaimers", "bound", "schedules", "seconds");
    for ((file, name), (bound, schedules, seconds)) in &models {
        println!("{:<58} {bound:>5} {schedules:>11} {seconds:>8.2}", format!("{file}::{name}"));
    }
    let total: usize = rows.iter().map(|row| row.schedules).sum();
    let seconds: f64 = rows.iter().map(|row| row.seconds).sum();
    let cut_off = rows.iter().filter(|row| row.cut_off).count();
    println!(
        "models: {}, checks: {}, schedules: {total}, seconds of all children: {seconds:.1}, cut off: {cut_off}",
        models.len(),
        rows.len()
    );
    let limit = (total as f64 * LARGEST_SHARE) as usize;
    let mut balanced = true;
    for ((file, name), (_, schedules, _)) in
        models.iter().filter(|(_, (_, schedules, _))| everything && *schedules > limit)
    {
        balanced = false;
        println!("error: {file}::{name} explored {schedules} of {total} schedules, more than a tenth");
    }
    balanced
}

/// Models that must not pass: what the driver's own tests run.
pub const PLANTED: &[Model] = &[
    planted("planted_abort", || std::process::abort()),
    planted("planted_endless", || {
        loop {
            std::thread::sleep(Duration::from_millis(50));
        }
    }),
    planted("planted_race", || {
        let cell = loom::sync::Arc::new(loom::cell::UnsafeCell::new(0));
        let other = cell.clone();
        let thread = loom::thread::spawn(move || {
            // SAFETY: none: the race is what loom must report.
            other.with_mut(|n| unsafe { *n = 1 });
        });
        // SAFETY: none: as above.
        cell.with_mut(|n| unsafe { *n = 2 });
        thread.join().expect("the thread ends");
    }),
    planted("planted_swallowed", || {
        let thread = loom::thread::spawn(|| {
            let caught = std::panic::catch_unwind(|| panic!("caught by a task's catch_unwind"));
            assert!(caught.is_err());
        });
        thread.join().expect("the thread ends");
    }),
    planted("planted_alone", || {
        assert_eq!(loom::sync::atomic::AtomicUsize::new(7).into_inner(), 7);
    }),
];

const fn planted(name: &'static str, body: fn()) -> Model {
    Model { name, file: "driver", bound: Bound::None, oracles: &["never"], body: Body::One(body) }
}

fn planted_check(name: &str) -> Check {
    let model = PLANTED.iter().find(|model| model.name == name).expect("a planted model");
    Check { model: *model, oracle: "never" }
}

/// Tests of the driver: what must not look green does not.
pub fn own_tests() -> Vec<Trial> {
    let soon = Duration::from_millis(500);
    vec![
        Trial::test("driver::a_dying_child_fails", || match planted_check("planted_abort").run(DEADLINE).0 {
            End::Failed(why) if why.contains("signal") => Ok(()),
            other => Err(format!("an aborted child ended as {other:?}").into()),
        }),
        Trial::test("driver::a_child_over_its_deadline_is_cut_off", move || {
            match planted_check("planted_endless").run(soon).0 {
                End::CutOff => Ok(()),
                other => Err(format!("an endless child ended as {other:?}").into()),
            }
        }),
        Trial::test("driver::a_race_fails", || match planted_check("planted_race").run(DEADLINE).0 {
            End::Failed(why) if why.contains("Causality violation") => Ok(()),
            other => Err(format!("a racing model ended as {other:?}").into()),
        }),
        Trial::test("driver::a_model_without_a_race_explores_one_schedule", || {
            match planted_check("planted_alone").run(DEADLINE).0 {
                End::Passed(1) => Ok(()),
                other => Err(format!("a model with one thread ended as {other:?}").into()),
            }
        }),
        Trial::test("driver::a_panic_that_is_caught_fails", || {
            match planted_check("planted_swallowed").run(DEADLINE).0 {
                End::Failed(why) if why.contains("caught by a task") => Ok(()),
                other => Err(format!("a model with a caught panic ended as {other:?}").into()),
            }
        }),
        Trial::test("driver::an_unknown_model_fails", || {
            let model = Model { name: "no_such_model", ..PLANTED[0] };
            match (Check { model, oracle: "never" }).run(DEADLINE).0 {
                End::Failed(why) if why.contains("no model") => Ok(()),
                other => Err(format!("an unknown model ended as {other:?}").into()),
            }
        }),
    ]
}
