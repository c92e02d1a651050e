//! Chooses a bug at run time: added to a copy of `src` by `cargo xtask bugs`, and no part of the crate.
//!
//! Nothing here is a schedule point, and nothing panics, since that would look like a check that has found something.

use std::sync::OnceLock;

/// Tells whether this process has the bug of this number.
pub(crate) fn has(bug: usize) -> bool {
    static CHOICE: OnceLock<Option<usize>> = OnceLock::new();
    let choice = CHOICE.get_or_init(|| {
        let text = std::env::var("ZERO_POOL_BUG").ok()?;
        Some(text.parse().unwrap_or_else(|_| {
            eprintln!("error: ZERO_POOL_BUG is {text:?}, and no number of a bug");
            std::process::exit(1)
        }))
    });
    *choice == Some(bug)
}
