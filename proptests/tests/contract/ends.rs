//! The beginning and the end of a pool, and what outlives it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use zero_pool::ZeroPool;

use super::support::{Signal, alone, deadline, here, occupy};

#[test]
fn a_drop_runs_all_that_was_spawned() {
    deadline!();
    for workers in [1, 3] {
        let pool = ZeroPool::with_workers(workers);
        let busy = occupy(&pool);
        let runs = Arc::new(AtomicUsize::new(0));
        let run = |runs: &Arc<AtomicUsize>| {
            let runs = Arc::clone(runs);
            move || runs.fetch_add(1, Ordering::Relaxed)
        };
        let mut held = Vec::new();
        for _ in 0..100 {
            drop(pool.spawn(run(&runs)));
            held.push(pool.spawn(run(&runs)));
        }
        let free = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            drop(busy);
        });
        drop(pool);
        assert_eq!(runs.load(Ordering::Relaxed), 200);
        free.join().expect("no panic");
    }
    // The worker is about to fall asleep, more or less, when a closure and the end come at once.
    for pause in (0..1_000).map(|round| round % 50) {
        let pool = ZeroPool::with_workers(1);
        pool.spawn(|| ()).join_timeout(Duration::MAX).expect("it ends").expect("no panic");
        (0..10 * pause).for_each(|_| std::hint::spin_loop());
        let ran = Arc::new(AtomicUsize::new(0));
        let run = Arc::clone(&ran);
        drop(pool.spawn(move || run.fetch_add(1, Ordering::Relaxed)));
        drop(pool);
        assert_eq!(ran.load(Ordering::Relaxed), 1);
    }
}

/// The last to let go of the pool is one of its own closures, as most often in a program that shares it.
#[test]
fn a_closure_may_drop_its_pool() {
    deadline!();
    for workers in [1, 2, 3] {
        let runs = Arc::new(AtomicUsize::new(0));
        let pool = Arc::new(ZeroPool::with_workers(workers));
        let busy = occupy(&pool);
        let handles: Vec<_> = (0..50)
            .map(|_| {
                let (own, runs) = (Arc::clone(&pool), Arc::clone(&runs));
                pool.spawn(move || {
                    drop(own);
                    runs.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        drop((pool, busy));
        handles.into_iter().for_each(|handle| handle.join().expect("no panic"));
        assert_eq!(runs.load(Ordering::Relaxed), 50);
    }
}

#[test]
fn a_drop_waits_for_a_join_that_runs_a_closure() {
    deadline!();
    let pool = ZeroPool::with_workers(1);
    let busy = occupy(&pool);
    let (begun, ended) = (Arc::new(Signal::default()), Arc::new(AtomicUsize::new(0)));
    let handle = pool.spawn({
        let (begun, ended) = (Arc::clone(&begun), Arc::clone(&ended));
        move || {
            begun.give();
            thread::sleep(Duration::from_millis(20));
            ended.fetch_add(1, Ordering::Relaxed);
        }
    });
    let guest = thread::spawn(move || handle.join());
    begun.wait();
    drop(busy);
    drop(pool);
    assert_eq!(ended.load(Ordering::Relaxed), 1);
    guest.join().expect("no panic").expect("no panic");
}

/// Calls a function when it is woken, as an executor that has ended drops the task that it should run.
struct OnWake<F>(Mutex<Option<F>>);

impl<F: FnOnce() + Send + 'static> OnWake<F> {
    fn waker(wake: F) -> Waker {
        Waker::from(Arc::new(Self(Mutex::new(Some(wake)))))
    }
}

impl<F: FnOnce() + Send + 'static> Wake for OnWake<F> {
    fn wake(self: Arc<Self>) {
        let wake = self.0.lock().expect("no panic under it").take();
        wake.into_iter().for_each(|wake| wake());
    }
}

/// Lets a closure wake a waker that owns the pool, or joins it, which drops the waker; returns how the waker's thread is called, once the
/// drop of the pool has returned there, or nothing if it was not woken.
fn drop_in_a_waker(is_joined: bool) -> Option<String> {
    let pool = ZeroPool::with_workers(2);
    let busy = occupy(&pool);
    let mut handle = pool.spawn(|| ());
    let (send, receive) = mpsc::channel();
    let waker = OnWake::waker(move || {
        drop(pool);
        send.send(thread::current().name().expect("a worker has a name").to_owned()).expect("the test waits");
    });
    assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    if is_joined {
        handle.join().expect("no panic");
    }
    drop(busy);
    receive.recv().ok()
}

#[test]
fn a_waker_may_drop_the_pool() {
    deadline!();
    alone(here!(), || {
        for _ in 0..20 {
            let name = drop_in_a_waker(false).expect("the pool was dropped");
            assert!(name.starts_with("zero-pool-"), "{name}");
            assert_eq!(drop_in_a_waker(true), None, "a join calls no waker");
        }
    });
}

#[test]
fn a_handler_may_drop_the_pool() {
    deadline!();
    alone(here!(), || {
        let slot = Arc::new((Mutex::new(None), Barrier::new(2)));
        let (send, receive) = mpsc::channel();
        let start = {
            let slot = Arc::clone(&slot);
            move |worker| {
                if worker == 1 {
                    slot.1.wait();
                    drop(slot.0.lock().expect("no panic under it").take());
                    send.send(()).expect("the test waits");
                }
            }
        };
        let pool = ZeroPool::builder().workers(3).start_handler(start).build().expect("it starts");
        *slot.0.lock().expect("no panic under it") = Some(pool);
        slot.1.wait();
        receive.recv().expect("the drop has returned");
    });
}

#[test]
fn a_forgotten_handle_harms_nobody() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    let runs = Arc::new(AtomicUsize::new(0));
    for _ in 0..100 {
        let runs = Arc::clone(&runs);
        std::mem::forget(pool.spawn(move || runs.fetch_add(1, Ordering::Relaxed)));
    }
    drop(pool);
    assert_eq!(runs.load(Ordering::Relaxed), 100);
}

#[test]
fn handles_outlive_the_pool() {
    deadline!();
    let pool = ZeroPool::with_workers(2);
    let mut handles: Vec<_> = (0..100).map(|number| pool.spawn(move || Box::new(number))).collect();
    drop(pool);
    assert!(handles.iter().all(|handle| handle.is_finished()));
    drop(handles.split_off(75));
    for (number, handle) in handles.split_off(50).into_iter().enumerate() {
        let result = handle.join_timeout(Duration::ZERO).expect("it has ended");
        assert_eq!(*result.expect("no panic"), 50 + number);
    }
    let results: Vec<_> = handles.into_iter().map(|handle| *handle.join().expect("no panic")).collect();
    assert_eq!(results, (0..50).collect::<Vec<_>>());
}

/// Uses the pool when its thread ends.
struct AtTheEnd(Arc<ZeroPool>, mpsc::Sender<usize>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let Self(pool, send) = self;
        let mapped: usize = pool.map(&[1; 9], |n| n + 1).into_iter().sum();
        let (a, b) = pool.join(|| 1, || 2);
        pool.scope(|scope| (0..9).for_each(|_| scope.spawn(thread::yield_now)));
        let c = pool.spawn(|| 3).join().expect("no panic");
        send.send(mapped + a + b + c).expect("the test waits");
    }
}

