//! A batch whose tasks show when they run where they must not, workers to run it, and the look at them when all is quiet.

use std::ops::Range;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use zero_pool_loom::batch::{Batch, Handle, Plan, Work};
use zero_pool_loom::grain::Grain;
use zero_pool_loom::idle::{Announced, Looking, Seat, Woken};
use zero_pool_loom::injector::Injector;
use zero_pool_loom::reclaim::assert_unpinned;
use zero_pool_loom::unwind::{self, Payload};
use zero_pool_loom::worker::{self, participate};

/// What a task does after it has written its result.
type Then = Box<dyn Fn(usize)>;

/// The memory of a batch's caller: a counter and a plain result per task, and whether it is still there.
pub struct Tasks {
    runs: Vec<AtomicUsize>,
    results: Vec<UnsafeCell<usize>>,
    gone: UnsafeCell<bool>,
    then: Then,
}

impl Tasks {
    pub fn new(tasks: usize) -> Arc<Self> {
        Self::with(tasks, |_| {})
    }

    /// Tasks that do something more.
    pub fn with(tasks: usize, then: impl Fn(usize) + 'static) -> Arc<Self> {
        Arc::new(Self {
            runs: (0..tasks).map(|_| AtomicUsize::new(0)).collect(),
            results: (0..tasks).map(|_| UnsafeCell::new(0)).collect(),
            gone: UnsafeCell::new(false),
            then: Box::new(then),
        })
    }

    /// Makes a batch of these tasks, for two threads.
    pub fn batch(self: &Arc<Self>) -> Box<Batch> {
        self.planned(2)
    }

    /// Makes a batch of these tasks that so many workers may join.
    pub fn planned(self: &Arc<Self>, helpers: u32) -> Box<Batch> {
        // SAFETY: every model keeps the tasks until all threads have ended; what comes too late is found by `gone`.
        unsafe { Batch::new(self.work(), self.plan(helpers)) }
    }

    /// Makes a batch of these tasks, for two threads, of a node that may have been another batch before.
    pub fn recycled(self: &Arc<Self>, injector: &Injector) -> Box<Batch> {
        // SAFETY: as above.
        unsafe { injector.batch(self.work(), self.plan(2)) }
    }

    /// Returns what there is to run.
    pub fn work(self: &Arc<Self>) -> Work {
        Work { run: run_tasks, context: Arc::as_ptr(self).cast() }
    }

    fn plan(&self, helpers: u32) -> Plan {
        Plan { tasks: self.runs.len() as u64, threads: 2, helpers, grain: Grain::SINGLE }
    }

    /// What the caller does after its wait: reads the results, and takes the memory away.
    pub fn collect(&self) {
        for (index, (runs, result)) in self.runs.iter().zip(&self.results).enumerate() {
            assert_eq!(runs.load(Ordering::Relaxed), 1, "B1: task {index} ran not once");
            // SAFETY: loom checks that the write came before.
            assert_eq!(result.with(|result| unsafe { *result }), index + 1);
        }
        // SAFETY: loom checks that no task runs beside or after this.
        self.gone.with_mut(|gone| unsafe { *gone = true });
    }

    fn run(&self, index: usize) {
        assert_unpinned();
        // SAFETY: loom checks that the caller has not taken the memory away.
        let gone = self.gone.with(|gone| unsafe { *gone });
        assert!(!gone, "B3: task {index} ran after its memory was gone");
        self.runs[index].fetch_add(1, Ordering::Relaxed);
        // SAFETY: loom checks that nobody else runs this task.
        self.results[index].with_mut(|result| unsafe { *result = index + 1 });
        (self.then)(index);
    }
}

unsafe fn run_tasks(context: *const (), range: Range<usize>) -> Option<Payload> {
    // SAFETY: the context of `Tasks::planned`.
    let tasks = unsafe { &*context.cast::<Tasks>() };
    unwind::run_each(range, |index| tasks.run(index))
}

