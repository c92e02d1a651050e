//! What a call does to the thread that calls.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use zero_pool::ZeroPool;

use super::support::{deadline, occupy};

thread_local! {
    static MARK: Cell<usize> = const { Cell::new(0) };
}

#[test]
fn a_pool_of_one_runs_loops_and_joins_on_the_callers_thread() {
    deadline!();
    let pool = ZeroPool::with_workers(1);
    let caller = thread::current().id();
    let here = || assert_eq!(thread::current().id(), caller);
    pool.for_each_index(0..100, |_| here());
    pool.for_each_mut(&mut [0; 100], |_| here());
    pool.map(&[0; 100], |_| here());
    pool.join(here, here);
    // A worker takes what is spawned, if the caller does not come first.
    let elsewhere = pool.spawn(move || thread::current().id() != caller);
    while !elsewhere.is_finished() {
        thread::yield_now();
    }
    assert!(elsewhere.join().expect("no panic"));
}

#[test]
fn tasks_on_the_callers_thread_see_its_variables() {
    deadline!();
    let pool = ZeroPool::with_workers(1);
    MARK.set(7);
    pool.for_each_index(0..9, |_| MARK.set(MARK.get() + 1));
    assert_eq!(MARK.get(), 16);
}

#[test]
fn a_join_runs_what_nobody_has_begun() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    let busy = occupy(&pool);
    let caller = thread::current().id();
    let spawned = pool.spawn(|| thread::current().id());
    assert_eq!(spawned.join().expect("no panic"), caller);
    let tasks = Mutex::new(Vec::new());
    pool.scope(|scope| {
        for _ in 0..9 {
            scope.spawn(|| tasks.lock().expect("no panic under it").push(thread::current().id()));
        }
    });
    assert_eq!(tasks.into_inner().expect("no panic under it"), [caller; 9]);
    drop(busy);
}

#[test]
fn a_loop_takes_no_more_threads_than_there_are_workers() {
    deadline!();
    for workers in 1..=4 {
        let pool = ZeroPool::with_workers(workers);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        for _ in 0..20 {
            pool.for_each_index(0..40, |_| {
                most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                thread::sleep(Duration::from_micros(50));
                now.fetch_sub(1, Ordering::Relaxed);
            });
        }
        let most = most.into_inner();
        assert!(most <= workers, "{most} threads in a loop of a pool of {workers}");
    }
}

/// A wait parks its thread. It may use a token up that was given for something else, and leave one behind; but no token
/// ends it.
#[test]
fn a_token_of_the_caller_ends_no_wait() {
    deadline!();
    let pool = ZeroPool::with_workers(3);
    let (caller, done) = (thread::current(), AtomicBool::new(false));
    thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                caller.unpark();
                thread::yield_now();
            }
        });
        for round in 0..50 {
            let ends = Arc::new(AtomicUsize::new(0));
            let slow = || {
                thread::sleep(Duration::from_micros(200));
                ends.fetch_add(1, Ordering::Relaxed);
            };
            pool.for_each_index(0..4, |_| slow());
            pool.join(|| (), slow);
            pool.scope(|scope| (0..3).for_each(|_| scope.spawn(slow)));
            assert_eq!(ends.load(Ordering::Relaxed), 8);
            assert_eq!(pool.spawn(move || round).join().expect("no panic"), round);
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// A worker parks, too. A task that gives its thread tokens, or takes them, does not change when the worker is woken.
#[test]
fn a_token_of_a_worker_changes_nothing() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    for round in 0..1_000 {
        let handle = pool.spawn(move || {
            thread::current().unpark();
            if round % 2 == 0 {
                thread::park();
            }
            round
        });
        while !handle.is_finished() {
            thread::yield_now();
        }
        assert_eq!(handle.join().expect("no panic"), round);
    }
}
