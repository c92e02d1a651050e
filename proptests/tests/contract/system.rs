//! The process: its environment, its limits, signals, forks, stacks.

use std::ffi::OsStr;
use std::fs;
use std::future::Future;
use std::hint::black_box;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use zero_pool::{BuildError, ZeroPool, global_pool};

use super::support::{Busy, add, alone, assert_all_work, child, deadline, here, message, occupy, thrown};

const VARIABLE: &str = "ZERO_POOL_THREADS";

/// Returns the numbers of this process's threads.
fn threads() -> Vec<libc::pid_t> {
    let tasks = fs::read_dir("/proc/self/task").expect("the system tells");
    let number = |task: fs::DirEntry| task.file_name().to_str()?.parse().ok();
    tasks.filter_map(|task| number(task.ok()?)).collect()
}

/// A thread that was joined may still be listed for a moment.
fn wait_until_threads_are(count: usize) {
    while threads().len() != count {
        thread::yield_now();
    }
}

#[test]
fn the_global_pool_is_one_and_works() {
    deadline!();
    assert!(std::ptr::eq(global_pool(), thread::spawn(global_pool).join().expect("no panic")));
    assert_eq!(global_pool().map(&[1, 2, 3], |n| 2 * n), [2, 4, 6]);
    assert_all_work(global_pool());
}

#[test]
fn the_global_pool_does_not_keep_the_process() {
    deadline!();
    alone(here!(), || {
        // It is never free again.
        std::mem::forget::<Busy>(occupy(global_pool()));
        for _ in 0..100 {
            drop(global_pool().spawn(|| unreachable!("nobody runs it")));
        }
    });
}

#[test]
fn the_environment_sets_the_global_pool() {
    deadline!();
    let ended = child(
        here!(),
        |command| {
            command.env(VARIABLE, "3");
        },
        || {
            assert_eq!(global_pool().workers(), 3);
            assert_all_work(global_pool());
        },
    );
    ended.inspect(super::support::Ended::assert_passed);
}

#[test]
fn a_wrong_environment_is_named() {
    deadline!();
    let wrong: [&[u8]; 8] = [b"", b"0", b"-1", b"many", b" 3", b"1048575", b"99999999999999999999", b"3\xFF"];
    for value in wrong {
        let ended = child(
            here!(),
            |command| {
                command.env(VARIABLE, OsStr::from_bytes(value));
            },
            || {
                for _ in 0..2 {
                    let payload = thrown(|| {
                        global_pool();
                    });
                    assert!(message(&*payload).contains(VARIABLE), "{}", message(&*payload));
                }
                assert_eq!(threads().len(), 3, "libtest's two and the deadline's");
            },
        );
        match ended {
            Some(ended) => ended.assert_passed(),
            // This is the child, which has its value.
            None => return,
        }
    }
}

