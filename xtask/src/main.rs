//! Tasks around the crate: what plain `cargo test` is too early or too blunt for.

#![allow(unreachable_pub, reason = "a program exports nothing; `pub` says what a module offers the others")]

mod bugs;
mod cargo;
mod checker;
mod child;
mod deep;
mod doc;
mod environment;
mod fuzz;
mod histories;
mod links;
mod models;
mod ordmut;
mod page;
mod pictures;
mod progress;
mod sanitize;
mod share;
mod shuttle;
mod tables;
mod tree;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks around the crate.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Makes known mistakes in a copy of the sources, one after another, and sees each be caught by the check that is named
    /// for it.
    Bugs(bugs::Args),
    /// Builds the documentation with warnings denied, and follows the links of its pages.
    Doc,
    /// Runs every property on new random cases, for as long as wanted.
    Fuzz(fuzz::Args),
    /// Records many operations of real threads, and judges whether they are linearizable.
    Histories(histories::Args),
    /// Writes where the links of the pages lead: as files, and in rustdoc.
    Links,
    /// Runs the models on the real crossbeam-epoch.
    Loom(deep::Args),
    /// Weakens each memory ordering and fence of the crate in turn, and sees a model fail.
    Ordmut(ordmut::Args),
    /// Draws the pictures of the documentation of the texts beside them.
    Pictures,
    /// Runs a stress program and tests under AddressSanitizer and ThreadSanitizer; needs a nightly toolchain.
    Sanitize(sanitize::Args),
    /// Runs larger worlds under many more schedules than a plain test run.
    Shuttle(shuttle::Args),
    /// Writes the tables of the documentation that are made of data in the repository.
    Tables,
    /// Runs random programs, the models and the ordering mutants on a repaired loom, which misses none of the schedules
    /// that loom as published misses by mistake.
    Verify(verify::Args),
}

fn main() -> ExitCode {
    let end = match Cli::parse().task {
        Task::Bugs(args) => bugs::run(&args),
        Task::Doc => doc::run(),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Histories(args) => histories::run(&args),
        Task::Links => links::run(),
        Task::Loom(args) => deep::run(&args),
        Task::Ordmut(args) => ordmut::run(&args),
        Task::Pictures => pictures::run(),
        Task::Sanitize(args) => sanitize::run(&args),
        Task::Shuttle(args) => shuttle::run(&args),
        Task::Tables => tables::run(),
        Task::Verify(args) => verify::run(&args),
    };
    end.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
