//! What a worker does with its life, and what a waiter does before it sleeps: policy, without an atomic of its own.
//!
//! ```text
//!             ┌────────────── take ◀──────────────┐
//!             │ a claim                  nothing │ ▲
//!             ▼                                   ▼ │ woken: looking
//!   looking? pass the wake-up on            announce, look again, sleep
//!             ▼                                   │
//!        participate ───────▶ take                └ closed: take until there is nothing, and end
//! ```
//!
//! Both run the tasks of a batch by [`participate`]: claim, run, claim the next range *before* the last is counted, and
//! count all of it at once at the end. So a participation touches the latch once, and after that never again.
//!
//! # Invariants
//!
//! - `P1`  *A waiter runs its own.* Who waits runs unclaimed tasks of the batch it waits for, and of no other.
//! - `S2`  *Both have ended.* A join returns only after both halves have ended, whoever ran the second.
//! - `P3`  *Closed is not the end.* A worker that was refused a sleep leaves only after it has found nothing once more.
//!
//! Who comes between two tasks [makes room](crate::room) for a worker that was woken and is late.
//!
//! Who would sleep [gives way](crate::turns) before: a waiter, a parked worker, and a looking one, which looks again [ever more
//! seldom](crate::pace). Short tasks that their submitter runs by itself keep a worker looking in vain all the time; as it looks
//! so seldom, and nobody is woken meanwhile, it costs the submitter little.
//!
//! P1 is what ends every wait. A waiter that ran foreign work could meet, under its own locks, a task that wants them,
//! and its stack would grow by a task of anybody's for each wait. As it is, a wait is over as soon as tasks end that
//! were claimed by threads which run them.
//!
//! Checked by: `p1_*`, `p3_*`, `r4_*`, `s2_*` in `loom_tests`.

use core::ptr;
use std::time::Duration;

use crate::batch::{Batch, Claim, Handle, Home, Pile, Work};
use crate::costs::{Costs, Estimate};
use crate::frame;
use crate::idle::{Looking, Seat, Woken};
use crate::injector::Injector;
use crate::pace::{Away, Pace};
use crate::pending;
use crate::sync::{Stopwatch, TURNS};
use crate::unwind::{self, Payload};

/// A worker between two looks: its seat, unless the pool was closed, and the duty of one that was woken.
type State = (Option<Seat>, Option<Looking>);

/// Works until the injector is closed and empty.
pub fn work(injector: &Injector, seat: Seat) {
    pending::become_worker(injector);
    let (mut seat, mut looking): State = (Some(seat), None);
    let mut pace = Pace::new();
    loop {
        if injector.sit_out(&mut looking) {
            // The spell before is over, as that is no work.
            pace.begin();
        }
        if let Some(claim) = search(injector, &mut looking, &mut pace) {
            if let Some(looking) = looking.take() {
                injector.found(looking);
                pace.begin();
            }
            participate(injector, claim);
            pace.count();
            injector.make_room(|| injector.queued());
            continue;
        }
        // Who tidies up keeps nobody asleep.
        if injector.tidy(|| looking.take().into_iter().for_each(|looking| injector.found(looking))) {
            // As after sitting out.
            pace.begin();
            continue;
        }
        // P3: without a seat this was the look after the close.
        let Some(own) = seat.take() else { return };
        // Who looked has given way already.
        let turns = if looking.is_some() { 0 } else { TURNS };
        let Some(announced) = injector.announce(own, looking.take()) else { continue };
        injector.give_way(turns, || injector.is_woken(&announced));
        if let Woken::Look(own, duty) = injector.sleep(announced) {
            injector.room().arrive();
            (seat, looking) = (Some(own), Some(duty));
        }
    }
}

