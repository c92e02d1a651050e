//! What a pool costs in memory, after and during any number of submissions: measured in a process of its own.

use std::thread;
use std::time::Duration;

use proptests::census::flush;
use proptests::child::alone;
use proptests::watchdog::watch;
use zero_pool::ZeroPool;
use zero_pool::batch::Work;

use super::{DEADLINE, live};

/// How many bytes may be live after any number of submissions that were not live after a few, when what was retired has
/// been freed.
pub(crate) const SLACK: isize = 4 << 10;

/// How many bytes a pool of two workers may hold back while it lives: nodes that are retired and not freed yet, at most
/// 64 in the bag of each thread and a few bags that wait for the epoch to move.
const HELD_BACK: isize = 512 << 10;

/// A function and a context.
#[test]
fn b3_sixteen_bytes_are_known_of_a_task() {
    assert_eq!(size_of::<Work>(), 16);
}

/// Whether the figures are to be those that take a minute.
fn is_long() -> bool {
    std::env::var_os("ZERO_POOL_LONG").is_some()
}

/// Submits so many batches in every way and ends the pool; returns how much was live at the most between two submissions. It does
/// so on a thread of its own, as a thread keeps the pocket of a pool that is gone.
fn submit(batches: usize) -> isize {
    let submitter = thread::spawn(move || submit_here(batches));
    submitter.join().expect("the pool takes all batches")
}

fn submit_here(batches: usize) -> isize {
    let pool = ZeroPool::with_workers(2);
    let before = live();
    let mut most = 0;
    for batch in 0..batches {
        let future = pool.submit_batch_uniform(|_: &u8| (), &[1, 2, 3]);
        match batch % 32 {
            0..8 => future.wait(),
            8 => while !future.wait_timeout(Duration::from_millis(1)) {},
            9..16 => {
                let clone = future.clone();
                drop(future);
                clone.wait();
            }
            _ => drop(future),
        }
        most = most.max(live() - before);
    }
    most
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn r2_memory_does_not_grow_with_submissions() {
    const TEST: &str = "costs::r2_memory_does_not_grow_with_submissions";
    let (few, many, deadline) =
        if is_long() { (1_000_000, 10_000_000, 10 * DEADLINE) } else { (200_000, 2_000_000, DEADLINE) };
    let _watchdog = watch(TEST, deadline);
    alone(TEST, || {
        submit(1_000);
        flush();
        let before = live();
        for batches in [few, many] {
            let most = submit(batches);
            flush();
            let left = live() - before;
            println!("{batches} submissions: {most} bytes at the most, {left} bytes are left");
            assert!(left <= SLACK, "{left} bytes are left of {batches} submissions");
            assert!(most <= HELD_BACK, "{most} bytes were live during {batches} submissions");
        }
    });
}

/// Each thread that submits is registered with the pool, and forgotten when it ends.
#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn r2_short_threads_leave_nothing() {
    const TEST: &str = "costs::r2_short_threads_leave_nothing";
    let _watchdog = watch(TEST, DEADLINE);
    alone(TEST, || {
        let pool = ZeroPool::with_workers(2);
        let round = || {
            for _ in 0..2_000 {
                thread::scope(|threads| {
                    threads.spawn(|| pool.submit_batch_uniform(|_: &()| (), &[(); 5]).wait());
                });
            }
        };
        round();
        let after_one = live();
        round();
        let growth = live() - after_one;
        println!("{growth} bytes of two thousand threads are left");
        assert!(growth <= HELD_BACK, "{growth} bytes of two thousand threads are left");
    });
}
