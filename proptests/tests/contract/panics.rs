//! Panics, in everything that a caller hands over: tasks, bodies, payloads, results, handlers, wakers, names.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::thread;

use zero_pool::{JoinHandle, ZeroPool};

use super::support::{alone, assert_all_work, deadline, here, message, occupy, thrown};

/// How many tasks a loop has here.
const TASKS: usize = 20;

/// A call of the pool that runs a task several times.
type Call = fn(&ZeroPool, &(dyn Fn() + Sync));

/// Every call whose tasks may borrow.
const CALLS: [(&str, Call); 8] = [
    ("for_each", |pool, task| pool.for_each(&[(); TASKS], |()| task())),
    ("for_each_mut", |pool, task| pool.for_each_mut(&mut [(); TASKS], |()| task())),
    ("for_each_index", |pool, task| pool.for_each_index(0..TASKS, |_| task())),
    ("map", |pool, task| drop(pool.map(&[(); TASKS], |()| task()))),
    ("map_into", |pool, task| pool.map_into(&[(); TASKS], &mut [(); TASKS], |()| task())),
    ("join", |pool, task| {
        pool.join(task, task);
    }),
    ("scope, its tasks", |pool, task| pool.scope(|scope| (0..TASKS).for_each(|_| scope.spawn(task)))),
    ("scope, its body", |pool, task| {
        pool.scope(|scope| {
            scope.spawn(task);
            task();
        });
    }),
];

/// A value that panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("a bomb"));
    }
}

#[test]
fn a_panic_reaches_the_caller_whole() {
    deadline!();
    for (name, call) in CALLS {
        let pool = ZeroPool::with_workers(2);
        for bad in 0..2 {
            let (token, calls) = (Arc::new(()), AtomicUsize::new(0));
            let payload = thrown(|| {
                call(&pool, &|| {
                    if calls.fetch_add(1, Ordering::Relaxed) == bad {
                        resume_unwind(Box::new(Arc::clone(&token)));
                    }
                });
            });
            let whole = payload.downcast::<Arc<()>>().expect(name);
            assert!(Arc::ptr_eq(&whole, &token), "{name}");
        }
        assert_all_work(&pool);
    }
}

#[test]
fn all_tasks_run_whatever_panics() {
    deadline!();
    for (name, call) in CALLS {
        let pool = ZeroPool::with_workers(2);
        let (good, bad) = (AtomicUsize::new(0), AtomicUsize::new(0));
        call(&pool, &|| {
            good.fetch_add(1, Ordering::Relaxed);
        });
        thrown(|| {
            call(&pool, &|| {
                bad.fetch_add(1, Ordering::Relaxed);
                resume_unwind(Box::new(()));
            });
        });
        assert_eq!(good.into_inner(), bad.into_inner(), "{name}");
    }
}

#[test]
fn of_several_panics_one_payload_is_left() {
    deadline!();
    for (name, call) in CALLS {
        let pool = ZeroPool::with_workers(2);
        let token = Arc::new(());
        let payload = thrown(|| call(&pool, &|| resume_unwind(Box::new(Arc::clone(&token)))));
        assert_eq!(Arc::strong_count(&token), 2, "{name}: the caller has one, the others are gone");
        drop(payload);
    }
}

#[test]
fn the_callers_own_panic_comes_first() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    let throw = |what: &'static str| resume_unwind(Box::new(what));
    let payload = thrown(|| {
        pool.join(|| throw("a"), || throw("b"));
    });
    assert_eq!(message(&*payload), "a");
    let payload = thrown(|| {
        pool.scope(|scope| {
            scope.spawn(|| throw("a task"));
            throw("the body");
        });
    });
    assert_eq!(message(&*payload), "the body");
}

#[test]
fn payloads_that_panic_when_dropped_harm_nobody() {
    deadline!();
    for (name, call) in CALLS {
        let pool = ZeroPool::with_workers(2);
        let payload = thrown(|| call(&pool, &|| resume_unwind(Box::new(Bomb))));
        std::mem::forget(payload.downcast::<Bomb>().expect(name));
        assert_all_work(&pool);
    }
    let pool = ZeroPool::with_workers(2);
    drop(pool.spawn(|| resume_unwind(Box::new(Bomb))));
    assert_all_work(&pool);
}