/// Claims something, or finds nothing after all looks that are due. After short tasks a worker stays on the watch for more, unless
/// another one is; it need not be looking then.
fn search(injector: &Injector, looking: &mut Option<Looking>, pace: &mut Pace) -> Option<Claim> {
    if let Some(claim) = injector.take() {
        return Some(claim);
    }
    if pace.end() && looking.is_none() {
        *looking = injector.look();
    }
    if looking.is_none() {
        pace.start_over();
        return None;
    }
    pace.catch_up(injector.newest());
    while stay_away(injector, pace.away()) {
        if let Some(claim) = injector.take() {
            return Some(claim);
        }
        if !pace.slow_down(injector.newest()) {
            break;
        }
    }
    pace.start_over();
    None
}

/// Lets the time between two looks pass; false if there is nothing to be hoped of that now.
fn stay_away(injector: &Injector, away: Away) -> bool {
    match away {
        Away::Turns(times) => injector.give_way(times, || false),
        Away::Nap => injector.turns().nap(),
    }
}

/// Runs what was claimed and claims more, to the end of the participation.
pub fn participate(home: &Home, mut claim: Claim) {
    run_out(home, &mut claim);
    complete(home, claim);
}

/// Like [`participate`], and remembers what a task took, unless there was a nap between two.
pub fn participate_measured(home: &Home, mut claim: Claim) {
    let watch = Stopwatch::start();
    if run_out(home, &mut claim) {
        home.costs().learn(claim.batch().function(), claim.tasks(), watch.nanos());
    }
    complete(home, claim);
}

/// Runs what was claimed and claims more, until there is nothing more to claim; tells whether it did nothing else.
fn run_out(home: &Home, claim: &mut Claim) -> bool {
    // R4: the claim holds the batch, so that no guard is needed.
    frame::enter(home, ptr::from_ref(claim.batch()), || {
        let mut has_napped = false;
        for ranges in 1.. {
            claim.run();
            // Where nothing is left it is no visit: the look between two batches is one.
            if home.room().is_expected() && claim.left() > 0 {
                has_napped |= home.nap_for_the_late(|| claim.left().saturating_mul(ranges) / claim.tasks());
            }
            if !claim.advance(None) {
                break;
            }
        }
        !has_napped
    })
}

/// Counts a participation as finished.
fn complete(home: &Home, claim: Claim) {
    // P8: a waker is foreign code, which may let go of the pool. It is inside of no batch, as ours may be gone.
    frame::enter(home, ptr::null::<Batch>(), || home.complete(claim));
}

/// Blocks until the batch is finished, and runs those of its tasks that nobody has claimed (P1). The caller does nothing
/// but this batch, which has a place for it.
///
/// # Panics
///
/// If the current thread is inside a task of this very batch.
pub fn wait(home: &Home, handle: &Handle) {
    refuse_own(handle);
    help(home, handle);
    sleep_until(home, handle);
}

/// Runs those tasks of the batch that nobody has claimed (P1).
pub fn help(home: &Home, handle: &Handle) {
    home.make_room(|| home.queued());
    if let Some(claim) = handle.claim() {
        participate(home, claim);
        home.sweep_after(handle);
    }
}

/// Runs the one task of `work` beside `first`, which runs on this thread; returns when both have ended (S2), with the payload
/// of the task's panic, or none if it has returned.
///
/// # Safety
///
/// - As for [`Batch::new`], for the time of this call.
/// - `first` does not unwind.
#[inline(always)]
pub unsafe fn run_beside<T>(
    injector: &Injector,
    work: Work,
    first: impl FnOnce() -> T,
) -> (T, Option<Payload>) {
    let settle = |handle: Option<Handle>| match handle {
        Some(handle) => settle(injector, handle),
        // SAFETY: passed on to the caller; it was not published.
        None => unsafe { (work.run)(work.context, 0..1) },
    };
    // SAFETY: passed on to the caller; we run the task or wait for its batch, and neither unwinds.
    unsafe { pending::run_pending(injector, work, first, settle) }
}

/// Takes part in a batch, waits for it, and gives its handle up; returns its first panic's payload.
#[inline(never)]
fn settle(injector: &Injector, handle: Handle) -> Option<Payload> {
    wait(injector, &handle);
    let payload = handle.payload();
    injector.release(handle);
    payload
}

