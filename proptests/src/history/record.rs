//! Runs real threads on a real queue, and writes down what they did.
//!
//! Producers publish batches of a few tasks, claim some of them through their handles, and look for more through the
//! queue. Consumers take, and go on in the batch they joined until it is exhausted. All of these are operations of the
//! history.
//!
//! A processor runs an operation from its first step to its last mostly, and what matters is what others see between two
//! steps. So there are *disturbers*, too: threads that sleep and wake again and again, and whom the system then gives the
//! processor of some other thread, wherever that stands. A queue that hides what was pushed behind a stopped producer is
//! found out five times as often with them as without.
//!
//! A [`Session`] is one queue and one clock. Each of its [rounds](Session::round) starts the threads anew and ends
//! with a drained queue.
//!
//! # Why rounds are judged one by one
//!
//! The history of a session is linearizable if and only if that of each round is, as every round ends drained:
//!
//! - *If each round is, so is the whole.* All threads of a round are joined before the next begins, so every operation of
//!   it precedes every one of a later round, and the linearizations of the rounds, one behind the other, keep the order. They
//!   are a run of the specification: each task of a round was claimed in it, which the judge has checked, so that the next
//!   round begins with nothing but exhausted batches, where the specification answers as in the beginning.
//! - *If the whole is, so is each round.* By the same order a linearization of the whole falls into stretches, one per round.
//!
//! So a cut between rounds loses no violation and makes none, and what must fit into memory is one round, however long
//! the session. Only an operation that spans two rounds is never seen: there is none.
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

use std::hint;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::thread;
use std::time::{Duration, Instant};

use zero_pool::grain::Grain;
use zero_pool::injector::Injector;

use super::fifo::Fifo;
use super::generate::{self, Choice};
use super::{BatchId, Event, Op, Stamp};

/// How many threads publish, and how many take.
const PRODUCERS: usize = 2;
const CONSUMERS: usize = 2;

/// How many threads do nothing but take the processor away from the others.
const DISTURBERS: usize = 2;

/// How many empty answers a consumer gets in a row before it lets other threads run.
const PATIENCE: usize = 16;

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

/// One queue, and threads that come and go.
#[derive(Debug)]
pub struct Session<F = Injector> {
    fifo: F,
    clock: Clock,
    /// Batches published so far.
    batches: usize,
}

/// What one thread of a [script](Session::script) does.
pub type Part<'a, F> = Box<dyn FnOnce(&mut Recorder<'_, F>) + Send + 'a>;

impl Session {
    /// Begins a session on the crate's own queue.
    #[allow(clippy::new_without_default, reason = "a session begins at a time")]
    pub fn new() -> Self {
        Self::on(Injector::new(0))
    }
}

impl<F: Fifo> Session<F> {
    /// Begins a session.
    pub fn on(fifo: F) -> Self {
        Self { fifo, clock: Clock(Instant::now()), batches: 0 }
    }

    /// Runs one thread per part, and returns the history of all of them.
    pub fn script(&self, parts: Vec<Part<'_, F>>) -> Vec<Op> {
        thread::scope(|scope| {
            let run = |part: Part<'_, F>| {
                let mut recorder = Recorder { fifo: &self.fifo, clock: self.clock, ops: Vec::new() };
                part(&mut recorder);
                recorder.ops
            };
            let threads: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || run(part))).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a part ends")).collect()
        })
    }

    /// Runs a round in which each producer publishes so many batches of at most so many tasks, and returns its history.
    /// The seed chooses what the producers do; what comes of it is up to the scheduler.
    pub fn round(&mut self, pushes: usize, tasks: u32, seed: u64) -> Vec<Op> {
        let round = Round {
            fifo: &self.fifo,
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
struct Round<'a, F> {
    fifo: &'a F,
    clock: Clock,
    pushes: usize,
    tasks: u32,
    start: Barrier,
    /// Producers that have not ended.
    producing: AtomicUsize,
}

impl<F: Fifo> Round<'_, F> {
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
#[derive(Debug)]
pub struct Recorder<'a, F> {
    fifo: &'a F,
    clock: Clock,
    ops: Vec<Op>,
}

impl<'a, F: Fifo> Recorder<'a, F> {
    fn new(round: &'a Round<'_, F>, capacity: usize) -> Self {
        Self { fifo: round.fifo, clock: round.clock, ops: Vec::with_capacity(capacity) }
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

    /// Publishes a batch.
    pub fn push(&mut self, batch: BatchId, tasks: u32, grain: Grain) -> F::Own {
        let (own, called, answered) = self.time(|| self.fifo.push(batch, tasks, grain));
        self.record(Event::Push { batch, tasks }, called, answered);
        own
    }

    /// Publishes a batch of at most so many tasks. Then claims from it, looks for more until there is none, or does
    /// neither.
    fn produce(&mut self, batch: BatchId, most: u32, (what, grain, tasks, ..): Choice) {
        let tasks = 1 + u32::from(tasks) % most;
        let own = self.push(batch, tasks, Grain::from_bits(u64::from(grain) % 3));
        match what % 4 {
            0 => self.help(batch, &own),
            1 => {}
            _ => while self.take(true) {},
        }
        self.fifo.release(own);
    }

    /// Claims through the handle, and goes on to the end of the batch.
    fn help(&mut self, batch: BatchId, own: &F::Own) {
        let (claim, called, answered) = self.time(|| self.fifo.own(own));
        let Some(mut claim) = claim else {
            return self.record(Event::Exhausted { batch }, called, answered);
        };
        let range = self.fifo.run(&mut claim);
        self.record(Event::Own(range), called, answered);
        self.participate(range.batch, claim);
    }

    /// Claims through the queue, and goes on to the end of the batch; tells whether there was one. An empty answer is
    /// written down if `keep_empty` says so.
    pub fn take(&mut self, keep_empty: bool) -> bool {
        let (claim, called, answered) = self.time(|| self.fifo.take());
        let Some(mut claim) = claim else {
            if keep_empty {
                self.record(Event::Empty, called, answered);
            }
            return false;
        };
        let range = self.fifo.run(&mut claim);
        self.record(Event::Take(range), called, answered);
        self.participate(range.batch, claim);
        true
    }

    /// Goes on with a participation, whose tasks have been run so far, and completes it.
    fn participate(&mut self, batch: BatchId, mut claim: F::Claim) {
        loop {
            let (more, called, answered) = self.time(|| self.fifo.advance(&mut claim));
            if !more {
                self.record(Event::Exhausted { batch }, called, answered);
                return self.fifo.complete(claim);
            }
            let range = self.fifo.run(&mut claim);
            self.record(Event::Own(range), called, answered);
        }
    }
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
