//! The pool: its workers' threads, from the first to the last.
//!
//! ```text
//!   ZeroPool ─┬─ Arc ──▶ Injector ◀── Arc ── worker 0, 1, .. (threads)
//!             └─ join handles │
//!                            Arc ──▶ Home ◀── batches ◀── futures, which may outlive the pool
//! ```
//!
//! # Shutdown
//!
//! | who drops the pool | what happens |
//! |---|---|
//! | a thread outside of its tasks | close; join the workers, who run all that is queued; wait for what others run of it (W5) |
//! | a task of the pool, a waker or a handler that it calls | close, and nothing else: the workers run all that is queued and end by themselves |
//! | a forked child, which has a copy without the workers | nothing: what they held is leaked |
//!
//! A borrow of the pool is needed to submit, so nobody submits while it is dropped, and after the close only what was
//! queued remains.
//!
//! # Invariants
//!
//! - `P7`  *Accepted means run.* When a drop outside of the pool's tasks returns, every submitted task has ended, those on
//!   waiting threads too.
//! - `P8`  *No self-join.* A drop on a thread that is inside of a task of the pool, or of a waker or handler that it calls, waits for
//!   nobody.
//! - `P9`  *All or none.* If a worker cannot be started, those before it end, and no thread is left.
//!
//! Checked by: `p7_*`, `p8_*` in `loom_tests`, the unit test below, `proptests/tests/pool.rs`.

use core::{fmt, mem, ptr};
use std::panic::{RefUnwindSafe, UnwindSafe, resume_unwind};
use std::process;

use crate::batch::{Batch, Handle, Plan, Work};
use crate::costs::{Costs, Estimate, WAKE_NANOS};
use crate::error::BuildError;
use crate::frame;
use crate::grain::{Grain, TARGET_NANOS};
use crate::idle::Idle;
use crate::injector::Injector;
use crate::pending;
use crate::sync::{Arc, Stopwatch, thread};
use crate::unwind::{self, Payload};
use crate::worker;

/// A thread pool with one global queue.
///
/// The workers sleep when there is nothing to do. The queue is unbounded, and submitting neither locks nor waits.
/// Dropping the pool runs everything that was submitted and ends the workers. On a thread that is inside of one of its tasks the drop waits
/// for nobody. It must not be called where a task of this pool waits for it by way of another pool.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use zero_pool::ZeroPool;
///
/// let pool = ZeroPool::new();
/// let squares: Vec<_> = (0..100).map(|_| AtomicUsize::new(0)).collect();
/// pool.for_each_index(0..100, |i| squares[i].store(i * i, Ordering::Relaxed));
/// assert_eq!(squares[9].load(Ordering::Relaxed), 81);
/// ```
pub struct ZeroPool {
    injector: Arc<Injector>,
    threads: Vec<thread::JoinHandle<()>>,
    /// The process that has the threads: a forked child has a copy of their handles alone.
    process: u32,
}

/// A function of a worker's number.
type Handler = Box<dyn Fn(usize) + Send + Sync>;

/// What a worker's thread calls at its begin and end.
#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) start: Option<Handler>,
    pub(crate) exit: Option<Handler>,
}

impl Handlers {
    /// Calls the start handler, whose panic concerns nobody.
    pub(crate) fn start(&self, worker: usize) {
        self.start.iter().for_each(|handler| unwind::quietly(|| handler(worker)));
    }

    /// Calls the exit handler, whose panic concerns nobody.
    pub(crate) fn exit(&self, worker: usize) {
        self.exit.iter().for_each(|handler| unwind::quietly(|| handler(worker)));
    }
}

