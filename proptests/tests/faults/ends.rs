//! The beginning and the end of pools: what was accepted runs, whoever drops the pool and wherever, and nothing is left.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proptests::watchdog::watch;
use zero_pool::ZeroPool;

use super::{DEADLINE, Gate, Signal, message};

#[track_caller]
fn assert_refused(workers: usize, text: &str) {
    let ended = catch_unwind(|| drop(ZeroPool::with_workers(workers)));
    let payload = ended.expect_err("no pool is that large or small");
    assert!(message(&*payload).contains(text), "{}", message(&*payload));
}

#[test]
fn p9_a_pool_without_workers_is_refused() {
    let _watchdog = watch("ends::p9_a_pool_without_workers_is_refused", DEADLINE);
    assert_refused(0, "a pool needs at least one worker");
}

#[test]
fn p9_a_pool_of_too_many_workers_is_refused() {
    let _watchdog = watch("ends::p9_a_pool_of_too_many_workers_is_refused", DEADLINE);
    for workers in [1 << 20, usize::MAX] {
        assert_refused(workers, "workers are too many: a pool has at most");
    }
}

#[test]
fn b1_no_tasks_are_complete_at_once() {
    let _watchdog = watch("ends::b1_no_tasks_are_complete_at_once", DEADLINE);
    let pool = ZeroPool::with_workers(1);
    let gate = Gate::new();
    let busy = gate.occupy(&pool);
    let never = |_: &u8| unreachable!("there is nothing to do");
    let future = pool.submit_batch_uniform(never, &[]);
    assert!(future.is_complete() && future.clone().wait_timeout(Duration::ZERO));
    future.clone().wait();
    drop(future);
    pool.submit_batch_uniform(never, &[]).detach();
    pool.for_each_index(7..7, |_| unreachable!("there is nothing to do"));
    let (start, end) = (7, 3);
    pool.for_each_index(start..end, |_| unreachable!("there is nothing to do"));
    drop(busy);
}

#[test]
fn b1_parameters_of_no_size_run_once_each() {
    let _watchdog = watch("ends::b1_parameters_of_no_size_run_once_each", DEADLINE);
    for workers in [1, 2] {
        let pool = ZeroPool::with_workers(workers);
        for tasks in [1, 2, 1_000, 100_000] {
            let runs = AtomicUsize::new(0);
            let run = |_: &()| {
                runs.fetch_add(1, Ordering::Relaxed);
            };
            let params = vec![(); tasks];
            // The first by the workers alone.
            assert!(pool.submit_batch_uniform(run, &params).wait_timeout(Duration::MAX));
            pool.submit_batch_uniform(run, &params).wait();
            assert_eq!(runs.into_inner(), 2 * tasks);
        }
    }
}

/// A slice of no size may be longer than a batch. It is refused before a task of it runs, and the pool goes on.
#[test]
fn b1_more_tasks_than_fit_are_refused() {
    let _watchdog = watch("ends::b1_more_tasks_than_fit_are_refused", DEADLINE);
    let pool = ZeroPool::with_workers(2);
    let ran = AtomicBool::new(false);
    let run = |_: &()| ran.store(true, Ordering::Relaxed);
    for tasks in [1 << 40, usize::MAX] {
        let params = vec![(); tasks];
        let ended = catch_unwind(AssertUnwindSafe(|| pool.submit_batch_uniform(run, &params).wait()));
        let payload = ended.expect_err("no batch is that large");
        assert!(message(&*payload).contains("in one batch"), "{}", message(&*payload));
    }
    pool.submit_batch_uniform(|_: &()| (), &[(); 9]).wait();
    assert!(!ran.into_inner());
}

