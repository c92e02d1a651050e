//! Worlds that no scenario can ask for, since their tasks wait for each other or misuse the pool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use libtest_mimic::Trial;
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;
use zero_pool_shuttle::{TaskFuture, ZeroPool};

use crate::driver;
use crate::scheduler::quiesce;

/// Schedules for each of them.
const SCHEDULES: usize = 1000;

/// A number that threads wait for.
#[derive(Default)]
struct Counter {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Counter {
    fn add(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    fn wait_for(&self, least: usize) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count < least {
            count = self.changed.wait(count).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// So many of the three workers are in tasks that do not end. At rest the others have done all that two producers left
/// behind, and when the gate opens the rest is done as well.
fn w1_workers_at_a_gate(gated: usize) {
    let pool = Arc::new(ZeroPool::with_workers(3));
    let (gate, ended) = (Arc::new(Counter::default()), Arc::new(AtomicUsize::new(0)));
    let leave = move |pool: &ZeroPool, gate: Option<&Arc<Counter>>, ended: &Arc<AtomicUsize>| {
        let (gate, ended) = (gate.cloned(), Arc::clone(ended));
        drop(pool.spawn(move || {
            gate.into_iter().for_each(|gate| gate.wait_for(1));
            ended.fetch_add(1, Ordering::Relaxed);
        }));
    };
    let producers = [gated / 2, gated - gated / 2].map(|mine| {
        let (pool, gate, ended) = (Arc::clone(&pool), Arc::clone(&gate), Arc::clone(&ended));
        thread::spawn(move || {
            for index in 0..mine.max(2) {
                leave(&pool, None, &ended);
                if index < mine {
                    leave(&pool, Some(&gate), &ended);
                }
            }
        })
    });
    let plain: usize = [gated / 2, gated - gated / 2].iter().map(|&mine| mine.max(2)).sum();
    quiesce();
    let done = ended.load(Ordering::Relaxed);
    if gated < 3 {
        assert_eq!(done, plain, "W1: at rest, tasks wait beside a parked worker");
    }
    gate.add();
    quiesce();
    assert_eq!(ended.load(Ordering::Relaxed), plain + gated, "W1: at rest, tasks wait");
    producers.into_iter().for_each(|producer| producer.join().expect("the producer ends"));
}

/// Three tasks that end only together: a burst must reach three workers.
fn w3_a_burst_reaches_all() {
    let pool = Arc::new(ZeroPool::with_workers(3));
    let met = Arc::new(Counter::default());
    let meet = |met: &Arc<Counter>| {
        let met = Arc::clone(met);
        move || {
            met.add();
            met.wait_for(3);
        }
    };
    let (task, other) = (meet(&met), Arc::clone(&pool));
    let producer = thread::spawn(move || drop(other.spawn(task)));
    drop(pool.spawn(meet(&met)));
    drop(pool.spawn(meet(&met)));
    met.wait_for(3);
    producer.join().expect("the producer ends");
}

/// One batch of three tasks that end only together, whose submitter sleeps.
fn w3_a_batch_reaches_all() {
    let pool = ZeroPool::with_workers(3);
    let met = Counter::default();
    let meet = |met: &Counter| {
        met.add();
        met.wait_for(3);
    };
    let parameters = [&met; 3];
    let future = pool.submit_batch_uniform(|met: &&Counter| meet(met), &parameters);
    while !future.wait_timeout(Duration::MAX) {}
    future.wait();
}

/// A task that waits for the batch it belongs to is told so, and nobody hangs.
fn p1_a_wait_for_the_own_batch() {
    type Own = Mutex<Option<TaskFuture<'static>>>;
    let pool = ZeroPool::with_workers(2);
    // A future that its own task can reach borrows for ever.
    let own: &'static Own = Box::leak(Box::default());
    let task = |own: &Own| {
        let future = own.lock().unwrap_or_else(PoisonError::into_inner).clone();
        future.into_iter().for_each(TaskFuture::wait);
    };
    let future = pool.submit_task(task, own);
    *own.lock().unwrap_or_else(PoisonError::into_inner) = Some(future.clone());
    // Whether the task found the future in its place is up to the schedule.
    _ = catch_unwind(AssertUnwindSafe(|| future.wait()));
    let kept = own.lock().unwrap_or_else(PoisonError::into_inner).take();
    assert!(kept.is_some_and(|kept| kept.is_complete()));
}

/// A task drops the last share of its pool while more tasks lie in the queue; they run all the same.
fn p8_the_pool_goes_inside_of_a_task() {
    let pool = Arc::new(ZeroPool::with_workers(2));
    let ended = Arc::new(Counter::default());
    let mine = Arc::clone(&pool);
    let first = Arc::clone(&ended);
    let handle = pool.spawn(move || {
        drop(mine);
        first.add();
    });
    for _ in 0..3 {
        let ended = Arc::clone(&ended);
        drop(pool.spawn(move || ended.add()));
    }
    drop(pool);
    ended.wait_for(4);
    handle.join().expect("the task ends");
}

/// Three threads wait for clones of one future, two of them with timeouts, while the pool goes.
fn l4_waiters_of_all_kinds() {
    let pool = ZeroPool::with_workers(2);
    static PARAMETERS: [u8; 3] = [1, 2, 3];
    let future = pool.submit_batch_uniform(|_: &u8| (), &PARAMETERS);
    let waiters = [None, Some(Duration::from_millis(1)), Some(Duration::MAX)].map(|timeout| {
        let future = future.clone();
        thread::spawn(move || match timeout {
            None => future.wait(),
            Some(timeout) => {
                let ended = future.wait_timeout(timeout);
                assert_eq!(ended || timeout < Duration::MAX, future.is_complete() || !ended);
            }
        })
    });
    drop(pool);
    assert!(future.is_complete(), "P7: not complete after the drop");
    waiters.into_iter().for_each(|waiter| waiter.join().expect("the waiter ends"));
}

/// The tests of this file.
pub fn tests() -> Vec<Trial> {
    let worlds: [(&str, fn()); 8] = [
        ("fixed::w1_one_worker_at_a_gate", || w1_workers_at_a_gate(1)),
        ("fixed::w1_two_workers_at_a_gate", || w1_workers_at_a_gate(2)),
        ("fixed::w1_all_workers_at_a_gate", || w1_workers_at_a_gate(3)),
        ("fixed::w3_a_burst_reaches_all", w3_a_burst_reaches_all),
        ("fixed::w3_a_batch_reaches_all", w3_a_batch_reaches_all),
        ("fixed::p1_a_wait_for_the_own_batch", p1_a_wait_for_the_own_batch),
        ("fixed::p8_the_pool_goes_inside_of_a_task", p8_the_pool_goes_inside_of_a_task),
        ("fixed::l4_waiters_of_all_kinds", l4_waiters_of_all_kinds),
    ];
    let test = |(name, world): (&'static str, fn())| {
        Trial::test(name, move || {
            let program: driver::Program = Arc::new(world);
            driver::check(name, &program, driver::names(0xF1_7ED, SCHEDULES))?;
            Ok(())
        })
    };
    worlds.into_iter().map(test).collect()
}
