//! Models of the idle word and the stack of parked workers.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use loom::cell::UnsafeCell;
use loom::thread;
use zero_pool_loom::idle::{Idle, Woken};

use crate::fixture::end;
use crate::support::{Bound, FOUR, NO_RECLAIMER};

/// Sleeps at once, as a worker does who looked in vain; tells whether it was woken to look.
fn park(idle: &Idle, worker: usize) -> bool {
    // SAFETY: each model takes each seat once.
    let seat = unsafe { idle.seat(worker) };
    let Some(announced) = idle.announce(seat, None) else {
        return false;
    };
    match idle.sleep(announced) {
        Woken::Look(_, looking) => {
            idle.leave(looking);
            true
        }
        Woken::Closed => false,
    }
}

/// Two notifications for one parked worker: what the one that woke it had written is visible to it, and the worker is
/// woken once.
fn e2_a_wake_up_carries_what_the_waker_wrote() {
    let idle = Arc::new(Idle::new(1));
    let work = Arc::new(UnsafeCell::new(0));
    let worker = {
        let (idle, work) = (Arc::clone(&idle), Arc::clone(&work));
        thread::spawn(move || {
            if park(&idle, 0) {
                // SAFETY: loom checks that the write came before.
                assert_eq!(work.with(|work| unsafe { *work }), 7);
            }
        })
    };
    // SAFETY: nobody reads before it is woken.
    work.with_mut(|work| unsafe { *work = 7 });
    idle.notify();
    idle.close();
    end(worker);
}

/// Two workers that park, and wake-ups from outside and from the first to be woken: while one is looking, nobody else is
/// woken. Both must end.
fn e1_one_looks_at_a_time() {
    let idle = Arc::new(Idle::new(2));
    // Of `std`, so that it shows what happens first and orders nothing.
    let lookers = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let workers = [0, 1].map(|worker| {
        let (idle, lookers) = (Arc::clone(&idle), Arc::clone(&lookers));
        thread::spawn(move || {
            // SAFETY: each seat is taken once.
            let seat = unsafe { idle.seat(worker) };
            let Some(announced) = idle.announce(seat, None) else {
                return;
            };
            if let Woken::Look(_, looking) = idle.sleep(announced) {
                assert_eq!(lookers.fetch_add(1, Relaxed), 0, "E1: two are looking");
                idle.notify();
                lookers.fetch_sub(1, Relaxed);
                idle.leave(looking);
                idle.notify();
            }
        })
    });
    idle.notify();
    idle.close();
    workers.into_iter().for_each(end);
}

/// A worker that becomes the looking one by itself, beside one that is woken, and a close: one looks at a time, and nobody does
/// after the close.
fn e1_who_looks_by_itself_is_alone() {
    let idle = Arc::new(Idle::new(1));
    // Of `std`, as above.
    let lookers = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let look = {
        let lookers = Arc::clone(&lookers);
        move |idle: &Idle, looking| {
            assert_eq!(lookers.fetch_add(1, Relaxed), 0, "E1: two are looking");
            idle.notify();
            lookers.fetch_sub(1, Relaxed);
            idle.leave(looking);
        }
    };
    // SAFETY: the seat is taken once.
    let announced = idle.announce(unsafe { idle.seat(0) }, None).expect("open");
    let other = {
        let (idle, look) = (Arc::clone(&idle), look.clone());
        thread::spawn(move || idle.look().into_iter().for_each(|looking| look(&idle, looking)))
    };
    idle.notify();
    idle.close();
    if let Woken::Look(_, looking) = idle.sleep(announced) {
        look(&idle, looking);
    }
    end(other);
    assert!(idle.look().is_none(), "E3: looks after the close");
}

/// A worker that parks while the pool closes: it is refused, or woken; what came before the close is visible to it.
fn e3_a_close_reaches_who_is_about_to_park() {
    let idle = Arc::new(Idle::new(2));
    let work = Arc::new(UnsafeCell::new(0));
    let workers = [0, 1].map(|worker| {
        let (idle, work) = (Arc::clone(&idle), Arc::clone(&work));
        thread::spawn(move || {
            assert!(!park(&idle, worker), "E3: nobody notified");
            // SAFETY: loom checks that the write came before.
            assert_eq!(work.with(|work| unsafe { *work }), 7);
        })
    });
    // SAFETY: nobody reads before the close.
    work.with_mut(|work| unsafe { *work = 7 });
    idle.close();
    workers.into_iter().for_each(end);
}

