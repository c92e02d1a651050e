//! Models of the injector: no wake-up is lost, and none is wasted.

use std::sync::Arc;

use loom::thread::JoinHandle;
use zero_pool_loom::idle::Woken;
use zero_pool_loom::injector::Injector;
use zero_pool_loom::worker;

use crate::fixture::{
    Gate, Tasks, await_workers, conserve, dismiss, end, help, injector, parked, rest_during, spawn, watching,
    work, work_from, work_once, work_watching,
};
use crate::support::{FOUR, ORACLES, THREE};

/// Submits a task, waits until the only worker has run it, and ends that.
fn submit_beside(injector: &Injector, worker: JoinHandle<()>) {
    let tasks = Tasks::new(1);
    await_workers(injector, injector.publish(tasks.batch()));
    tasks.collect();
    dismiss(injector, [worker]);
}

/// Makes a task that ends only when the other one has run.
fn long_and_short() -> [Arc<Tasks>; 2] {
    let gate = Gate::new();
    let long = Tasks::with(1, {
        let gate = Arc::clone(&gate);
        move |_| gate.pass()
    });
    [long, Tasks::with(1, move |_| gate.open())]
}

/// A submission against a worker that looks in vain and parks: if the wake-up is lost, the waiter hangs.
fn w1_a_submission_meets_a_worker_about_to_park() {
    let injector = injector(1);
    let worker = spawn(&injector, |injector| work(injector, 0));
    submit_beside(&injector, worker);
}

/// Giving up looking: a worker that was woken for a batch finds it exhausted by its owner and parks again, while the
/// next batch is linked by somebody who may still see it looking.
fn w1_a_looking_worker_gives_up() {
    let injector = injector(1);
    let worker = parked(&injector, 0);
    let (one, two) = (Tasks::new(1), Tasks::new(1));
    let first = injector.publish(one.batch());
    let worker = spawn(&injector, move |injector| work_from(injector, worker, usize::MAX));
    help(&injector, &first);
    await_workers(&injector, injector.publish(two.batch()));
    await_workers(&injector, first);
    one.collect();
    two.collect();
    dismiss(&injector, [worker]);
}

/// A worker that looks without having been woken, and a submitter who may see that and wakes nobody: it finds the batch before it
/// parks, or the submitter sees it parked.
fn w1_a_worker_on_the_watch_gives_up() {
    let injector = injector(1);
    let worker = watching(&injector, 0);
    let worker = spawn(&injector, move |injector| work_watching(injector, worker, usize::MAX));
    submit_beside(&injector, worker);
}

/// Two workers, one on the watch and one parked, and two submissions, of which the first task waits for the second: who is on
/// the watch takes the first, and the other one is woken for the second.
fn w3_who_is_on_the_watch_passes_the_wake_up_on() {
    let injector = injector(2);
    let (watching, parked) = (watching(&injector, 0), parked(&injector, 1));
    let [long, short] = long_and_short();
    injector.release(injector.publish(long.batch()));
    let watching = spawn(&injector, move |injector| work_watching(injector, watching, 1));
    let parked = spawn(&injector, move |injector| work_from(injector, parked, 1));
    injector.release(injector.publish(short.batch()));
    [watching, parked].into_iter().for_each(end);
    conserve(&injector, 2);
    [long, short].iter().for_each(|tasks| tasks.collect());
}

/// The looking worker goes to a long task while somebody submits who sees it looking, and then waits for nothing: the other
/// worker is on its way, or there is no work.
fn w1_a_long_task_strands_nothing() {
    let injector = injector(2);
    let [other, woken] = [1, 0].map(|worker| parked(&injector, worker));
    let gate = Gate::new();
    let long = Tasks::with(1, {
        let gate = Arc::clone(&gate);
        move |_| rest_during(|| gate.pass())
    });
    let short = Tasks::new(1);
    injector.release(injector.publish(long.batch()));
    let woken = spawn(&injector, move |injector| work_from(injector, woken, usize::MAX));
    injector.release(injector.publish(short.batch()));
    conserve(&injector, 1);
    gate.open();
    dismiss(&injector, [woken]);
    work_from(&injector, other, usize::MAX);
    [long, short].iter().for_each(|tasks| tasks.collect());
}