#[test]
fn threads_may_use_the_pool_while_they_end() {
    deadline!();
    thread_local! {
        static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    }
    let pool = Arc::new(ZeroPool::with_workers(2));
    let (send, receive) = mpsc::channel();
    let other = Arc::new(ZeroPool::with_workers(1));
    let at_the_end = || AtTheEnd(Arc::clone(&pool), send.clone());
    // A thread of its own, and a worker of another pool.
    let last = at_the_end();
    thread::spawn(move || LAST.set(Some(last))).join().expect("no panic");
    let last = at_the_end();
    other
        .spawn(move || LAST.set(Some(last)))
        .join_timeout(Duration::MAX)
        .expect("it ends")
        .expect("no panic");
    drop(other);
    assert_eq!([receive.recv(), receive.recv()], [Ok(24), Ok(24)]);
}

/// What happened on which worker.
type Log = Arc<Mutex<Vec<(usize, &'static str)>>>;

#[test]
fn handlers_run_once_on_each_worker_around_its_tasks() {
    deadline!();
    thread_local! {
        static WORKER: std::cell::Cell<usize> = const { std::cell::Cell::new(usize::MAX) };
    }
    let log = Log::default();
    let note = |what| {
        let log = Arc::clone(&log);
        move |worker| {
            WORKER.set(worker);
            log.lock().expect("no panic under it").push((worker, what));
        }
    };
    let builder = ZeroPool::builder().workers(4).start_handler(note("start")).exit_handler(note("exit"));
    let pool = builder.thread_name(|worker| format!("named {worker}")).build().expect("it starts");
    let all = Arc::new(Barrier::new(4));
    for _ in 0..4 {
        let (log, all) = (Arc::clone(&log), Arc::clone(&all));
        drop(pool.spawn(move || {
            all.wait();
            let worker = WORKER.get();
            assert_eq!(thread::current().name(), Some(&*format!("named {worker}")));
            log.lock().expect("no panic under it").push((worker, "task"));
        }));
    }
    drop(pool);
    let log = log.lock().expect("no panic under it");
    for worker in 0..4 {
        let own: Vec<_> = log.iter().filter(|entry| entry.0 == worker).map(|entry| entry.1).collect();
        assert_eq!(own, ["start", "task", "exit"]);
    }
}

/// Subtypes exist among types that live for ever, too, and results are found by their exact type.
#[test]
fn a_handle_keeps_the_type_of_its_result() {
    deadline!();
    type General = for<'a> fn(&'a u8) -> &'a u8;
    let pool = ZeroPool::with_workers(1);
    let general = pool.spawn(|| -> General { |byte| byte });
    assert_eq!(general.join().expect("no panic")(&7), &7);
}
