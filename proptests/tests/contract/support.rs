//! What the tests of the contract share: names, deadlines, child processes, signals, and a pool that is busy.

use std::any::{Any, type_name};
use std::env;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use zero_pool::ZeroPool;

/// Long beyond what any of these takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Returns the name of the test in which it stands, as libtest knows it.
macro_rules! here {
    () => {
        $crate::support::name_of(|| ())
    };
}
pub(crate) use here;

/// Sets a deadline for the test in which it stands, up to the end of that.
macro_rules! deadline {
    () => {
        let _watchdog = proptests::watchdog::watch($crate::support::here!(), 2 * $crate::support::DEADLINE);
    };
}
pub(crate) use deadline;

/// Returns the path of the function that has this closure, without the name of the binary.
pub(crate) fn name_of<F>(_: F) -> &'static str {
    let path = type_name::<F>().trim_end_matches("::{{closure}}");
    path.split_once("::").expect("the binary comes first").1
}

/// Says to a child which test it is run for.
const NAME: &str = "ZERO_POOL_CONTRACT";

/// How a child has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    test: &'static str,
    pub(crate) status: ExitStatus,
    out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Fails unless the child ran its test to the end, and that passed.
    #[track_caller]
    pub(crate) fn assert_passed(&self) {
        assert!(self.status.success() && self.out.contains("test result: ok. 1 passed"), "{self}");
        // Figures that the body printed.
        print!("{}", self.out);
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { test, status, out, err } = self;
        write!(f, "{test}, in a process of its own, ended with {status}\n{out}\n{err}")
    }
}

/// Runs this test again in a process of its own that `prepare` may change, and returns how that ended. In there, runs
/// `body` and returns nothing. A child that has not ended after [`DEADLINE`] is killed, and the test fails.
#[track_caller]
pub(crate) fn child(
    test: &'static str,
    prepare: impl FnOnce(&mut Command),
    body: impl FnOnce(),
) -> Option<Ended> {
    if env::var_os(NAME).is_some_and(|name| name == test) {
        body();
        return None;
    }
    let mut command = Command::new(env::current_exe().expect("the test has a binary"));
    command.args(["--exact", test, "--nocapture"]).env(NAME, test).env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    prepare(&mut command);
    Some(wait(test, command.spawn().expect("the binary starts again")))
}

/// Runs `body` in a process of its own, and fails as it does.
#[track_caller]
pub(crate) fn alone(test: &'static str, body: impl FnOnce()) {
    if let Some(ended) = child(test, |_| (), body) {
        ended.assert_passed();
    }
}

/// Waits for a child, but not for ever.
#[track_caller]
fn wait(test: &'static str, mut child: Child) -> Ended {
    let (out, err) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    let [out, err] = [read(out), read(err)];
    let start = Instant::now();
    let mut hangs = false;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            break status;
        }
        if start.elapsed() > DEADLINE {
            hangs = true;
            child.kill().expect("the child is ours");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let [out, err] = [out, err].map(|text| text.join().expect("it only reads"));
    assert!(!hangs, "{test}, in a process of its own, hangs\n{out}\n{err}");
    Ended { test, status, out, err }
}

/// Reads all that comes, on a thread of its own, so that no pipe is ever full.
fn read(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("the pipe is open");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Given once, and waited for by as many as like.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    given: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    pub(crate) fn give(&self) {
        *self.given.lock().expect("nobody panics under the lock") = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_given(&self) -> bool {
        *self.given.lock().expect("nobody panics under the lock")
    }

    pub(crate) fn wait(&self) {
        let given = self.given.lock().expect("nobody panics under the lock");
        drop(self.changed.wait_while(given, |given| !*given));
    }
}

/// A pool whose workers are all busy. They are free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Signal>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.give();
    }
}

/// Keeps all workers busy.
pub(crate) fn occupy(pool: &ZeroPool) -> Busy {
    occupy_some(pool, pool.workers())
}

/// Keeps one worker busy.
pub(crate) fn occupy_one(pool: &ZeroPool) -> Busy {
    occupy_some(pool, 1)
}

fn occupy_some(pool: &ZeroPool, workers: usize) -> Busy {
    let (go, all) = (Arc::new(Signal::default()), Arc::new(Barrier::new(workers + 1)));
    for _ in 0..workers {
        let (go, all) = (Arc::clone(&go), Arc::clone(&all));
        drop(pool.spawn(move || {
            all.wait();
            go.wait();
        }));
    }
    all.wait();
    Busy(go)
}

/// Waits until all workers run a task at the same time, which hangs if one of them is gone.
pub(crate) fn assert_all_work(pool: &ZeroPool) {
    drop(occupy(pool));
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicUsize, number: usize) {
    counter.fetch_add(number, Ordering::Relaxed);
}

/// Returns the payload of the panic in which `body` must end.
#[track_caller]
pub(crate) fn thrown(body: impl FnOnce()) -> Box<dyn Any + Send> {
    catch_unwind(AssertUnwindSafe(body)).expect_err("it should panic")
}

/// What a panic said.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).expect("it is a message")
}