/// Two submissions at once while both workers are parked: one worker is woken, as the second submitter sees it looking.
fn w2_two_submissions_wake_one_worker() {
    let injector = injector(2);
    let workers = [0, 1].map(|worker| parked(&injector, worker));
    let (one, two) = (Tasks::new(1), Tasks::new(1));
    let other = {
        let batch = two.batch();
        spawn(&injector, |injector| injector.release(injector.publish(batch)))
    };
    injector.release(injector.publish(one.batch()));
    end(other);
    conserve(&injector, 0);
    injector.close();
    let woken = workers.map(|worker| matches!(injector.sleep(worker), Woken::Look(..)));
    assert_eq!(woken.map(usize::from).iter().sum::<usize>(), 1, "W2: one looks");
    while work_once(&injector) {}
    [one, two].iter().for_each(|tasks| tasks.collect());
}

/// The throttle: two submissions, of which the second sees a looking worker and wakes nobody. The first task is long, it
/// ends only when the second has run, so that the looking worker must pass the wake-up on before it runs.
fn w3_the_throttle_passes_the_wake_up_on() {
    let injector = injector(2);
    let workers = [0, 1].map(|worker| parked(&injector, worker));
    let [long, short] = long_and_short();
    injector.release(injector.publish(long.batch()));
    let workers = workers.map(|worker| spawn(&injector, move |injector| work_from(injector, worker, 1)));
    injector.release(injector.publish(short.batch()));
    workers.into_iter().for_each(end);
    conserve(&injector, 2);
    [long, short].iter().for_each(|tasks| tasks.collect());
}

/// A worker that was woken for one batch and is still looking when the next is linked by somebody who sees that and
/// wakes nobody: it runs both, though it may park in between.
fn w3_a_submission_meets_the_looking_worker() {
    let injector = injector(1);
    let worker = parked(&injector, 0);
    let (one, two) = (Tasks::new(1), Tasks::new(1));
    injector.release(injector.publish(one.batch()));
    let worker = spawn(&injector, move |injector| work_from(injector, worker, 2));
    injector.release(injector.publish(two.batch()));
    end(worker);
    conserve(&injector, 1);
    one.collect();
    two.collect();
}

/// A batch of two tasks, the first of which waits for the second's start, on two parked workers: one submission must
/// reach both.
fn w3_one_batch_reaches_both_workers() {
    let injector = injector(2);
    let workers = [0, 1].map(|worker| parked(&injector, worker));
    let workers = workers.map(|worker| spawn(&injector, move |injector| work_from(injector, worker, 1)));
    let gate = Gate::new();
    let tasks = Tasks::with(2, move |index| if index == 0 { gate.pass() } else { gate.open() });
    let handle = injector.publish(tasks.batch());
    await_workers(&injector, handle);
    tasks.collect();
    workers.into_iter().for_each(end);
    conserve(&injector, 2);
}

/// A close right after a submission that nobody waits for: the worker runs it before it leaves. It is the worker of the
/// pool, and not that of the other models here.
fn w4_what_was_submitted_before_the_close_runs() {
    let injector = injector(1);
    // SAFETY: there is one worker, started once.
    let worker = spawn(&injector, |injector| worker::work(injector, unsafe { injector.seat(0) }));
    let tasks = Tasks::new(1);
    let handle = injector.publish(tasks.batch());
    injector.release(handle);
    // Not `dismiss`, which lets the worker come to rest first.
    injector.close();
    end(worker);
    tasks.collect();
}

crate::table! { "injector":
    w2_two_submissions_wake_one_worker(THREE, ORACLES),
    w1_a_submission_meets_a_worker_about_to_park(FOUR, ORACLES),
    w1_a_looking_worker_gives_up(THREE, ORACLES),
    w1_a_worker_on_the_watch_gives_up(FOUR, ORACLES),
    w1_a_long_task_strands_nothing(THREE, ORACLES),
    w3_the_throttle_passes_the_wake_up_on(THREE, ORACLES),
    w3_a_submission_meets_the_looking_worker(FOUR, ORACLES),
    w3_who_is_on_the_watch_passes_the_wake_up_on(THREE, ORACLES),
    w3_one_batch_reaches_both_workers(THREE, ORACLES),
    w4_what_was_submitted_before_the_close_runs(FOUR, ORACLES),
}
