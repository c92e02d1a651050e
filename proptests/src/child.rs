//! A process of its own for a test that measures one: its threads, its memory, its processor time.
//!
//! libtest runs the tests of a binary as threads of one process, where they would measure each other. Such a test hands
//! its body to [`alone`]. That runs the same binary again, for this test alone; there, `alone` runs the body. A test
//! that does harm to its process, by limits that cannot be taken back, is run in the same way by [`limited`].

use std::env;
use std::process::{Command, Output};

/// Says to a child which test it is run for.
const NAME: &str = "ZERO_POOL_ALONE";

/// Runs `body`, which is the whole of the test with this name, in a process of its own.
#[track_caller]
pub fn alone(test: &str, body: impl FnOnce()) {
    if is_child(test) {
        return body();
    }
    judge(test, this_binary().args(arguments(test)).env(NAME, test).output());
}

/// Does the same after commands of a shell, which set limits: `ulimit -n 7`.
#[cfg(unix)]
#[track_caller]
pub fn limited(test: &str, commands: &str, body: impl FnOnce()) {
    if is_child(test) {
        return body();
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{commands} && exec \"$0\" \"$@\"")]).arg(this_binary().get_program());
    judge(test, shell.args(arguments(test)).env(NAME, test).output());
}

/// Tells whether this process was started for `test`.
fn is_child(test: &str) -> bool {
    env::var_os(NAME).is_some_and(|name| name == test)
}

fn this_binary() -> Command {
    Command::new(env::current_exe().expect("the test has a binary"))
}

fn arguments(test: &str) -> [&str; 4] {
    ["--exact", test, "--nocapture", "--include-ignored"]
}

/// Fails unless the child ran its test, and that passed.
#[track_caller]
fn judge(test: &str, child: std::io::Result<Output>) {
    let child = child.expect("the binary starts again");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&child.stdout), said(&child.stderr));
    assert!(
        child.status.success() && out.contains("test result: ok. 1 passed"),
        "{test}, in a process of its own, ended with {}\n{out}\n{err}",
        child.status
    );
    // Figures that the body printed.
    print!("{out}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    #[cfg_attr(miri, ignore = "starts a process")]
    fn a_failure_in_the_child_is_one_here() {
        let name = "child::tests::a_failure_in_the_child_is_one_here";
        let ended = catch_unwind(|| alone(name, || panic!("planted")));
        if is_child(name) {
            ended.expect_err("it panics here, too");
            std::process::exit(1);
        }
        let payload = ended.expect_err("the child failed");
        let text = payload.downcast_ref::<String>().expect("it is a message");
        assert!(text.contains("planted"), "{text}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "starts a process")]
    fn a_name_that_is_no_test_fails() {
        let ended = catch_unwind(|| alone("no such test", || ()));
        ended.expect_err("no test was run");
    }

    #[test]
    #[cfg(unix)]
    #[cfg_attr(miri, ignore = "starts a process")]
    fn a_limit_holds_in_the_child() {
        limited("child::tests::a_limit_holds_in_the_child", "ulimit -n 7", || {
            let files: Result<Vec<_>, _> = (0..7).map(|_| std::fs::File::open("/dev/null")).collect();
            files.expect_err("seven files are allowed, and the standard streams are three of them");
        });
    }
}