#[test]
fn results_that_panic_when_dropped_harm_nobody() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    let bad = |index: &usize| if index.is_multiple_of(3) { resume_unwind(Box::new(*index)) } else { Bomb };
    let payload = thrown(|| pool.map(&[1, 2, 3, 4, 5, 6], bad).into_iter().for_each(std::mem::forget));
    assert!(payload.downcast_ref::<usize>().is_some());
    let throw = || -> Bomb { resume_unwind(Box::new(7_usize)) };
    for payload in [
        thrown(|| std::mem::forget(pool.join(throw, || Bomb))),
        thrown(|| std::mem::forget(pool.join(|| Bomb, throw))),
        thrown(|| {
            std::mem::forget(pool.scope(|scope| {
                scope.spawn(|| drop(throw()));
                Bomb
            }));
        }),
    ] {
        assert_eq!(payload.downcast_ref(), Some(&7_usize));
    }
    assert_all_work(&pool);
}

/// The handle goes while its closure is queued, and after that has ended.
#[test]
fn results_that_nobody_wants_may_panic_when_dropped() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    let busy = occupy(&pool);
    for _ in 0..10 {
        drop(pool.spawn(|| Bomb));
    }
    drop(busy);
    let ended = pool.spawn(|| Bomb);
    while !ended.is_finished() {
        thread::yield_now();
    }
    drop(ended);
    assert_all_work(&pool);
}

#[test]
fn a_worker_survives_any_number_of_panics() {
    deadline!();
    let pool = ZeroPool::with_workers(1);
    let worker = Arc::new(Mutex::new(None));
    for number in 0..1_000 {
        let worker = Arc::clone(&worker);
        let closure = move || {
            let first = *worker.lock().expect("nobody panics there").get_or_insert(thread::current().id());
            assert_eq!(first, thread::current().id(), "another worker");
            resume_unwind(Box::new(number));
        };
        let handle = pool.spawn(closure);
        while !handle.is_finished() {
            thread::yield_now();
        }
        assert_eq!(handle.join().expect_err("it panicked").downcast_ref(), Some(&number));
    }
}

#[test]
fn handlers_that_panic_harm_nobody() {
    deadline!();
    let calls = Arc::new(AtomicUsize::new(0));
    let handler = || {
        let calls = Arc::clone(&calls);
        move |_: usize| {
            calls.fetch_add(1, Ordering::Relaxed);
            resume_unwind(Box::new(Bomb));
        }
    };
    let builder = ZeroPool::builder().workers(3);
    let pool = builder.start_handler(handler()).exit_handler(handler()).build().expect("it starts");
    assert_all_work(&pool);
    drop(pool);
    assert_eq!(calls.load(Ordering::Relaxed), 6);
}

