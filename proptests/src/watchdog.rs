//! A deadline for tests with threads: a hang becomes a failure with a name.
//!
//! A lost wake-up or a latch that never opens does not fail a test, it stops one, and the test runner waits for it
//! without a word. So every test that waits for threads holds a [`Watchdog`]. When its time is over and the test has
//! not ended, it prints which test that was and aborts the process: threads that hang cannot be ended otherwise.
//!
//! The message goes to the descriptor itself, as the runner captures what threads print and would lose it.

use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Waits for the end of one test. Dropping it calls the wait off.
#[derive(Debug)]
#[must_use = "a watchdog that is dropped watches nothing"]
pub struct Watchdog {
    /// Dropped, which the waiting thread notices.
    ended: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Watches over `test` from now on: unless the watchdog is dropped within `limit`, the process is aborted.
pub fn watch(test: &'static str, limit: Duration) -> Watchdog {
    let (ended, end) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        if end.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            // When even the message fails, aborting is still right.
            let _ = writeln!(std::io::stderr(), "error: {test} hangs: it has not ended within {limit:?}");
            std::process::abort();
        }
    });
    Watchdog { ended: Some(ended), thread: Some(thread) }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the watchdog's thread does not panic");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const THIS: &str = "watchdog::tests::a_hang_fails_with_the_name_of_its_test";
    const CHILD: &str = "ZERO_POOL_PLANTED_HANG";

    /// Runs itself again in a child process, which hangs.
    #[test]
    #[cfg_attr(miri, ignore = "starts a process")]
    fn a_hang_fails_with_the_name_of_its_test() {
        if std::env::var_os(CHILD).is_some() {
            let _watchdog = watch(THIS, Duration::from_millis(50));
            loop {
                thread::park();
            }
        }
        let this_binary = std::env::current_exe().expect("the test has a binary");
        let child = Command::new(this_binary).args(["--exact", THIS]).env(CHILD, "1").output();
        let child = child.expect("the binary starts again");
        let said = String::from_utf8_lossy(&child.stderr);
        assert!(!child.status.success(), "the child that hangs ended well: {said}");
        assert!(said.contains(&format!("{THIS} hangs")), "{said}");
    }

    #[test]
    fn a_test_that_ends_in_time_is_left_alone() {
        // The drop joins the watchdog's thread, which therefore ends without waiting for its hour.
        drop(watch("this test", Duration::from_secs(3600)));
    }
}
