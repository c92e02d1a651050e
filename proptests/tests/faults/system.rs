//! What a pool costs as the system sees it: its threads, and their processor time. Each is measured in a process of its
//! own, with what Linux tells in `/proc`.

use std::fs;
use std::panic::catch_unwind;
use std::thread;
use std::time::Duration;

use proptests::census::flush;
use proptests::child::{alone, limited};
use proptests::watchdog::watch;
use zero_pool::ZeroPool;

use super::costs::SLACK;
use super::{DEADLINE, Signal, live, message};

/// The number of threads of this process.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("the system tells");
    tasks.count()
}

/// A thread that was joined may still be listed for a moment.
#[track_caller]
fn assert_threads_are(expected: usize) {
    for _ in 0..1_000 {
        if threads() == expected {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(threads(), expected, "threads are left");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn p7_short_pools_leave_nothing() {
    const TEST: &str = "system::p7_short_pools_leave_nothing";
    let _watchdog = watch(TEST, DEADLINE);
    alone(TEST, || {
        let round = || {
            for number in 0..2_000 {
                let pool = ZeroPool::with_workers(1 + number % 3);
                if number % 5 > 0 {
                    let future = pool.submit_batch_uniform(|_: &()| (), &[(); 5]);
                    pool.for_each_index(0..5, |_| ());
                    if number % 2 == 0 { future.wait() } else { future.detach() }
                }
            }
            flush();
        };
        let before = threads();
        round();
        let after_one = live();
        round();
        let growth = live() - after_one;
        println!("{growth} bytes of two thousand pools are left");
        assert!(growth <= SLACK, "{growth} bytes of two thousand pools are left");
        assert_threads_are(before);
    });
}

/// The stacks of so many workers do not fit into the address space that the child is allowed. They are large, so that
/// there is room for other things when one more of them does not fit.
#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn p9_a_failed_start_leaves_no_thread() {
    const TEST: &str = "system::p9_a_failed_start_leaves_no_thread";
    const LIMITS: &str = "export RUST_MIN_STACK=1000000000 && ulimit -v 12500000";
    let _watchdog = watch(TEST, DEADLINE);
    limited(TEST, LIMITS, || {
        let before = threads();
        let ended = catch_unwind(|| drop(ZeroPool::with_workers(20)));
        let payload = ended.expect_err("they do not fit");
        let text = message(&*payload);
        assert!(text.starts_with("worker ") && text.contains("could not be started"), "{text}");
        assert_threads_are(before);
        // What fits is started, and works.
        ZeroPool::with_workers(2).for_each_index(0..100, |_| ());
    });
}

/// The processor time that all threads of this process have used.
fn used() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("the system tells");
    let nanos = tasks.map(|task| {
        let schedule = task.expect("the system tells").path().join("schedstat");
        // A thread that has ended meanwhile uses no more.
        let text = fs::read_to_string(schedule).unwrap_or_default();
        text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
    });
    Duration::from_nanos(nanos.sum())
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn e5_an_idle_pool_uses_no_processor() {
    const TEST: &str = "system::e5_an_idle_pool_uses_no_processor";
    let _watchdog = watch(TEST, DEADLINE);
    alone(TEST, || {
        let pool = ZeroPool::with_workers(16);
        let go = Signal::new();
        let params = [&go; 16];
        let all = pool.submit_batch_uniform(|go: &&Signal| go.wait(), &params);
        go.give();
        all.wait();
        thread::sleep(Duration::from_millis(50));
        let before = used();
        assert!(before > Duration::ZERO, "the system does not tell what was used");
        thread::sleep(Duration::from_millis(300));
        let idle = used() - before;
        println!("{idle:?} of processor time in 300 ms");
        assert!(idle < Duration::from_millis(10), "{idle:?} of processor time in 300 ms");
    });
}