impl ZeroPool {
    /// Starts the workers, on the threads that `thread` prepares for their numbers.
    pub(crate) fn start(
        workers: usize,
        handlers: Handlers,
        thread: impl Fn(usize) -> thread::Builder,
    ) -> Result<Self, BuildError> {
        match workers {
            0 => return Err(BuildError::NoWorkers),
            1..=Idle::MAX_WORKERS => {}
            asked => {
                return Err(BuildError::TooManyWorkers { asked, most: Idle::MAX_WORKERS });
            }
        }
        let injector = Arc::new(Injector::new(workers));
        let handlers = Arc::new(handlers);
        let mut pool = Self { injector, threads: Vec::with_capacity(workers), process: process::id() };
        for worker in 0..workers {
            let (injector, handlers) = (Arc::clone(&pool.injector), Arc::clone(&handlers));
            let body = move || {
                // P8: handlers, and what they own, may let go of the pool.
                let inside = ptr::null::<Batch>();
                frame::enter(injector.home().as_ref(), inside, || handlers.start(worker));
                // SAFETY: each worker is started once.
                let seat = unsafe { injector.seat(worker) };
                worker::work(&injector, seat);
                frame::enter(injector.home().as_ref(), inside, || {
                    handlers.exit(worker);
                    unwind::quietly(|| drop(handlers));
                });
            };
            // P9: on an error the pool is dropped with the workers it has.
            let started = thread(worker).spawn(body);
            pool.threads.push(started.map_err(|source| BuildError::Spawn { worker, source })?);
        }
        Ok(pool)
    }

    /// Returns the number of workers.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(zero_pool::ZeroPool::with_workers(2).workers(), 2);
    /// ```
    pub fn workers(&self) -> usize {
        self.threads.len()
    }

    pub(crate) fn injector(&self) -> &Injector {
        &self.injector
    }

    /// Runs tasks on this thread as far as nobody else is needed: all of them if there is one, or one worker, or if they are
    /// known to take less than is worth sharing. Returns how many were run, and the first panic's payload.
    ///
    /// # Safety
    ///
    /// - As for [`Batch::new`], for the time of this call.
    #[inline(always)]
    pub(crate) unsafe fn run_alone(&self, tasks: usize, work: Work) -> (usize, Option<Payload>) {
        if tasks <= 1 || self.workers() == 1 {
            // SAFETY: passed on to the caller.
            return (tasks, unsafe { (work.run)(work.context, 0..tasks) });
        }
        let Some(known) = self.injector.costs().known(work.run) else { return (0, None) };
        let nanos = known.nanos(tasks as u64);
        if nanos <= TARGET_NANOS && !Costs::is_due(known, nanos) {
            // SAFETY: passed on to the caller.
            (tasks, unsafe { (work.run)(work.context, 0..tasks) })
        } else if !Costs::is_worth_sharing(nanos, || self.injector.has_awake()) {
            // SAFETY: passed on to the caller.
            unsafe { self.run_watched(tasks, work, known.slice()) }
        } else {
            (0, None)
        }
    }

    /// Runs tasks on this thread, in slices of so many, which should take a microsecond, until all are run or they have taken as long as a wake.
    ///
    /// # Safety
    ///
    /// - As for [`Batch::new`], for the time of this call.
    #[inline(never)]
    unsafe fn run_watched(&self, tasks: usize, work: Work, slice: u64) -> (usize, Option<Payload>) {
        let slice = usize::try_from(slice).unwrap_or(usize::MAX);
        let (mut done, mut nanos, mut first) = (0, 0, None);
        let watch = Stopwatch::start();
        while done < tasks && nanos < WAKE_NANOS {
            let end = done.saturating_add(slice).min(tasks);
            // SAFETY: passed on to the caller.
            unwind::keep_first(&mut first, unsafe { (work.run)(work.context, done..end) });
            (done, nanos) = (end, watch.nanos());
        }
        self.injector.costs().learn(work.run, done as u64, nanos);
        (done, first)
    }

