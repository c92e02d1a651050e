//! Models of the nodes' recycling, on a reclaimer that lets their memory be used again.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use zero_pool_loom::batch::{Handle, Home};
use zero_pool_loom::injector::Injector;
use zero_pool_loom::worker;

use crate::fixture::{Tasks, end, finish, finish_and_sweep, help, injector, spawn, work_once};
use crate::support::{Bound, REUSE, THREE};

/// A visitor stands in the queue while a node is taken out, retired, reclaimed and published again: it meets the node in one
/// of its lives, and takes what that life has.
fn n3_a_visitor_meets_a_second_life() {
    let injector = injector(0);
    let tasks = [1; 4].map(Tasks::new);
    let run = |tasks: &Arc<Tasks>| finish_and_sweep(&injector, injector.publish(tasks.recycled(&injector)));
    // Who waits for the third unlinks the first node, and the fourth is made of it.
    tasks[..2].iter().for_each(run);
    let visitor = spawn(&injector, work_once);
    tasks[2..].iter().for_each(run);
    end(visitor);
    tasks.iter().for_each(|tasks| tasks.collect());
}

/// Two threads that make batches of what the other one has retired: each node goes to one of them, with its links.
fn n3_two_threads_recycle_for_each_other() {
    let injector = injector(0);
    let tasks = [1; 4].map(Tasks::new);
    let twice = |injector: &Injector, [one, two]: [Arc<Tasks>; 2]| {
        finish_and_sweep(injector, injector.publish(one.recycled(injector)));
        finish(injector, injector.publish(two.recycled(injector)));
    };
    let [a, b, c, d] = tasks.clone();
    let other = spawn(&injector, move |injector| twice(injector, [c, d]));
    twice(&injector, [a, b]);
    end(other);
    tasks.iter().for_each(|tasks| tasks.collect());
}

/// Makes so many batches that have ended and are in no queue any more; their handles are all that holds them.
fn ended<const N: usize>(injector: &Injector) -> [Handle; N] {
    let publish = || {
        let tasks = Tasks::new(1);
        let handle = injector.publish(tasks.recycled(injector));
        help(injector, &handle);
        handle
    };
    let handles = [(); N].map(|()| publish());
    let last = publish();
    injector.sweep_after(&last);
    injector.release(last);
    handles
}

/// A thread ends with a node laid aside, while another fills a magazine: it adopts the node, or leaves it for the end.
fn n5_who_ends_leaves_orphans() {
    let injector = Arc::new(Injector::recycling(0, 1, 2));
    let [laid, one, two] = ended(&injector);
    let ending = spawn(&injector, |injector| injector.release(laid));
    [one, two].into_iter().for_each(|handle| injector.release(handle));
    end(ending);
    let tasks = [1; 3].map(Tasks::new);
    tasks.iter().for_each(|tasks| finish(&injector, injector.publish(tasks.recycled(&injector))));
    tasks.iter().for_each(|tasks| tasks.collect());
}

/// A visitor may stand at a node that another thread lays aside, whereupon that thread ends: whatever becomes of its nodes, the
/// batch that is made next is none that the visitor still sees.
fn n5_who_ends_hands_nothing_out() {
    let injector = Arc::new(Injector::recycling(0, 1, 2));
    let tasks = [1; 4].map(Tasks::new);
    let publish = |tasks: &Arc<Tasks>| {
        let handle = injector.publish(tasks.recycled(&injector));
        worker::help(&injector, &handle);
        handle
    };
    let first = publish(&tasks[0]);
    let visitor = spawn(&injector, work_once);
    let behind = [publish(&tasks[1]), publish(&tasks[2])];
    let ending = spawn(&injector, |injector| injector.release(first));
    end(ending);
    injector.release(publish(&tasks[3]));
    end(visitor);
    behind.into_iter().for_each(|handle| injector.release(handle));
    tasks.iter().for_each(|tasks| tasks.collect());
}

/// A thread ends, with a node laid aside, beside the end of the pool, which either of them may be the last to have.
fn n5_a_thread_and_the_pool_end() {
    let injector = Arc::new(Injector::recycling(0, 1, 2));
    let [mine, theirs] = ended(&injector);
    // Who lets go first is nothing that loom would try by itself, as it does not see the count of this `Arc`.
    let parted = Arc::new(AtomicUsize::new(0));
    let part = |parted: &AtomicUsize| parted.fetch_add(1, Ordering::Relaxed);
    let ending = spawn(&injector, {
        let parted = Arc::clone(&parted);
        move |injector| {
            injector.release(theirs);
            part(&parted);
        }
    });
    injector.release(mine);
    part(&parted);
    drop(injector);
    end(ending);
}

/// A waiter unlinks, and lets go, while the pool goes: whatever it still sees in the queue is there, and all of it ends.
fn h1_a_waiter_sweeps_while_the_pool_goes() {
    let injector = injector(0);
    let tasks = [1; 2].map(Tasks::new);
    let publish = |tasks: &Arc<Tasks>| {
        let handle = injector.publish(tasks.recycled(&injector));
        help(&injector, &handle);
        handle
    };
    let [first, second] = tasks.each_ref().map(publish);
    injector.release(first);
    let waiter = thread::spawn(move || {
        second.home().sweep_after(&second);
        Home::give_up(second);
    });
    drop(injector);
    end(waiter);
    tasks.iter().for_each(|tasks| tasks.collect());
}

/// Two handles outlive the pool, and go at once: the last one takes the home along, and both nodes with it.
fn h1_two_handles_outlive_the_pool() {
    let injector = Arc::new(Injector::recycling(0, 1, 2));
    let [one, two] = ended(&injector);
    drop(injector);
    let other = thread::spawn(move || Home::give_up(one));
    Home::give_up(two);
    end(other);
}

crate::table! { "depot":
    n3_a_visitor_meets_a_second_life(THREE, REUSE),
    n3_two_threads_recycle_for_each_other(THREE, REUSE),
    n5_who_ends_leaves_orphans(THREE, REUSE),
    n5_who_ends_hands_nothing_out(THREE, REUSE),
    n5_a_thread_and_the_pool_end(Bound::None, REUSE),
    h1_a_waiter_sweeps_while_the_pool_goes(THREE, REUSE),
    h1_two_handles_outlive_the_pool(Bound::None, REUSE),
}
