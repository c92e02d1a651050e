//! Runs real threads on a real injector, and writes down what they did.
//!
//! Producers publish batches of a few tasks, claim some of them through their handles, and look for more through the
//! queue. Consumers take, and go on in the batch they joined until it is exhausted. All of these are operations of the history; the tasks do nothing but say
//! which batch they belong to, since a claim does not know it.
//!
//! A processor runs an operation from its first step to its last mostly, and what matters is what others see between two
//! steps. So there are *disturbers*, too: threads that sleep and wake again and again, and whom the system then gives the
//! processor of some other thread, wherever that stands. A queue that hides what was pushed behind a stopped producer is
//! found out five times as often with them as without.
//!
//! A [`Session`] is one injector and one clock. Each of its [rounds](Session::round) starts the threads anew and ends
//! with a drained queue, so that the history of a round can be judged by itself: every operation of an earlier round
//! precedes every one of a later round, and leaves an empty queue behind.
//!
//! # Why the stamps can be trusted
//!
//! A stamp is the time since the session began, in nanoseconds, of the monotonic clock of the system. Suppose that
//! operation `a` was answered at a smaller stamp than `b` was called. Then `a` was over before `b` began:
//!
//! 1. The last step of `a` comes before its clock is read, as a `fence(SeqCst)` stands between them.
//! 2. The clock was read for `a` before it was read for `b`. [`Instant`] never goes back, on whatever thread it is read:
//!    had it been read for `b` first, `b`'s stamp would not be the larger one.
//! 3. The first step of `b` comes after its clock is read, again behind a fence.
//!
//! Nothing follows from equal stamps, and the judge takes such operations as overlapping. The fences are there for the
//! processor, which may otherwise read the clock while a store of the operation before still waits in its buffer, or
//! after a load of the operation behind. They order each operation against its own stamps; a wrong ordering *within* an
//! operation is not hidden by them. (A counter that all threads increment would be another clock, and a proof within
//! the language. But each increment would order all that came before it, in every thread, before all that comes after.)
//!
//! # What is left out
//!
//! A consumer that finds nothing tries again, and writes down only so many of these answers in a round. A history
//! without some of its empty answers is linearizable if the whole one is, so leaving them out accuses nobody.

use std::cell::Cell;
use std::hint;
use std::ops;
use std::ptr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::thread;
use std::time::{Duration, Instant};

use zero_pool::batch::{Batch, Claim, Handle, Plan, Work};
use zero_pool::grain::Grain;
use zero_pool::injector::Injector;
use zero_pool::unwind::Payload;

use super::generate::{self, Choice};
use super::{BatchId, Event, Op, Range, Stamp};

/// How many threads publish, and how many take.
const PRODUCERS: usize = 2;
const CONSUMERS: usize = 2;

/// How many threads do nothing but take the processor away from the others.
const DISTURBERS: usize = 2;

/// How many empty answers a consumer gets in a row before it lets other threads run.
const PATIENCE: usize = 16;

thread_local! {
    /// The batch whose tasks this thread ran last.
    static RAN: Cell<BatchId> = const { Cell::new(0) };
}

/// The clock that all threads share.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> Stamp {
        self.0.elapsed().as_nanos() as Stamp
    }

    /// Stands before an operation.
    fn called(self) -> Stamp {
        let stamp = self.now();
        fence(Ordering::SeqCst);
        stamp
    }

    /// Stands after an operation.
    fn answered(self) -> Stamp {
        fence(Ordering::SeqCst);
        self.now()
    }
}

/// One injector, and threads that come and go.
#[derive(Debug)]
pub struct Session {
    injector: Injector,
    clock: Clock,
    /// Batches published so far.
    batches: usize,
}

impl Session {
    /// Begins a session.
    #[allow(clippy::new_without_default, reason = "a session begins at a time")]
    pub fn new() -> Self {
        Self { injector: Injector::new(0), clock: Clock(Instant::now()), batches: 0 }
    }