/// A door that one task waits at until another opens it.
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { open: Mutex::new(false), opened: Condvar::new() })
    }

    pub fn open(&self) {
        *self.open.lock().expect("no panic at the gate") = true;
        self.opened.notify_all();
    }

    pub fn pass(&self) {
        let mut open = self.open.lock().expect("no panic at the gate");
        while !*open {
            open = self.opened.wait(open).expect("no panic at the gate");
        }
    }
}

/// Runs one participation of a worker, if there is something to join.
pub fn work_once(injector: &Injector) -> bool {
    let claim = injector.take();
    let found = claim.is_some();
    claim.into_iter().for_each(|claim| participate(injector, claim));
    found
}

/// Makes an injector that unlinks each spent batch by itself.
pub fn injector(workers: usize) -> Arc<Injector> {
    Arc::new(Injector::recycling(workers, 1, 1))
}

/// Takes part in the own batch until it is exhausted, as a waiter does before it sleeps, and unlinks nothing.
pub fn help(injector: &Injector, handle: &Handle) {
    if let Some(claim) = handle.claim() {
        participate(injector, claim);
    }
}

/// Waits as a caller does, but that it unlinks nothing: helps, sleeps until the rest is done, and gives the handle up.
pub fn finish(injector: &Injector, handle: Handle) {
    help(injector, &handle);
    worker::sleep_until(injector, &handle);
    injector.release(handle);
}

/// Waits as a caller does, and unlinks what is spent.
pub fn finish_and_sweep(injector: &Injector, handle: Handle) {
    worker::wait(injector, &handle);
    injector.release(handle);
}

/// Sleeps until the workers have run the batch, and gives the handle up.
pub fn await_workers(injector: &Injector, handle: Handle) {
    injector.wait(&handle);
    injector.release(handle);
}

/// A worker that is parked before the race begins.
pub fn parked(injector: &Injector, worker: usize) -> Announced {
    // SAFETY: each model takes each seat once.
    let seat = unsafe { injector.seat(worker) };
    injector.announce(seat, None).expect("open")
}

/// A worker that looks without having been woken, before the race begins.
pub fn watching(injector: &Injector, worker: usize) -> (Seat, Looking) {
    // SAFETY: each model takes each seat once.
    let seat = unsafe { injector.seat(worker) };
    (seat, injector.look().expect("open, and nobody looks"))
}

/// A worker's whole life: look, run, park, until the injector is closed and empty.
pub fn work(injector: &Injector, index: usize) {
    work_some(injector, index, usize::MAX);
}

/// The begin of a worker's life, up to so many participations.
pub fn work_some(injector: &Injector, index: usize, participations: usize) {
    // SAFETY: each model starts each worker once.
    let seat = unsafe { injector.seat(index) };
    work_on(injector, (Some(seat), None), participations);
}

/// The life of a worker that is parked before the race begins, up to its end or so many participations.
pub fn work_from(injector: &Injector, announced: Announced, participations: usize) {
    work_on(injector, wake(injector, announced), participations);
}

/// The life of a worker that is on the watch for more before the race begins, up to its end or so many participations.
pub fn work_watching(injector: &Injector, (seat, looking): (Seat, Looking), participations: usize) {
    work_on(injector, (Some(seat), Some(looking)), participations);
}

/// Looks, runs and parks until there is neither work nor a seat to park with, or it has worked so often. This is the loop of
/// `worker::work`, which the models of whole pools run, but for the marks of who is at rest. Neither goes on the watch here, as no task
/// is short under loom: that is what [`watching`] begins with.
fn work_on(
    injector: &Injector,
    (mut seat, mut looking): (Option<Seat>, Option<Looking>),
    participations: usize,
) {
    let mut done = 0;
    while done < participations {
        if let Some(claim) = injector.take() {
            looking.take().into_iter().for_each(|looking| injector.found(looking));
            participate(injector, claim);
            done += 1;
            continue;
        }
        let Some(own) = seat.take() else { break };
        if let Some(announced) = injector.announce(own, looking.take()) {
            (seat, looking) = wake(injector, announced);
        }
    }
    RESTING.fetch_add(1, Ordering::Release);
}