/// A notifier that has read the top and what lies below it, and stops, while the two workers are woken one after
/// the other and the first parks again: without the tag its CAS would put a running worker back on the stack.
fn e4_a_stale_top_is_refused() {
    let idle = Arc::new(Idle::new(2));
    // SAFETY: each seat is taken once.
    let first = unsafe { idle.seat(0) };
    // SAFETY: as above.
    let second = unsafe { idle.seat(1) };
    let below = idle.announce(second, None).expect("open");
    let top = idle.announce(first, None).expect("open");
    let notifier = {
        let idle = Arc::clone(&idle);
        thread::spawn(move || idle.notify())
    };
    let leave = |woken| {
        let Woken::Look(seat, looking) = woken else { unreachable!("nobody closed") };
        idle.leave(looking);
        seat
    };
    idle.notify();
    let first = leave(idle.sleep(top));
    idle.notify();
    let second = leave(idle.sleep(below));
    let again = idle.announce(first, None).expect("open");
    end(notifier);
    // The notifier has woken a parked worker or none. Whoever is parked now is `first`, or nobody.
    idle.notify();
    let _first = leave(idle.sleep(again));
    let last = idle.announce(second, None).expect("open");
    idle.notify();
    let _second = leave(idle.sleep(last));
}

/// Two wakers pop at once from a stack of two while a third thread closes: each worker is woken by one of them.
fn e2_a_notification_races_a_close() {
    let idle = Arc::new(Idle::new(2));
    let notifier = {
        let idle = Arc::clone(&idle);
        thread::spawn(move || idle.notify())
    };
    let worker = {
        let idle = Arc::clone(&idle);
        thread::spawn(move || park(&idle, 0))
    };
    // SAFETY: each seat is taken once.
    let seat = unsafe { idle.seat(1) };
    let announced = idle.announce(seat, None).expect("open");
    idle.close();
    match idle.sleep(announced) {
        Woken::Look(seat, looking) => {
            idle.leave(looking);
            assert!(idle.announce(seat, None).is_none(), "E3: parked after the close");
        }
        Woken::Closed => {}
    }
    end(notifier);
    end(worker);
}

/// Two parked workers, and a notification beside the push of a third: the word knows whether one is left beside another, while they
/// are woken one after the other.
fn e6_a_spare_is_known() {
    let idle = Arc::new(Idle::new(3));
    // SAFETY: each seat is taken once.
    let park = |worker| idle.announce(unsafe { idle.seat(worker) }, None).expect("open");
    let mut parked = vec![park(0), park(1)];
    let notifier = {
        let idle = Arc::clone(&idle);
        thread::spawn(move || idle.notify())
    };
    parked.push(park(2));
    end(notifier);
    while !parked.is_empty() {
        let woken = parked.iter().position(|announced| idle.is_popped(announced)).expect("E2: one was woken");
        let Woken::Look(_, looking) = idle.sleep(parked.remove(woken)) else { unreachable!("nobody closed") };
        idle.leave(looking);
        assert_eq!(idle.may_wake(true), parked.len() > 1, "E6: of {} that are parked", parked.len());
        assert_eq!(idle.may_wake(false), !parked.is_empty(), "E2");
        idle.notify();
    }
}

crate::table! { "idle":
    e1_one_looks_at_a_time(FOUR, NO_RECLAIMER),
    e1_who_looks_by_itself_is_alone(FOUR, NO_RECLAIMER),
    e2_a_wake_up_carries_what_the_waker_wrote(Bound::None, NO_RECLAIMER),
    e2_a_notification_races_a_close(FOUR, NO_RECLAIMER),
    e3_a_close_reaches_who_is_about_to_park(FOUR, NO_RECLAIMER),
    e4_a_stale_top_is_refused(Bound::None, NO_RECLAIMER),
    e6_a_spare_is_known(Bound::None, NO_RECLAIMER),
}