/// The only worker is busy until the drop has begun, and everything lies in the queue: detached, held, and forgotten
/// once dropped. A thread of its own lets the worker go.
#[test]
fn p7_queued_tasks_run_when_the_pool_is_dropped() {
    let _watchdog = watch("ends::p7_queued_tasks_run_when_the_pool_is_dropped", DEADLINE);
    static GATE: Gate = Gate::new();
    static RUNS: [AtomicUsize; 20] = [const { AtomicUsize::new(0) }; 20];
    let run = |runs: &AtomicUsize| {
        runs.fetch_add(1, Ordering::Relaxed);
    };
    let pool = ZeroPool::with_workers(1);
    pool.submit_task(Gate::run, &GATE).detach();
    GATE.begun.wait();
    let mut held = Vec::new();
    for round in 0..200 {
        let future = pool.submit_batch_uniform(run, &RUNS);
        if round % 2 == 0 { future.detach() } else { held.push(future) }
    }
    thread::scope(|threads| {
        threads.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            GATE.go.give();
        });
        drop(pool);
        assert!(RUNS.iter().all(|runs| runs.load(Ordering::Relaxed) == 200));
        assert!(held.iter().all(|future| future.is_complete()));
    });
}

/// A waiting thread has the only task when the pool is dropped. The worker has nothing to do, and the drop waits.
#[test]
fn p7_a_drop_waits_for_a_guest() {
    let _watchdog = watch("ends::p7_a_drop_waits_for_a_guest", DEADLINE);
    let pool = ZeroPool::with_workers(1);
    let (gate, guest, ended) = (Gate::new(), Gate::new(), AtomicBool::new(false));
    let busy = gate.occupy(&pool);
    let task = |guest: &Gate| {
        guest.run();
        // Long enough for a drop that does not wait.
        thread::sleep(Duration::from_millis(20));
        ended.store(true, Ordering::Relaxed);
    };
    let future = pool.submit_task(task, &guest);
    thread::scope(|threads| {
        threads.spawn(|| future.wait());
        guest.begun.wait();
        drop(busy);
        guest.go.give();
        drop(pool);
        assert!(ended.load(Ordering::Relaxed), "the pool is gone, and a task of it runs");
    });
}

/// Owns a pool, and lets it go in a task of its own.
struct Owner {
    pool: Mutex<Option<Arc<ZeroPool>>>,
    gone: Signal,
}

impl Owner {
    fn new(pool: &Arc<ZeroPool>) -> Self {
        Self { pool: Mutex::new(Some(Arc::clone(pool))), gone: Signal::new() }
    }

    fn let_go(&self) {
        let pool = self.pool.lock().expect("nobody panics under the lock").take();
        let pool = pool.and_then(Arc::into_inner).expect("this is the last one");
        drop(pool);
        self.gone.give();
    }
}

/// The worker drops the pool, with tasks in the queue.
#[test]
fn p8_a_worker_drops_its_pool() {
    let _watchdog = watch("ends::p8_a_worker_drops_its_pool", DEADLINE);
    for workers in [1, 2, 4] {
        let pool = Arc::new(ZeroPool::with_workers(workers));
        let (owner, go, runs) = (Owner::new(&pool), Signal::new(), AtomicUsize::new(0));
        let task = |owner: &Owner| {
            go.wait();
            owner.let_go();
        };
        let future = pool.submit_task(task, &owner);
        let run = |_: &()| {
            runs.fetch_add(1, Ordering::Relaxed);
        };
        let queued = pool.submit_batch_uniform(run, &[(); 100]);
        drop(pool);
        go.give();
        owner.gone.wait();
        // The workers' job, as a timed wait runs nothing.
        assert!(queued.wait_timeout(Duration::MAX) && future.wait_timeout(Duration::MAX));
        future.wait();
        drop(queued);
        assert_eq!(runs.into_inner(), 100);
    }
}

/// A thread that waits runs the task that drops the pool; the worker is busy.
#[test]
fn p8_a_guest_drops_the_pool() {
    let _watchdog = watch("ends::p8_a_guest_drops_the_pool", DEADLINE);
    let pool = Arc::new(ZeroPool::with_workers(1));
    let (owner, gate) = (Owner::new(&pool), Gate::new());
    let busy = gate.occupy(&pool);
    let future = pool.submit_task(Owner::let_go, &owner);
    drop(pool);
    future.wait();
    drop(busy);
}

