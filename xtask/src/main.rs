//! Tasks around the crate: what plain `cargo test` is too early or too blunt for.

#![allow(unreachable_pub, reason = "a program exports nothing; `pub` says what a module offers the others")]

mod environment;
mod models;
mod ordmut;
mod tree;

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
    /// Weakens each memory ordering and fence of the crate in turn, and sees a model fail.
    Ordmut(ordmut::Args),
}

fn main() -> ExitCode {
    let end = match Cli::parse().task {
        Task::Ordmut(args) => ordmut::run(&args),
    };
    end.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