/// Blocks until the batch is finished, without running any of its tasks.
pub fn sleep_until(home: &Home, handle: &Handle) {
    let latch = handle.batch().latch();
    if latch.is_finished() {
        return;
    }
    // S4: they would wait as long.
    pending::publish_all();
    home.turns().give_way(TURNS, || latch.is_finished(), || !home.has_gone_on(handle));
    home.wait(handle);
}

/// Blocks until the batch is finished or the time is over, without running any of its tasks; tells whether it is finished.
pub fn sleep_timeout(home: &Home, handle: &Handle, timeout: Duration) -> bool {
    if !handle.batch().latch().is_finished() {
        // S4: as above.
        pending::publish_all();
    }
    home.wait_timeout(handle, timeout)
}

/// Blocks like [`wait`]; takes part only if the batch admits one more, and as a guest, who may still run a task when the
/// pool is dropped.
///
/// # Panics
///
/// If the current thread is inside a task of this very batch.
pub fn wait_as_guest(home: &Home, handle: &Handle) {
    refuse_own(handle);
    home.make_room(|| home.queued());
    if handle.batch().is_claimable()
        && let Some(claim) = handle.join()
    {
        // A single task is claimed as one whatever it takes.
        let (function, tasks) = (handle.batch().function(), handle.batch().tasks());
        let is_due = |known: Estimate| Costs::is_due(known, known.nanos(tasks));
        if tasks > 1 && home.costs().known(function).is_none_or(is_due) {
            participate_measured(home, claim);
        } else {
            participate(home, claim);
        }
        home.sweep_after(handle);
    }
    sleep_until(home, handle);
}

/// Blocks until every batch of the pile is finished, those that are put down meanwhile by their tasks too, and runs what
/// nobody has claimed (P1). Gives the handles up; returns the first panic's payload that was found.
pub fn wait_for_all(home: &Home, pile: &Pile) -> Option<Payload> {
    let mut first = None;
    let stands_in = !frame::is_inside_pool(home);
    loop {
        let begun = Pile::new();
        let mut any = false;
        for handle in pile.take() {
            any = true;
            if stands_in {
                home.stand_ins().come();
            }
            help(home, &handle);
            begun.put(handle);
        }
        if !any {
            return first;
        }
        if stands_in {
            home.stand_ins().go();
        }
        for handle in begun.take() {
            sleep_until(home, &handle);
            unwind::keep_first(&mut first, handle.payload());
            home.release(handle);
        }
    }
}

fn refuse_own(handle: &Handle) {
    assert!(!frame::is_inside_batch(handle.batch()), "a task waits for the batch that it belongs to");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Plan;
    use crate::grain::Grain;
    use core::ops::Range;

    unsafe fn nothing(_: *const (), _: Range<usize>) -> Option<Payload> {
        None
    }

    #[test]
    fn t6_who_has_run_the_last_task_of_a_batch_makes_no_visit() {
        let injector = Injector::new(2);
        // So that room is made by a nap.
        injector.turns().lose(1_000_000_000_000);
        injector.room().expect(|| true);
        let plan = Plan { tasks: 1, threads: 1, helpers: 1, grain: Grain::SINGLE };
        // SAFETY: the task touches nothing.
        let handle =
            injector.publish(unsafe { injector.batch(Work { run: nothing, context: ptr::null() }, plan) });
        let visits = [false, true].map(|is_visit| {
            if is_visit {
                injector.make_room(|| u64::MAX);
            } else {
                participate(&injector, handle.claim().expect("its task"));
            }
            let watch = Stopwatch::start();
            while watch.nanos() < 30_000 {}
            injector.room().is_expected()
        });
        assert_eq!(visits, [true, true], "a first visit tells nothing");
        injector.make_room(|| u64::MAX);
        assert!(!injector.room().is_expected(), "the second visit finds it late");
        injector.release(handle);
    }
}
