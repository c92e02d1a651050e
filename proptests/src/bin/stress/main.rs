//! A pool under stress, for the sanitizers: every front door from several threads at once, panics, and shutdown.
//!
//! `stress [ROUNDS]` runs so many rounds and checks what they computed. Results are plain memory that tasks write and
//! their callers read, so a missing edge between the two is a data race that ThreadSanitizer can see, and memory that is
//! let go of too early is one that AddressSanitizer can. `stress --plant FAULT` runs a fault that a sanitizer must report:
//! a sanitizer that keeps silent there watches nothing. See `cargo xtask sanitize`, which also ends a run that hangs.

mod planted;
mod rounds;

use std::process::ExitCode;

/// How many rounds there are unless one says so.
const ROUNDS: usize = 200;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run(ROUNDS),
        [rounds] if rounds.parse::<usize>().is_ok() => run(rounds.parse().unwrap_or(ROUNDS)),
        ["--plant", fault] => {
            let Some(planted) = planted::find(fault) else {
                eprintln!("error: there is no such fault: {fault}");
                return ExitCode::FAILURE;
            };
            planted();
        }
        _ => {
            eprintln!("usage: stress [ROUNDS] | stress --plant FAULT");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(rounds: usize) {
    rounds::silence_planned_panics();
    for round in 0..rounds {
        for (name, body) in rounds::ALL {
            body(round);
            if round + 1 == rounds {
                println!("{name}: {rounds} rounds");
            }
        }
    }
}