/// The drop of the pool waits for all workers, though the one that ends last drops what the handler owns.
#[test]
fn what_a_handler_owns_may_panic_when_dropped() {
    deadline!();
    struct Bombs;
    impl Drop for Bombs {
        fn drop(&mut self) {
            resume_unwind(Box::new(Bomb));
        }
    }
    let pool = || {
        let owned = Bombs;
        let handler = move |_: usize| {
            let _ = &owned;
        };
        ZeroPool::builder().workers(3).exit_handler(handler).build().expect("it starts")
    };
    alone(here!(), || {
        for _ in 0..50 {
            drop(pool());
        }
        // Nobody joins the workers of a pool that is dropped by its own task.
        for _ in 0..50 {
            let pool = Arc::new(pool());
            let (own, ended) = (Arc::clone(&pool), Arc::new(()));
            let still_there = Arc::downgrade(&ended);
            let busy = occupy(&pool);
            drop(pool.spawn(move || drop((own, ended))));
            drop((pool, busy));
            while still_there.strong_count() > 0 {
                thread::yield_now();
            }
        }
        thread::sleep(std::time::Duration::from_millis(20));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_name_that_panics_leaves_no_thread() {
    deadline!();
    alone(here!(), || {
        let threads = || std::fs::read_dir("/proc/self/task").expect("the system tells").count();
        let before = threads();
        let names: [fn(usize) -> String; 2] = [
            |worker| if worker < 3 { String::new() } else { panic!("no name") },
            |worker| "\0".repeat(worker / 3),
        ];
        for name in names {
            thrown(|| drop(ZeroPool::builder().workers(4).thread_name(name).build()));
            while threads() != before {
                thread::yield_now();
            }
        }
    });
}

/// What a waker does when it is used.
#[derive(Debug)]
struct Deeds {
    clone: fn(),
    wake: fn(),
    drop: fn(),
}

fn nothing() {}

fn bang() {
    resume_unwind(Box::new(Bomb));
}

/// Makes a waker of such deeds.
fn waker(deeds: &'static Deeds) -> Waker {
    fn deeds_of(data: *const ()) -> &'static Deeds {
        // SAFETY: only `waker` and `clone` make it, of a reference that lives for ever.
        unsafe { &*data.cast::<Deeds>() }
    }
    const TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            (deeds_of(data).clone)();
            RawWaker::new(data, &TABLE)
        },
        |data| (deeds_of(data).wake)(),
        |data| (deeds_of(data).wake)(),
        |data| (deeds_of(data).drop)(),
    );
    // SAFETY: the functions may be called on any thread at any time, as all that they use lives for ever.
    unsafe { Waker::new(std::ptr::from_ref(deeds).cast(), &TABLE) }
}

fn panic() {
    resume_unwind(Box::new(()));
}

static BAD_CLONE: Deeds = Deeds { clone: panic, wake: nothing, drop: nothing };
static BAD_WAKE: Deeds = Deeds { clone: nothing, wake: bang, drop: nothing };
static BAD_DROP: Deeds = Deeds { clone: nothing, wake: nothing, drop: panic };

fn poll<T: 'static>(handle: &mut JoinHandle<T>, waker: &Waker) -> Poll<thread::Result<T>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

#[test]
fn wakers_that_panic_harm_nobody() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    for deeds in [&BAD_WAKE, &BAD_DROP] {
        let busy = occupy(&pool);
        let waker = std::mem::ManuallyDrop::new(waker(deeds));
        let mut handles: Vec<_> = (0..20).map(|number| pool.spawn(move || number)).collect();
        for handle in &mut handles {
            assert!(poll(handle, &waker).is_pending());
            assert!(poll(handle, &waker).is_pending(), "the waker of the first poll is dropped");
        }
        drop(handles.split_off(10));
        drop(busy);
        for (number, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.join().expect("the waker alone panics"), number);
        }
        assert_all_work(&pool);
    }
}

/// The panic goes to who polls, as it comes from what that handed over; the result is still there.
#[test]
fn a_waker_that_panics_in_a_poll_loses_no_result() {
    deadline!();
    let pool = ZeroPool::with_workers(1);
    for deeds in [&BAD_CLONE, &BAD_DROP] {
        let waker = std::mem::ManuallyDrop::new(waker(deeds));
        let busy = occupy(&pool);
        let mut handle = pool.spawn(|| 7);
        let mut polled = || catch_unwind(AssertUnwindSafe(|| poll(&mut handle, &waker)));
        assert!(!polled().is_ok_and(|poll| poll.is_ready()));
        drop(busy);
        while !handle.is_finished() {
            thread::yield_now();
        }
        match catch_unwind(AssertUnwindSafe(|| poll(&mut handle, &waker))) {
            Ok(Poll::Ready(result)) => assert_eq!(result.expect("the waker alone panics"), 7),
            Ok(Poll::Pending) => panic!("it is finished"),
            Err(_) => assert_eq!(handle.join().expect("the waker alone panics"), 7),
        }
    }
}
