//! Models of the injector: no wake-up is lost, and none is wasted.

use std::sync::Arc;

use zero_pool_loom::injector::Injector;

use crate::fixture::{Gate, Tasks, await_workers, end, help, spawn, work};
use crate::support::{ORACLES, THREE};

/// A submission against a worker that looks in vain and parks: if the wake-up is lost, the waiter hangs.
fn w1_a_submission_meets_a_worker_about_to_park() {
    let injector = Arc::new(Injector::new(1));
    let worker = spawn(&injector, |injector| work(injector, 0));
    let tasks = Tasks::new(1);
    let handle = injector.publish(tasks.batch());
    await_workers(&injector, handle);
    tasks.collect();
    injector.close();
    end(worker);
}

/// Two submissions and one worker that runs, looks in vain and parks between them: giving up looking.
fn w1_a_looking_worker_gives_up() {
    let injector = Arc::new(Injector::new(1));
    let worker = spawn(&injector, |injector| work(injector, 0));
    let (one, two) = (Tasks::new(1), Tasks::new(1));
    let first = injector.publish(one.batch());
    // The worker, woken for the first batch, may find it gone and give up while the second is linked.
    help(&injector, &first);
    let second = injector.publish(two.batch());
    await_workers(&injector, second);
    await_workers(&injector, first);
    one.collect();
    two.collect();
    injector.close();
    end(worker);
}

/// The throttle: two submissions, of which the second sees a looking worker and wakes nobody. The first task is long, it
/// ends only when the second has run, so that the looking worker must pass the wake-up on before it runs.
fn w3_the_throttle_passes_the_wake_up_on() {
    let injector = Arc::new(Injector::new(2));
    let workers = [0, 1].map(|worker| spawn(&injector, move |injector| work(injector, worker)));
    let gate = Gate::new();
    let long = Tasks::with(1, {
        let gate = Arc::clone(&gate);
        move |_| gate.pass()
    });
    let short = Tasks::with(1, move |_| gate.open());
    let first = injector.publish(long.batch());
    let second = injector.publish(short.batch());
    await_workers(&injector, first);
    await_workers(&injector, second);
    injector.close();
    workers.map(end);
}

/// The same with the first worker parked already, and two submitters.
fn w3_two_submitters_one_looking_worker() {
    let injector = Arc::new(Injector::new(1));
    let worker = spawn(&injector, |injector| work(injector, 0));
    let other = spawn(&injector, |injector| {
        let tasks = Tasks::new(1);
        let handle = injector.publish(tasks.batch());
        await_workers(injector, handle);
        tasks.collect();
    });
    let tasks = Tasks::new(1);
    let handle = injector.publish(tasks.batch());
    await_workers(&injector, handle);
    tasks.collect();
    end(other);
    injector.close();
    end(worker);
}

/// A batch of two tasks, each of which waits for the other's start, on two workers: one submission must reach both.
fn w3_one_batch_reaches_both_workers() {
    let injector = Arc::new(Injector::new(2));
    let workers = [0, 1].map(|worker| spawn(&injector, move |injector| work(injector, worker)));
    let gate = Gate::new();
    let tasks = Tasks::with(2, move |index| if index == 0 { gate.pass() } else { gate.open() });
    let handle = injector.publish(tasks.batch());
    await_workers(&injector, handle);
    injector.close();
    workers.map(end);
}

/// A close right after a submission that nobody waits for: the worker runs it before it leaves.
fn w4_what_was_submitted_before_the_close_runs() {
    let injector = Arc::new(Injector::new(1));
    let worker = spawn(&injector, |injector| work(injector, 0));
    let tasks = Tasks::new(1);
    let handle = injector.publish(tasks.batch());
    injector.release(handle);
    injector.close();
    end(worker);
    tasks.collect();
}

crate::table! { "injector":
    w1_a_submission_meets_a_worker_about_to_park(THREE, ORACLES),
    w1_a_looking_worker_gives_up(THREE, ORACLES),
    w3_the_throttle_passes_the_wake_up_on(THREE, ORACLES),
    w3_two_submitters_one_looking_worker(THREE, ORACLES),
    w3_one_batch_reaches_both_workers(THREE, ORACLES),
    w4_what_was_submitted_before_the_close_runs(THREE, ORACLES),
}