    /// Runs `tasks` tasks on this thread and on workers, up to the pool's number of threads in all, or some of them on this thread
    /// if there is a crowd, which may be gone a moment later. Returns how many have ended, and the first panic's payload.
    ///
    /// # Safety
    ///
    /// - As for [`Batch::new`], for the time of this call.
    pub(crate) unsafe fn run(&self, tasks: usize, work: Work) -> (usize, Option<Payload>) {
        debug_assert!(tasks as u64 <= Batch::MAX_TASKS, "B1: cut into pieces by the caller");
        let known = self.injector.costs().known(work.run);
        if self.injector.is_crowded() {
            // SAFETY: passed on to the caller.
            return unsafe { self.run_watched(tasks, work, known.map_or(1, Estimate::slice)) };
        }
        let threads = self.workers() as u32;
        let grain = known.map_or(Grain::SINGLE, Estimate::grain);
        // Of those who come to a loop that is not worth a wake each would wake the next.
        let is_short = known.is_some_and(|known| known.nanos(tasks as u64) < WAKE_NANOS);
        let helpers = if is_short { 1 } else { threads - 1 };
        let plan = Plan { tasks: tasks as u64, threads: helpers + 1, helpers, grain };
        // SAFETY: passed on to the caller.
        let handle = self.injector.publish(unsafe { self.injector.batch(work, plan) });
        if let Some(claim) = handle.claim() {
            worker::participate_measured(&self.injector, claim);
            self.injector.sweep_after(&handle);
        }
        worker::sleep_until(&self.injector, &handle);
        (tasks, self.close(handle))
    }

    /// Gives the handle of a finished batch up; returns the first panic's payload.
    fn close(&self, handle: Handle) -> Option<Payload> {
        let payload = handle.payload();
        self.injector.release(handle);
        payload
    }
}

/// Passes a panic of the tasks on to their caller.
#[inline]
pub(crate) fn pass_on(payload: Option<Payload>) {
    if let Some(payload) = payload {
        resume_unwind(payload);
    }
}

impl Drop for ZeroPool {
    fn drop(&mut self) {
        if self.process != process::id() {
            // Nobody is there to be joined, and what the workers held is never given back.
            mem::forget(mem::take(&mut self.threads));
            return;
        }
        self.injector.close();
        if frame::is_inside_pool(self.injector.home().as_ref()) {
            // P8: the workers keep the injector alive and end by themselves.
            return;
        }
        // S4: a worker of another pool may wait for what this thread keeps.
        pending::publish_all();
        self.threads.iter().for_each(thread::hasten);
        for thread in self.threads.drain(..) {
            // A worker catches all panics of foreign code. Should it die of one of our own, the others still end.
            if let Err(payload) = thread.join() {
                unwind::discard(payload);
            }
        }
        // P7: the workers have run what they could find, and threads that wait run the rest.
        self.injector.wait_for_all();
    }
}

// Panics of tasks are caught, and leave the pool as it was.
impl UnwindSafe for ZeroPool {}
impl RefUnwindSafe for ZeroPool {}

impl fmt::Debug for ZeroPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZeroPool").field("workers", &self.workers()).finish_non_exhaustive()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use core::cell::Cell;
    use std::time::Duration;
    use std::{fs, io};

    /// Returns how many threads of this process are workers.
    fn workers_alive() -> usize {
        let tasks = fs::read_dir("/proc/self/task").expect("Linux lists its threads");
        let name = |task: io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
        tasks.filter_map(name).filter(|name| name.starts_with("zero-pool-")).count()
    }

    #[test]
    fn p9_a_worker_that_cannot_start_takes_the_others_along() {
        let started = Cell::new(0);
        let thread = |worker| {
            started.set(worker + 1);
            let thread = thread::Builder::new().name(format!("zero-pool-{worker}"));
            if worker < 3 { thread } else { thread.stack_size(usize::MAX / 4) }
        };
        let failed = ZeroPool::start(9, Handlers::default(), thread);
        assert!(matches!(failed, Err(BuildError::Spawn { worker: 3, .. })), "{failed:?}");
        // The system lists a thread for a moment after it was joined.
        let mut looks = (0..1_000).map(|_| {
            std::thread::sleep(Duration::from_millis(1));
            workers_alive()
        });
        let alive = looks.find(|&alive| alive == 0).unwrap_or_else(workers_alive);
        assert_eq!((started.get(), alive), (4, 0));
    }
}