fn wake(injector: &Injector, announced: Announced) -> (Option<Seat>, Option<Looking>) {
    match sleep(injector, announced) {
        Woken::Look(seat, looking) => (Some(seat), Some(looking)),
        Woken::Closed => (None, None),
    }
}

/// Sleeps until woken, and is at rest meanwhile: the second look of who parks is over.
pub fn sleep(injector: &Injector, announced: Announced) -> Woken {
    rest_during(|| injector.sleep(announced))
}

/// Counts the current thread as a worker at rest while it waits, asleep or inside of a task.
pub fn rest_during<R>(wait: impl FnOnce() -> R) -> R {
    RESTING.fetch_add(1, Ordering::Release);
    let end = wait();
    // Relaxed, and above only released: what the marks order is the worker before the one who judges, and nothing else.
    RESTING.fetch_add(AWAKE, Ordering::Relaxed);
    end
}

loom::lazy_static! {
    /// How many workers of this schedule are at rest: asleep, inside of a task that waits, or at their end. Above that, how often one rose.
    static ref RESTING: AtomicUsize = AtomicUsize::new(0);
}

/// Counts a worker as risen, and no more at rest.
const AWAKE: usize = RISEN - 1;
const RISEN: usize = 1 << 8;

/// How often [`conserve`] was called in this process, and how often it found all workers at rest. Of `std`, as counts that
/// order nothing.
static LOOKS: [std::sync::atomic::AtomicUsize; 2] = [const { std::sync::atomic::AtomicUsize::new(0) }; 2];

/// W1, judged by who has joined all threads but these workers and stands between two operations: if every worker is at
/// rest, there is nothing to claim, or nobody is parked.
///
/// The marks are read by read-modify-writes, which read the last one. If they did not change around the look at the idle
/// word, all workers were at rest at that look, and all that they did happened before it. So it tells the truth: somebody
/// is parked, and nobody on the way. Then nothing changes any more, and a claim that succeeds was there to be had.
pub fn conserve(injector: &Injector, workers: usize) {
    let resting = || RESTING.fetch_add(0, Ordering::Acquire);
    LOOKS[0].fetch_add(1, Ordering::Relaxed);
    let marks = resting();
    if marks % RISEN < workers {
        return;
    }
    LOOKS[1].fetch_add(1, Ordering::Relaxed);
    if injector.may_wake(false) && resting() == marks {
        assert!(injector.take().is_none(), "W1: a worker is parked, nobody looks, and there is work");
    }
}

/// Ends a model with workers: judges whether work is conserved, closes, and joins them. Nothing is left then (W4).
pub fn dismiss<R>(injector: &Injector, workers: impl IntoIterator<Item = thread::JoinHandle<R>>) -> Vec<R> {
    let workers = Vec::from_iter(workers);
    conserve(injector, workers.len());
    injector.close();
    let ends = workers.into_iter().map(end).collect();
    assert!(injector.take().is_none(), "W4: the workers have left, and there is work");
    ends
}

/// Fails if the model looked whether work is conserved, and no schedule came to rest before that.
pub fn conclude() {
    let [looks, at_rest] = LOOKS.each_ref().map(|count| count.load(Ordering::Relaxed));
    assert!(looks == 0 || at_rest > 0, "W1: in none of {looks} looks were all workers at rest");
}

/// Starts a thread on what the threads of a model share.
pub fn spawn<T: 'static, R: 'static>(
    shared: &Arc<T>,
    body: impl FnOnce(&T) -> R + 'static,
) -> thread::JoinHandle<R> {
    let shared = Arc::clone(shared);
    thread::spawn(move || body(&shared))
}

/// Joins a thread.
pub fn end<R>(thread: thread::JoinHandle<R>) -> R {
    thread.join().expect("the thread ends")
}
