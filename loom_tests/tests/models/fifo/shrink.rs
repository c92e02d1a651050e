//! Makes a program that fails as small as it gets.
//!
//! A failure may be an assertion, a report of loom or a crash, and loom does not go on after any of them. So each
//! smaller program is tried in a process of its own.

use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::script::Script;

/// The environment variable that names the one program to run.
pub const SCRIPT_VARIABLE: &str = "ZERO_POOL_SCRIPT";

/// The program that this process explores, and the model that does it.
static CURRENT: Mutex<Option<(&'static str, Script)>> = Mutex::new(None);

/// Remembers what is explored from now on.
pub fn begin(model: &'static str, script: &Script) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some((model, script.clone()));
}

/// After a panic: shrinks the program that this process was about, if there was one, and says how to run it.
pub fn explain() {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((model, script)) = current else { return };
    eprintln!("the program that fails: {script}");
    if std::env::var_os(SCRIPT_VARIABLE).is_some() {
        return;
    }
    // The stack here is one of loom's, which are small.
    let shrink = move || {
        eprintln!("as small as it gets: {SCRIPT_VARIABLE}=\"{}\" before the replay", smallest(model, script))
    };
    if thread::spawn(shrink).join().is_err() {
        eprintln!("it could not be made smaller");
    }
}

/// Tells whether a model fails on a program.
pub fn fails(model: &str, script: &Script) -> bool {
    let oracle = std::env::var("ZERO_POOL_ORACLE").unwrap_or_else(|_| "never".into());
    let child = std::env::current_exe().and_then(|executable| {
        Command::new(executable)
            .args(["--child", model, &oracle])
            .env(SCRIPT_VARIABLE, script.to_string())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    });
    !child.expect("this program can be started again").success()
}

/// Returns a program that fails while no program that is smaller by one thing does.
pub fn smallest(model: &str, mut script: Script) -> Script {
    while let Some(smaller) = script.smaller().into_iter().find(|smaller| fails(model, smaller)) {
        script = smaller;
    }
    script
}
