//! Runs the models: each in a child process with a deadline, as a failing model may abort its process.
//!
//! `cargo test -p loom_tests --test models -- [FILTER] [--list] [--exact] ..` as with any test binary. Two more ways
//! to call it serve `cargo xtask`: `--table` prints the checks, one a line, and `--child MODEL ORACLE` runs one check in
//! this process. A check is a model under one reclaimer.
//!
//! `ZERO_POOL_BOUND=4` raises every preemption bound, `ZERO_POOL_PROGRAMS=500` the number of random programs of each kind.
//! `ZERO_POOL_TRACE=1` prints the steps of a schedule that fails ([`trace`]). `ZERO_POOL_SCRIPT="push2 | take | own"` runs one program on the queue.

#![allow(
    clippy::arc_with_non_send_sync,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the driver is no model, and models share by what loom does not see"
)]

mod batch;
mod checker;
mod child;
mod depot;
mod driver;
mod fifo;
mod fixture;
mod front;
mod idle;
mod injector;
mod latch;
mod litmus;
mod long;
mod pool;
mod programs;
mod queue;
mod random;
mod reclaim;
mod support;
mod trace;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::child::Check;
use crate::support::Model;

/// Returns all models, in the order of the floors.
fn models() -> impl Iterator<Item = &'static Model> {
    [
        litmus::TABLE,
        programs::TABLE,
        reclaim::TABLE,
        queue::TABLE,
        fifo::TABLE,
        latch::TABLE,
        idle::TABLE,
        batch::TABLE,
        depot::TABLE,
        injector::TABLE,
        pool::TABLE,
        front::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// Returns all checks: each model under each of its reclaimers.
fn checks() -> impl Iterator<Item = Check> {
    models().flat_map(|model| model.oracles.iter().map(move |oracle| Check { model: *model, oracle }))
}

fn main() -> ExitCode {
    if let Err(wrong) = driver::refuse_wrong_build() {
        eprintln!("error: {wrong}");
        return ExitCode::FAILURE;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--child", name, oracle] => return run_child(name, oracle),
        ["--table"] => {
            for Check { model, oracle } in checks() {
                println!("{}\t{}\t{oracle}\t{}", model.name, model.file, support::effective_bound(&model));
            }
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let arguments = Arguments::from_args();
    let everything = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.list;
    let trials = checks().map(|check| Trial::test(check.title(), move || driver::run(&check)));
    let conclusion = libtest_mimic::run(
        &arguments,
        trials.chain(driver::own_tests()).chain(trace::own_tests()).chain(programs::own_tests()).collect(),
    );
    if arguments.list {
        return ExitCode::SUCCESS;
    }
    let balanced = driver::summarise(everything);
    if conclusion.has_failed() || !balanced { ExitCode::from(101) } else { ExitCode::SUCCESS }
}

fn run_child(name: &str, oracle: &str) -> ExitCode {
    let known = models().chain(driver::PLANTED).find(|model| model.name == name);
    let Some(model) = known else {
        eprintln!("error: there is no model {name:?}; --table lists them");
        return ExitCode::FAILURE;
    };
    if std::env::var("ZERO_POOL_ORACLE").is_ok_and(|set| set != oracle) {
        eprintln!("error: ZERO_POOL_ORACLE is set to another oracle than {oracle}; unset it");
        return ExitCode::FAILURE;
    }
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("ZERO_POOL_ORACLE", oracle) };
    trace::listen();
    driver::fail_on_any_panic();
    let schedules = support::explore(model);
    litmus::conclude(model.name);
    fixture::conclude();
    println!("schedules {schedules}");
    ExitCode::SUCCESS
}