/// Lets this process have so many bytes of addresses.
fn limit_addresses(bytes: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: the struct is valid for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

#[test]
fn a_failed_start_leaves_no_thread_and_says_which_failed() {
    deadline!();
    alone(here!(), || {
        const GIGABYTE: usize = 1 << 30;
        limit_addresses(8 * GIGABYTE as libc::rlim_t);
        let before = threads().len();
        let exits = &*Box::leak(Box::new(AtomicUsize::new(0)));
        let exit = |_| add(exits, 1);
        let builder = || ZeroPool::builder().stack_size(GIGABYTE).exit_handler(exit);
        let error = builder().workers(64).build().expect_err("their stacks do not fit");
        wait_until_threads_are(before);
        let BuildError::Spawn { worker, .. } = error else { panic!("{error}") };
        assert!(worker > 0 && worker < 9, "{error}");
        assert_eq!(exits.load(Ordering::Relaxed), worker, "those before it have ended");
        assert!(error.to_string().starts_with(&format!("worker {worker} could not be started: ")), "{error}");
        assert_all_work(&builder().workers(2).build().expect("two fit"));
    });
}

/// Uses up any stack.
fn descend(depth: usize) -> usize {
    let room = black_box([depth; 100]);
    if depth == usize::MAX { 0 } else { descend(depth + 1) + room[depth % 100] }
}

#[test]
fn a_stack_overflow_names_its_worker_and_ends_the_process() {
    deadline!();
    let ended = child(
        here!(),
        |_| (),
        || {
            let pool = ZeroPool::builder().workers(1).thread_name(|_| "deep diver".to_owned()).build();
            let handle = pool.expect("it starts").spawn(|| descend(black_box(0)));
            drop(handle.join_timeout(Duration::MAX));
        },
    );
    if let Some(ended) = ended {
        assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{ended}");
        assert!(ended.err.contains("thread 'deep diver'"), "{ended}");
        assert!(ended.err.contains("has overflowed its stack"), "{ended}");
    }
}

/// Runs `body` in a fork of this process, and fails if that panics or hangs.
fn in_a_fork(body: impl FnOnce()) {
    // SAFETY: the child uses the pool, which is what is tested, and std's allocator, which the system's `fork` takes care
    // of.
    let fork = unsafe { libc::fork() };
    if fork == 0 {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        // SAFETY: it ends the child, whose copies of this process's threads are gone.
        unsafe { libc::_exit(i32::from(ended.is_err())) };
    }
    let (start, mut status) = (Instant::now(), 0);
    // SAFETY: the child is ours, and the place for its status is valid.
    while unsafe { libc::waitpid(fork, &raw mut status, libc::WNOHANG) } == 0 {
        if start.elapsed() > Duration::from_secs(5) {
            // SAFETY: the child is ours and was not waited for yet.
            unsafe { libc::kill(fork, libc::SIGKILL) };
        }
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(status, 0, "the forked child did not end well");
}

/// The child has a copy of the pool without its workers. What a call waits for, the caller runs; the drop waits for nobody.
#[test]
fn a_forked_child_works_alone_and_drops_its_copy() {
    deadline!();
    alone(here!(), || {
        for workers in [1, 3] {
            for is_busy in [false, true] {
                let pool = ZeroPool::with_workers(workers);
                let busy = is_busy.then(|| occupy(&pool));
                let mut pool = Some(pool);
                in_a_fork(|| {
                    let pool = pool.take().expect("it is there");
                    assert_eq!(pool.map(&[1; 50], |n| n + 1), [2; 50]);
                    assert_eq!(pool.join(|| 1, || 2), (1, 2));
                    assert_eq!(pool.spawn(|| 3).join().expect("no panic"), 3);
                    drop(pool);
                });
                drop(busy);
                assert_all_work(pool.as_ref().expect("the child took its own"));
            }
        }
    });
}

/// Other threads enter and leave their buckets all the time, so that one of them has a lock in many a fork.
#[test]
fn a_forked_child_waits_for_a_time() {
    deadline!();
    alone(here!(), || {
        let pool = ZeroPool::with_workers(1);
        let (busy, done) = (occupy(&pool), AtomicBool::new(false));
        let wait = |micros| drop(pool.spawn(|| ()).join_timeout(Duration::from_micros(micros)));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        wait(5);
                    }
                });
            }
            for _ in 0..30 {
                in_a_fork(|| {
                    (0..32).for_each(|_| wait(20));
                    let mut polled = pool.spawn(|| 3);
                    let poll = Pin::new(&mut polled).poll(&mut Context::from_waker(Waker::noop()));
                    assert!(poll.is_pending(), "it has no worker");
                    assert_eq!(polled.join().expect("no panic"), 3);
                });
            }
            done.store(true, Ordering::Relaxed);
        });
        drop(busy);
    });
}

/// Sends signals to all threads, again and again, for as long as the body takes.
fn pester(body: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let process = std::process::id();
                for thread in threads() {
                    // SAFETY: it has a handler, and a thread that has ended meanwhile gets nothing.
                    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) };
                }
                thread::sleep(Duration::from_micros(50));
            }
        });
        body();
        done.store(true, Ordering::Relaxed);
    });
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

/// System calls of a thread that is in this are not begun again by the system.
fn handle_signals() {
    extern "C" fn handler(_: libc::c_int) {
        SIGNALS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: zero is a valid value of all its fields.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the action is valid, and its handler does only what a handler may.
    let set = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

#[test]
fn signals_end_no_wait() {
    deadline!();
    alone(here!(), || {
        handle_signals();
        let pool = ZeroPool::with_workers(3);
        pester(|| {
            for _ in 0..50 {
                let ends = AtomicUsize::new(0);
                let slow = || {
                    // A sleep of std's is begun again.
                    thread::sleep(Duration::from_micros(300));
                    ends.fetch_add(1, Ordering::Relaxed);
                };
                pool.for_each_index(0..6, |_| slow());
                pool.scope(|scope| (0..3).for_each(|_| scope.spawn(slow)));
                assert_eq!(ends.load(Ordering::Relaxed), 9);
                let handle = pool.spawn(|| thread::sleep(Duration::from_micros(300)));
                assert!(handle.join_timeout(Duration::MAX).is_ok());
            }
            drop(pool);
        });
        assert!(SIGNALS.load(Ordering::Relaxed) > 100);
    });
}

/// How much processor time this process has used.
fn used() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place for the time is valid.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(told, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn an_idle_pool_uses_no_processor_time() {
    deadline!();
    alone(here!(), || {
        let pool = ZeroPool::with_workers(64);
        assert_all_work(&pool);
        let waiter = pool.spawn(|| thread::sleep(Duration::from_millis(400)));
        // They have some time to fall asleep.
        thread::sleep(Duration::from_millis(50));
        let before = used();
        assert!(before > Duration::ZERO);
        assert!(waiter.join_timeout(Duration::from_millis(300)).is_err());
        let idle = used() - before;
        println!("{idle:?} of processor time in 300 ms, on 64 workers and one that waits");
        assert!(idle < Duration::from_millis(5), "{idle:?} of processor time in 300 ms");
    });
}
