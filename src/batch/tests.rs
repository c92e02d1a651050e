//! What can be said of a batch without a second thread.

use super::*;
use crate::sync::Stopwatch;
use core::mem::ManuallyDrop;

unsafe fn nothing(_: *const (), _: Range<usize>) -> Option<Payload> {
    None
}

/// A batch of two tasks that two helpers may join.
fn batch() -> Box<Batch> {
    let plan = Plan { tasks: 2, threads: 2, helpers: 2, grain: Grain::SINGLE };
    // SAFETY: the tasks touch nothing.
    unsafe { Batch::new(Work { run: nothing, context: ptr::null() }, plan) }
}

fn word(batch: &Batch) -> u64 {
    batch.claim.load(Ordering::Relaxed)
}

#[test]
fn b2_a_word_that_refuses_is_not_written() {
    let batch = batch();
    let claims: Vec<_> = core::iter::from_fn(|| batch.join()).map(|claim| claim.range()).collect();
    assert_eq!(claims, [0..1, 1..2]);
    let exhausted = word(&batch);
    for _ in 0..100 {
        assert!(batch.join().is_none() && batch.claim_more(None).is_none());
    }
    assert_eq!(word(&batch), exhausted);
}

#[test]
fn b2_a_full_batch_is_not_written() {
    let plan = Plan { tasks: 100, threads: 2, helpers: 1, grain: Grain::SINGLE };
    // SAFETY: the tasks touch nothing.
    let batch = unsafe { Batch::new(Work { run: nothing, context: ptr::null() }, plan) };
    assert!(batch.join().is_some());
    let full = word(&batch);
    assert!(batch.join().is_none() && !batch.is_claimable() && batch.is_spent());
    assert_eq!(word(&batch), full);
    assert!(batch.claim_more(None).is_some(), "who takes part goes on");
}

#[test]
fn b6_a_clone_too_many_is_not_counted() {
    let batch = batch();
    // SAFETY: the batch outlives its one handle, which counts for many.
    let handle = ManuallyDrop::new(unsafe { Handle::new(NonNull::from(&*batch)) });
    batch.handles.store(u32::MAX / 2, Ordering::Relaxed);
    let clone = unwind::catch(|| ManuallyDrop::new(Handle::clone(&handle)));
    assert!(clone.is_err(), "B6: there are too many");
    assert_eq!(batch.handles.load(Ordering::Relaxed), u32::MAX / 2, "B6: who tries again counts them round");
}

#[test]
fn r3_a_batch_owns_nothing_that_runs_foreign_code() {
    use core::mem::needs_drop;
    // Its share of the depot is all that freeing a batch lets go of.
    let Batch { work, store, panic, .. } = *batch();
    const fn is_plain<T>(_: &T) -> bool {
        !needs_drop::<T>()
    }
    assert!(
        is_plain(&work) && is_plain(&store) && is_plain(&panic),
        "freeing a batch would run foreign code"
    );
}

#[test]
fn a_node_fills_two_cache_lines() {
    assert_eq!(size_of::<Batch>(), 128);
}

#[test]
fn b3_sixteen_bytes_are_known_of_a_task() {
    assert_eq!(size_of::<Work>(), 16, "a function and a context");
}

#[test]
fn a_home_knows_what_is_queued_and_what_has_gone_on() {
    let home = Home::new(2, 1);
    let plan = Plan { tasks: 1, threads: 1, helpers: 1, grain: Grain::SINGLE };
    let publish = || {
        // SAFETY: the tasks touch nothing.
        let batch = unsafe { Home::batch(&home, Work { run: nothing, context: ptr::null() }, plan) };
        let batch = NonNull::from(Box::leak(batch));
        // SAFETY: just made, and its first handle.
        let handle = unsafe { Handle::new(batch) };
        // SAFETY: from a box, never linked, and the queue's hold keeps it.
        unsafe { home.queue().push(batch, &home.domain().pin()) };
        handle
    };
    let run = |handle: &Handle| {
        let mut claim = handle.claim().expect("its task");
        claim.run();
        home.complete(claim);
    };
    let handles: Vec<_> = (0..3).map(|_| publish()).collect();
    let seen = || (home.queued(), handles.iter().map(|handle| home.has_gone_on(handle)).collect::<Vec<_>>());
    assert_eq!(seen(), (3, vec![false; 3]));
    run(&handles[0]);
    assert_eq!(seen(), (2, vec![false; 3]), "its own batch is spent, and none behind it");
    run(&handles[1]);
    assert_eq!(seen(), (1, vec![true, false, false]));
    run(&handles[2]);
    assert_eq!(seen(), (0, vec![true, true, false]));
    handles.into_iter().for_each(|handle| home.release(handle));
    home.dissolve();
}

/// A home that comes between two tasks twice, so long after each other that a worker is late, with much left to do.
fn make_room(home: &Home) {
    home.make_room(|| u64::MAX);
    let watch = Stopwatch::start();
    while watch.nanos() < 30_000 {}
    home.make_room(|| u64::MAX);
}

#[test]
fn t5_a_home_gives_way_for_a_late_worker_and_then_naps() {
    let home = Home::new(2, 1);
    home.room().expect(|| true);
    make_room(&home);
    assert!(home.room().is_expected(), "it gave way");
    make_room(&home);
    assert!(!home.room().is_expected(), "it napped");
    home.dissolve();
}

#[test]
fn t5_a_home_that_rests_naps_for_a_late_worker() {
    let home = Home::new(2, 1);
    home.turns().lose(1_000_000_000_000);
    home.room().expect(|| true);
    make_room(&home);
    assert!(!home.room().is_expected(), "the pool rests for minutes, and it gave way");
    home.dissolve();
}