/// A task of the pool runs a task of another pool, whose worker is busy, and that one drops the first pool.
#[test]
fn p8_a_task_of_another_pool_drops_the_pool_above_a_task_of_it() {
    const TEST: &str = "ends::p8_a_task_of_another_pool_drops_the_pool_above_a_task_of_it";
    let _watchdog = watch(TEST, DEADLINE);
    let (pool, other) = (Arc::new(ZeroPool::with_workers(1)), ZeroPool::with_workers(1));
    let (owner, gate, go) = (Owner::new(&pool), Gate::new(), Signal::new());
    let busy = gate.occupy(&other);
    let nested = |owner: &Owner| {
        go.wait();
        other.submit_task(Owner::let_go, owner).wait();
    };
    let future = pool.submit_task(nested, &owner);
    drop(pool);
    go.give();
    future.wait();
    drop(busy);
}

/// Submits when its thread ends.
struct AtExit {
    pool: Arc<ZeroPool>,
    runs: Arc<AtomicUsize>,
}

impl Drop for AtExit {
    fn drop(&mut self) {
        let runs = &*self.runs;
        let run = |_: &()| {
            runs.fetch_add(1, Ordering::Relaxed);
        };
        // The task has begun, and the wait has to sleep.
        let gate = Gate::new();
        let slow = self.pool.submit_task(Gate::run, &gate);
        gate.begun.wait();
        assert!(!slow.wait_timeout(Duration::from_millis(1)));
        gate.go.give();
        slow.wait();
        self.pool.submit_batch_uniform(run, &[(); 50]).wait();
        self.pool.for_each_index(0..50, |_| run(&()));
        drop(self.pool.submit_batch_uniform(|_: &()| resume_unwind(Box::new(())), &[(); 5]));
    }
}

thread_local! {
    static AT_EXIT: RefCell<Option<AtExit>> = const { RefCell::new(None) };
}

/// What a thread keeps is dropped in the reverse order of its first use. So the pool's own notes about the thread are
/// gone already or still there, or there are none.
#[test]
fn r2_threads_submit_while_they_end() {
    let _watchdog = watch("ends::r2_threads_submit_while_they_end", DEADLINE);
    let runs = Arc::new(AtomicUsize::new(0));
    for (submits_before, submits_after) in [(false, false), (true, false), (false, true)] {
        let pool = Arc::new(ZeroPool::with_workers(2));
        let submit = |really: bool| {
            if really {
                pool.submit_batch_uniform(|_: &()| (), &[(); 50]).wait();
            }
        };
        let at_exit = AtExit { pool: Arc::clone(&pool), runs: Arc::clone(&runs) };
        thread::scope(|threads| {
            threads.spawn(|| {
                submit(submits_before);
                AT_EXIT.set(Some(at_exit));
                submit(submits_after);
            });
        });
        // The scope may end before what the thread kept is gone.
        while Arc::strong_count(&pool) > 1 {
            thread::yield_now();
        }
    }
    assert_eq!(runs.load(Ordering::Relaxed), 3 * 100);
}

/// A worker that ends submits to another pool.
#[test]
fn r2_workers_submit_while_they_end() {
    let _watchdog = watch("ends::r2_workers_submit_while_they_end", DEADLINE);
    let runs = Arc::new(AtomicUsize::new(0));
    let other = Arc::new(ZeroPool::with_workers(1));
    let pool = ZeroPool::with_workers(1);
    let at_exit = Mutex::new(Some(AtExit { pool: Arc::clone(&other), runs: Arc::clone(&runs) }));
    let keep = |at_exit: &Mutex<Option<AtExit>>| {
        AT_EXIT.set(at_exit.lock().expect("nobody panics under the lock").take());
    };
    assert!(pool.submit_task(keep, &at_exit).wait_timeout(Duration::MAX), "by the worker");
    drop(pool);
    assert_eq!(runs.load(Ordering::Relaxed), 100, "the drop joins the worker, with all that it keeps");
}
