//! Property tests of the protocols, and what they share.
//!
//! | here | what it is | used by |
//! |---|---|---|
//! | [`history`] | recorded histories of real threads, and who judges them in O(n log n) | `tests/histories.rs` |
//! | [`program`] | random programs on one injector, beside the sequential specification | `tests/queue.rs` |
//! | [`census`] | an allocator that counts the deaths of chosen nodes | `tests/queue.rs` |
//! | [`watchdog`] | a deadline for tests that would otherwise hang | every test with threads |
//! | [`config!`](crate::config) | how many cases a property runs, and where its failures are kept | every property |
//!
//! The models in `loom_tests` explore every schedule of tiny programs. What stands here runs the build that ships:
//! long programs, many of them, and real threads.

pub mod census;
pub mod history;
pub mod program;
pub mod watchdog;

/// Makes the configuration of a file's properties: so many cases, a hundredth of them under Miri.
///
/// Failures are kept in `tests/proptest-regressions/`, which is committed. The environment variable `PROPTEST_CASES`
/// may raise the number of cases and never lowers it.
#[macro_export]
macro_rules! config {
    ($cases:expr) => {
        $crate::configuration($cases, concat!("tests/proptest-regressions/", module_path!(), ".txt"))
    };
}

/// Makes a configuration; see [`config!`](crate::config).
pub fn configuration(cases: u32, regressions: &'static str) -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, FailurePersistence, FileFailurePersistence};
    let default = Config::default();
    let raised = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { 0 };
    let kept = || -> Box<dyn FailurePersistence> { Box::new(FileFailurePersistence::Direct(regressions)) };
    Config {
        cases: if cfg!(miri) { (cases / 100).max(2) } else { cases.max(raised) },
        // Miri isolates a test from the file system.
        failure_persistence: (!cfg!(miri)).then(kept),
        ..default
    }
}
