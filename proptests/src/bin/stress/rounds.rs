//! What one round does.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zero_pool::{TaskFuture, ZeroPool, zp_define_task_fn, zp_write};

/// A name, and a body that is told the number of its round.
type Round = (&'static str, fn(usize));

/// All of them.
pub(crate) const ALL: &[Round] = &[
    ("batches from several threads", batches),
    ("loops and maps", loops),
    ("joins and scopes", joins),
    ("owned closures", spawned),
    ("panics", panics),
    ("waits inside of tasks", nested),
    ("shutdown", shutdown),
    ("a drop inside of a task", dropped_inside),
    ("futures that outlive their pool", outlived),
];

/// How a task that is meant to panic says so.
const PLANNED: &str = "a planned panic";

/// Leaves the message of planned panics out.
pub(crate) fn silence_planned_panics() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&PLANNED) {
            tell(info);
        }
    }));
}

struct Square {
    of: u64,
    result: *mut u64,
}

zp_define_task_fn!(square, Square, |params| {
    zp_write!(params.result, params.of * params.of);
});

fn squares(results: &mut [u64]) -> Vec<Square> {
    results.iter_mut().zip(0..).map(|(result, of)| Square { of, result }).collect()
}

fn check(results: &[u64]) {
    assert!(results.iter().zip(0..).all(|(&result, of)| result == of * of));
}

/// Runs `body` on three threads that share a pool of two workers. They are joined one by one, since a sanitizer knows what
/// `join` orders, and not what the end of a `thread::scope` does.
fn on_three_threads(body: fn(&ZeroPool, usize), round: usize) {
    let pool = Arc::new(ZeroPool::with_workers(2));
    let start = |_| {
        let pool = Arc::clone(&pool);
        thread::spawn(move || body(&pool, round))
    };
    let threads: Vec<_> = (0..3).map(start).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

fn batches(round: usize) {
    on_three_threads(
        |pool, round| {
            for size in [1, 3, 40 + round % 17] {
                let mut results = vec![u64::MAX; size];
                let tasks = squares(&mut results);
                let one = pool.submit_batch_uniform(square, &tasks);
                let timed = one.clone().wait_timeout(Duration::from_micros(20));
                assert!(!timed || one.is_complete());
                one.wait();
                check(&results);
            }
        },
        round,
    );
}

fn loops(round: usize) {
    on_three_threads(
        |pool, round| {
            let mut results: Vec<u64> = (0..100 + round as u64 % 7).collect();
            pool.for_each_mut(&mut results, |of| *of *= *of);
            check(&results);
            let doubled = pool.map(&results, |of| 2 * of);
            assert!(doubled.iter().zip(&results).all(|(double, of)| *double == 2 * of));
        },
        round,
    );
}

fn fibonacci(pool: &ZeroPool, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = pool.join(|| fibonacci(pool, n - 1), || fibonacci(pool, n - 2));
    a + b
}

fn joins(round: usize) {
    on_three_threads(
        |pool, round| {
            assert_eq!(fibonacci(pool, 10), 55);
            let mut parts = [0; 6];
            pool.scope(|scope| {
                for (at, part) in parts.iter_mut().enumerate() {
                    scope.spawn(move || *part = at + round);
                }
            });
            assert!(parts.iter().enumerate().all(|(at, part)| *part == at + round));
        },
        round,
    );
}

fn spawned(round: usize) {
    on_three_threads(
        |pool, round| {
            let handles: Vec<_> = (0..8).map(|at| pool.spawn(move || vec![at; round % 5 + 1])).collect();
            for (at, handle) in handles.into_iter().enumerate() {
                if at % 3 == 0 {
                    drop(handle);
                } else {
                    assert_eq!(handle.join().expect("no panic")[0], at);
                }
            }
        },
        round,
    );
}

fn panics(round: usize) {
    on_three_threads(
        |pool, round| {
            let items: Vec<usize> = (0..30).collect();
            let caught = panic::catch_unwind(AssertUnwindSafe(|| {
                pool.for_each(&items, |item| {
                    if item % 10 == round % 10 {
                        panic::panic_any(PLANNED);
                    }
                });
            }));
            assert!(caught.is_err());
            assert!(pool.spawn(|| panic::panic_any(PLANNED)).join().is_err());
        },
        round,
    );
}

fn nested(round: usize) {
    on_three_threads(
        |pool, round| {
            let sums = pool.map(&[10, 20, 30 + round as u64 % 2], |&n| {
                let numbers: Vec<u64> = (0..n).collect();
                pool.map(&numbers, |of| of * of).into_iter().sum::<u64>()
            });
            assert_eq!(sums, [285, 2470, [8555, 9455][round % 2]]);
        },
        round,
    );
}

/// A pool goes while its queue is full: what was accepted runs first.
fn shutdown(round: usize) {
    let pool = ZeroPool::with_workers(1 + round % 3);
    let handles: Vec<_> = (0..20).map(|at| pool.spawn(move || Box::new(at))).collect();
    drop(pool);
    for (at, handle) in handles.into_iter().enumerate() {
        assert_eq!(*handle.join().expect("no panic"), at);
    }
}

/// The last owner of a pool is one of its tasks.
fn dropped_inside(_round: usize) {
    let pool = Arc::new(ZeroPool::with_workers(2));
    let inside = Arc::clone(&pool);
    let handle = pool.spawn(move || drop(inside));
    drop(pool);
    handle.join().expect("no panic");
}

fn outlived(_round: usize) {
    let mut results = vec![u64::MAX; 25];
    let tasks = squares(&mut results);
    let future: TaskFuture<'_> = {
        let pool = ZeroPool::with_workers(2);
        pool.submit_batch_uniform(square, &tasks)
    };
    let clone = future.clone();
    future.wait();
    assert!(clone.is_complete());
    clone.wait();
    check(&results);
}