    /// Runs a round in which each producer publishes so many batches of at most so many tasks, and returns its history.
    /// The seed chooses what the producers do; what comes of it is up to the scheduler.
    pub fn round(&mut self, pushes: usize, tasks: u32, seed: u64) -> Vec<Op> {
        let round = Round {
            injector: &self.injector,
            clock: self.clock,
            pushes,
            tasks,
            start: Barrier::new(PRODUCERS + CONSUMERS),
            producing: AtomicUsize::new(PRODUCERS),
        };
        let first = self.batches as BatchId;
        self.batches += PRODUCERS * pushes;
        let round = &round;
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for producer in 0..PRODUCERS as BatchId {
                let first = first + producer * pushes as BatchId;
                let choices = generate::choices(seed.wrapping_add(producer.into()), pushes);
                threads.push(scope.spawn(move || round.produce(first, &choices)));
            }
            threads.extend((0..CONSUMERS).map(|_| scope.spawn(|| round.consume())));
            (0..DISTURBERS).for_each(|_| drop(scope.spawn(|| round.disturb())));
            threads.into_iter().flat_map(|thread| thread.join().expect("a recorded thread ends")).collect()
        })
    }
}

/// What the threads of a round share.
struct Round<'a> {
    injector: &'a Injector,
    clock: Clock,
    pushes: usize,
    tasks: u32,
    start: Barrier,
    /// Producers that have not ended.
    producing: AtomicUsize,
}

impl Round<'_> {
    fn produce(&self, first: BatchId, choices: &[Choice]) -> Vec<Op> {
        let mut recorder = Recorder::new(self, 4 * self.pushes);
        let _producing = Producing(&self.producing);
        self.start.wait();
        for (batch, &choice) in (first..).zip(choices) {
            recorder.produce(batch, self.tasks, choice);
        }
        recorder.ops
    }

    fn disturb(&self) {
        while self.producing.load(Ordering::Relaxed) > 0 {
            thread::sleep(Duration::from_micros(10));
            (0..100).for_each(|_| hint::spin_loop());
        }
    }

    fn consume(&self) -> Vec<Op> {
        let mut recorder = Recorder::new(self, 8 * self.pushes);
        let mut empty = 0;
        self.start.wait();
        loop {
            let ended = self.producing.load(Ordering::Acquire) == 0;
            if recorder.take(empty < self.pushes) {
                continue;
            }
            if ended {
                return recorder.ops;
            }
            empty += 1;
            if empty % PATIENCE == 0 {
                thread::yield_now();
            }
        }
    }
}

/// Counts a producer out when it ends, also by a panic, or the consumers would wait for it.
struct Producing<'a>(&'a AtomicUsize);

impl Drop for Producing<'_> {
    fn drop(&mut self) {
        // Released: who sees that nobody produces any more takes after all pushes.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// What one thread does, and did.
struct Recorder<'a> {
    injector: &'a Injector,
    clock: Clock,
    ops: Vec<Op>,
}

impl<'a> Recorder<'a> {
    fn new(round: &'a Round<'_>, capacity: usize) -> Self {
        Self { injector: round.injector, clock: round.clock, ops: Vec::with_capacity(capacity) }
    }

    /// Carries out an operation. Its event is not known yet, which `record` will tell.
    fn time<R>(&self, operation: impl FnOnce() -> R) -> (R, Stamp, Stamp) {
        let called = self.clock.called();
        let answer = operation();
        (answer, called, self.clock.answered())
    }

    fn record(&mut self, event: Event, called: Stamp, answered: Stamp) {
        self.ops.push(Op { event, called, answered });
    }

    /// Publishes a batch of at most so many tasks. Then claims from it, looks for more until there is none, or does
    /// neither.
    fn produce(&mut self, batch: BatchId, most: u32, (what, grain, tasks, ..): Choice) {
        let tasks = 1 + u32::from(tasks) % most;
        let grain = Grain::from_bits(u64::from(grain) % 3);
        let node = node(batch, Plan { tasks: tasks.into(), threads: 2, helpers: u32::MAX, grain });
        let (handle, called, answered) = self.time(|| self.injector.publish(node));
        self.record(Event::Push { batch, tasks }, called, answered);
        match what % 4 {
            0 => self.help(batch, &handle),
            1 => {}
            _ => while self.take(true) {},
        }
        self.injector.release(handle);
    }

    /// Claims through the handle, and goes on to the end of the batch.
    fn help(&mut self, batch: BatchId, handle: &Handle) {
        let (claim, called, answered) = self.time(|| handle.claim());
        let event =
            claim.as_ref().map_or(Event::Exhausted { batch }, |claim| Event::Own(range(batch, claim)));
        self.record(event, called, answered);
        if let Some(mut claim) = claim {
            claim.run();
            self.participate(batch, claim);
        }
    }

    /// Claims through the queue, and goes on to the end of the batch; tells whether there was one. An empty answer is
    /// written down if `keep_empty` says so.
    fn take(&mut self, keep_empty: bool) -> bool {
        let (claim, called, answered) = self.time(|| self.injector.take());
        let Some(mut claim) = claim else {
            if keep_empty {
                self.record(Event::Empty, called, answered);
            }
            return false;
        };
        let mut taken = range(0, &claim);
        claim.run();
        taken.batch = RAN.get();
        self.record(Event::Take(taken), called, answered);
        self.participate(taken.batch, claim);
        true
    }

    /// Goes on with a participation, whose tasks have been run so far, and completes it.
    fn participate(&mut self, batch: BatchId, mut claim: Claim) {
        loop {
            let (more, called, answered) = self.time(|| claim.advance(None));
            if !more {
                self.record(Event::Exhausted { batch }, called, answered);
                return self.injector.complete(claim);
            }
            self.record(Event::Own(range(batch, &claim)), called, answered);
            claim.run();
        }
    }
}

/// Returns what was claimed last.
fn range(batch: BatchId, claim: &Claim) -> Range {
    let ops::Range { start, end } = claim.range();
    Range { batch, start: start as u32, end: end as u32 }
}

/// Makes a batch whose tasks say which it is. Its context is no address, but its number plus one, as null has a meaning.
fn node(batch: BatchId, plan: Plan) -> Box<Batch> {
    let work = Work { run, context: ptr::without_provenance(batch as usize + 1) };
    // SAFETY: `run` uses nothing behind the context, and does not unwind.
    unsafe { Batch::new(work, plan) }
}

unsafe fn run(context: *const (), _: ops::Range<usize>) -> Option<Payload> {
    RAN.set((context.addr() - 1) as BatchId);
    None
}

#[cfg(test)]
mod tests {
    use super::super::{End, judge};
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// Two threads that take turns: the one whose turn it is reads a stamp that is not smaller than the other's last.
    /// If this fails, the clock of this machine cannot be used, and histories recorded with it accuse the innocent.
    #[test]
    fn h_the_clock_follows_causality() {
        let clock = Clock(Instant::now());
        let (turn, last) = (AtomicBool::new(false), std::sync::Mutex::new(0));
        let play = |mine: bool| {
            for _ in 0..if cfg!(miri) { 10 } else { 2_000 } {
                while turn.load(Ordering::Acquire) != mine {
                    thread::yield_now();
                }
                let now = clock.called();
                let before = std::mem::replace(&mut *last.lock().expect("nobody panicked"), clock.answered());
                assert!(before <= now, "the clock went back from {before} to {now}");
                turn.store(!mine, Ordering::Release);
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| play(true));
            play(false);
        });
    }

    #[test]
    fn h_a_round_is_drained() {
        let mut session = Session::new();
        for seed in 0..3 {
            let pushes = if cfg!(miri) { 5 } else { 200 };
            let history = session.round(pushes, 1 + 5 * (seed as u32 % 2), seed);
            let is_push = |op: &&Op| matches!(op.event, Event::Push { .. });
            assert_eq!(history.iter().filter(is_push).count(), PRODUCERS * pushes);
            assert_eq!(
                judge(&history, End::Drained),
                Ok(()),
                "each task was claimed, and each batch is named right"
            );
        }
    }
}
