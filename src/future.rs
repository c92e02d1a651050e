//! The handle of submitted tasks, and the two calls that submit them: the seed's surface.
//!
//! A [`TaskFuture`] borrows what its tasks read, and the last of its clones waits when it is dropped. So the compiler
//! refuses a task that outlives its parameters, as long as nobody leaks the future. That is the first of the things
//! which this surface leaves to its caller; the others are raw result pointers, and parameters that are not `Sync`.
//!
//! # States
//!
//! | the future is | and then its batch |
//! |---|---|
//! | waited for | is finished; a panic goes to the first who waits |
//! | dropped, as the last clone | is finished; a panic is dropped |
//! | dropped, as the last clone, inside of a task of its own batch | runs on by itself: waiting would never end |
//! | detached | runs on by itself |
//!
//! # Invariants
//!
//! - `P4`  *Drop waits.* After the last clone of a future has been dropped outside of its own tasks, all are finished.
//! - `P6`  *Typed.* A task function is called with the parameter type it was written for: no cast is the user's.
//! - `P5`  *It may outlive the pool.* A future has the [home](crate::batch::Home) of its batch (H1), and what its waiter runs is waited for (W5).
//!
//! Checked by: `p4_*`, `p5_*` in `loom_tests`, `proptests/tests/pool.rs`, and the examples that must not compile.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;
use std::panic::{RefUnwindSafe, UnwindSafe, resume_unwind};
use std::time::Duration;

use crate::batch::{Batch, Handle, Home, Outcome, Plan};
use crate::costs::Estimate;
use crate::disjoint::Disjoint;
use crate::frame;
use crate::grain::Grain;
use crate::pool::ZeroPool;
use crate::unwind::{self, Payload};
use crate::worker;

/// Submitted tasks, to be waited for.
///
/// It borrows the parameters of its tasks for `'a`. Its clones stand for the same tasks, and the last of them waits when
/// it is dropped. It may outlive the pool, whose drop runs everything that was submitted.
///
/// Waiting runs tasks: the caller takes part in its own batch while some of it is unclaimed and fewer threads than the
/// pool has workers have joined it. It never runs tasks of other batches.
///
/// # Safety
///
/// No function here is `unsafe`, and yet two things are the caller's to keep, as they were in zero-pool 0.4:
///
/// - A future that borrows its parameters is not leaked ([`core::mem::forget`], a cycle of `Arc`s) and not dropped as
///   the last clone inside of one of its own tasks, unless they outlive the tasks all the same.
/// - What the tasks reach through raw pointers and through parameters that are not `Sync` may be used as they use it.
///
/// # Examples
///
/// ```
/// use zero_pool::{ZeroPool, zp_define_task_fn, zp_write};
///
/// struct Square { of: u64, result: *mut u64 }
/// zp_define_task_fn!(square, Square, |params| {
///     zp_write!(params.result, params.of * params.of);
/// });
///
/// let pool = ZeroPool::with_workers(2);
/// let mut result = 0;
/// let task = Square { of: 12, result: &mut result };
/// pool.submit_task(square, &task).wait();
/// assert_eq!(result, 144);
/// ```
///
/// The parameters may not go before the tasks have ended:
///
/// ```compile_fail,E0505
/// # use zero_pool::{ZeroPool, zp_define_task_fn};
/// # zp_define_task_fn!(look, String, |text| { assert_eq!(text, "here"); });
/// let pool = ZeroPool::with_workers(1);
/// let text = String::from("here");
/// let future = pool.submit_task(look, &text);
/// drop(text);
/// future.wait();
/// ```
///
/// The same, in the right order:
///
/// ```
/// # use zero_pool::{ZeroPool, zp_define_task_fn};
/// # zp_define_task_fn!(look, String, |text| { assert_eq!(text, "here"); });
/// let pool = ZeroPool::with_workers(1);
/// let text = String::from("here");
/// let future = pool.submit_task(look, &text);
/// future.wait();
/// drop(text);
/// ```
#[must_use = "a future waits for its tasks when it is dropped"]
#[derive(Clone)]
pub struct TaskFuture<'a> {
    /// `None` for no tasks at all. P5: it keeps the home of its batch.
    open: Option<Handle>,
    parameters: PhantomData<&'a ()>,
}

/// Parts from the clones, without a wait.
fn give_up(handle: Handle) {
    if let Some(last) = handle.part() {
        Home::give_up(last);
    }
}

impl TaskFuture<'_> {
    /// Blocks until all tasks have ended, and takes part in them.
    ///
    /// # Panics
    ///
    /// - If tasks panicked: the first to wait gets the payload of one of them, whole; those that wait later on clones panic with a
    ///   message of this crate. All other tasks have run nevertheless.
    /// - If it is called inside of one of the tasks that it waits for. This panic is that task's, as any other.
    ///
    /// # Memory ordering
    ///
    /// All that the tasks did happens before the return.
    ///
    /// # Examples
    ///
    /// ```
    /// use zero_pool::ZeroPool;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// let pool = ZeroPool::with_workers(2);
    /// let sum = AtomicU32::new(0);
    /// let add = |n: &u32| { sum.fetch_add(*n, Ordering::Relaxed); };
    /// pool.submit_batch_uniform(add, &[1, 2, 3]).wait();
    /// assert_eq!(sum.into_inner(), 6);
    /// ```
    #[track_caller]
    pub fn wait(mut self) {
        let Some(handle) = &self.open else { return };
        // A refusal leaves the future to its drop.
        worker::wait_as_guest(handle.home(), handle);
        let outcome = handle.outcome();
        self.open.take().into_iter().for_each(give_up);
        match outcome {
            Outcome::Done => {}
            Outcome::Panicked(payload) => resume_unwind(payload),
            Outcome::PanicTaken => panic!("a task panicked, and another waiter has its payload"),
        }
    }

    /// Tells whether all tasks have ended.
    ///
    /// # Memory ordering
    ///
    /// All that the tasks did happens before a true answer. A false answer may be stale when it is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use zero_pool::ZeroPool;
    ///
    /// let pool = ZeroPool::with_workers(1);
    /// let future = pool.submit_batch_uniform(|_: &u8| {}, &[]);
    /// assert!(future.is_complete(), "there is nothing to do");
    /// ```
    pub fn is_complete(&self) -> bool {
        self.open.as_ref().is_none_or(|handle| handle.batch().latch().is_finished())
    }

    /// Blocks until all tasks have ended or `timeout` has passed; tells whether they have ended.
    ///
    /// It runs no tasks, so that it can keep its time. Inside of a task it lets the time pass: for its own batch, and for
    /// batches that nobody is free to run, it comes to an end by its timeout alone. With a timeout of zero it only looks. A panic of a task is left to
    /// [`wait`](Self::wait).
    ///
    /// # Memory ordering
    ///
    /// As for [`is_complete`](Self::is_complete).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use std::time::Duration;
    /// use zero_pool::ZeroPool;
    ///
    /// let pool = ZeroPool::with_workers(1);
    /// let lock = Mutex::new(0);
    /// let add = |lock: &Mutex<u32>| *lock.lock().unwrap() += 1;
    /// let held = lock.lock().unwrap();
    /// let future = pool.submit_task(add, &lock);
    /// assert!(!future.wait_timeout(Duration::from_millis(1)), "the task waits for the lock");
    /// drop(held);
    /// assert!(future.wait_timeout(Duration::MAX));
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.open.as_ref().is_none_or(|handle| worker::sleep_timeout(handle.home(), handle, timeout))
    }
}

impl TaskFuture<'static> {
    /// Lets the tasks run by themselves. Their panics are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use zero_pool::ZeroPool;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// static SEEN: AtomicU32 = AtomicU32::new(0);
    /// static ITEMS: [u32; 2] = [40, 2];
    /// let pool = ZeroPool::with_workers(2);
    /// pool.submit_batch_uniform(|n: &u32| { SEEN.fetch_add(*n, Ordering::Relaxed); }, &ITEMS).detach();
    /// drop(pool); // runs all that was submitted
    /// assert_eq!(SEEN.load(Ordering::Relaxed), 42);
    /// ```
    ///
    /// Tasks that borrow have to be waited for:
    ///
    /// ```compile_fail,E0597
    /// # use zero_pool::{ZeroPool, zp_define_task_fn};
    /// # zp_define_task_fn!(look, String, |text| { assert_eq!(text, "here"); });
    /// let pool = ZeroPool::with_workers(1);
    /// let text = String::from("here");
    /// pool.submit_task(look, &text).detach();
    /// ```
    ///
    /// The same with parameters that live for ever:
    ///
    /// ```
    /// # use zero_pool::{ZeroPool, zp_define_task_fn};
    /// # zp_define_task_fn!(look, String, |text| { assert_eq!(text, "here"); });
    /// let pool = ZeroPool::with_workers(1);
    /// let text: &'static String = Box::leak(Box::new(String::from("here")));
    /// pool.submit_task(look, text).detach();
    /// ```
    pub fn detach(mut self) {
        self.open.take().into_iter().for_each(give_up);
    }
}

impl Drop for TaskFuture<'_> {
    fn drop(&mut self) {
        let Some(last) = self.open.take().and_then(Handle::part) else { return };
        // P4: inside of its own task it must not wait for itself.
        if !frame::is_inside_batch(last.batch()) {
            worker::wait_as_guest(last.home(), &last);
        }
        Home::give_up(last);
    }
}

// A panic of a task leaves the future as it was, and what tasks write is behind pointers of the caller's own.
impl UnwindSafe for TaskFuture<'_> {}
impl RefUnwindSafe for TaskFuture<'_> {}

impl fmt::Debug for TaskFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFuture").field("complete", &self.is_complete()).finish_non_exhaustive()
    }
}

/// What the node of a submitted batch keeps: the task function, which takes no room if it is known by its type, and where
/// the parameters are.
struct Submitted<'a, F, P> {
    task: F,
    parameters: Disjoint<'a, P>,
}

impl<F: Copy, P> Clone for Submitted<'_, F, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Copy, P> Copy for Submitted<'_, F, P> {}

/// Runs the tasks of a range of a submitted batch.
///
/// # Safety
///
/// - `context` points to a [`Submitted`] of these types (P6), and the range was claimed.
unsafe fn run_submitted<F: Fn(&P), P>(context: *const (), range: Range<usize>) -> Option<Payload> {
    // SAFETY: the caller owes the type; the node keeps it while claimed tasks are unfinished (N1).
    let submitted = unsafe { &*context.cast::<Submitted<'_, F, P>>() };
    unwind::run_each(range, |index| {
        // SAFETY: D1: a claimed index is run once (B1, X1). That elements which are not `Sync` are used by nobody else is
        // what this surface asks of its caller.
        (submitted.task)(unsafe { submitted.parameters.take(index) });
    })
}

impl ZeroPool {
    /// Submits one task: `task(params)` runs once, on a worker or on the thread that waits.
    ///
    /// The task starts without its caller: it is queued, and a sleeping worker is woken unless one is on its way.
    ///
    /// # Safety
    ///
    /// The function is safe to call by its type, but see [`TaskFuture`] for what it leaves to the caller.
    ///
    /// # Examples
    ///
    /// See [`TaskFuture`]. A task function for another parameter type does not compile:
    ///
    /// ```compile_fail,E0308
    /// # use zero_pool::{ZeroPool, zp_define_task_fn};
    /// # zp_define_task_fn!(look, String, |text| { assert_eq!(text, "here"); });
    /// let pool = ZeroPool::with_workers(1);
    /// let text = 7_u32;
    /// pool.submit_task(look, &text).wait();
    /// ```
    ///
    /// The same with the right type:
    ///
    /// ```
    /// # use zero_pool::{ZeroPool, zp_define_task_fn};
    /// # zp_define_task_fn!(look, String, |text| { assert_eq!(text, "here"); });
    /// let pool = ZeroPool::with_workers(1);
    /// let text = String::from("here");
    /// pool.submit_task(look, &text).wait();
    /// ```
    pub fn submit_task<'a, P, F>(&self, task: F, params: &'a P) -> TaskFuture<'a>
    where
        F: Fn(&P) + Copy + Send + Sync + 'a,
    {
        self.submit(task, Disjoint::new(core::slice::from_ref(params)))
    }

    /// Submits a batch: `task` runs once for each element of `params`, in any order, on any of the pool's threads.
    ///
    /// The whole batch is one node of the queue, whatever its size. Its tasks may run one after another on one thread:
    /// they must not wait for each other. `task` may capture up to two words, aligned as words are.
    ///
    /// # Panics
    ///
    /// If there are more than 2^40 - 1 parameters.
    ///
    /// # Safety
    ///
    /// The function is safe to call by its type, but see [`TaskFuture`] for what it leaves to the caller.
    ///
    /// # Examples
    ///
    /// ```
    /// use zero_pool::{ZeroPool, zp_define_task_fn, zp_write};
    ///
    /// struct Double { of: usize, result: *mut usize }
    /// zp_define_task_fn!(double, Double, |params| {
    ///     zp_write!(params.result, 2 * params.of);
    /// });
    ///
    /// let pool = ZeroPool::with_workers(2);
    /// let mut results = vec![0; 100];
    /// let tasks: Vec<_> = results.iter_mut().enumerate().map(|(of, result)| Double { of, result }).collect();
    /// pool.submit_batch_uniform(double, &tasks).wait();
    /// assert!(results.iter().enumerate().all(|(of, &result)| result == 2 * of));
    /// ```
    pub fn submit_batch_uniform<'a, P, F>(&self, task: F, params: &'a [P]) -> TaskFuture<'a>
    where
        F: Fn(&P) + Copy + Send + Sync + 'a,
    {
        self.submit(task, Disjoint::new(params))
    }

    fn submit<'a, P, F>(&self, task: F, parameters: Disjoint<'a, P>) -> TaskFuture<'a>
    where
        F: Fn(&P) + Copy + Send + Sync + 'a,
    {
        const {
            assert!(
                Batch::has_room_for::<Submitted<'a, F, P>>(),
                "a task function captures at most two words, aligned as words are"
            )
        };
        let tasks = parameters.len() as u64;
        let open = (tasks > 0).then(|| {
            assert!(
                tasks <= Batch::MAX_TASKS,
                "{tasks} tasks in one batch; at most {} fit",
                Batch::MAX_TASKS
            );
            let workers = self.workers() as u32;
            let run = run_submitted::<F, P>;
            // K3: a function that is not known by its type shares what runs it with others.
            let is_known = tasks > 1 && size_of::<F>() == 0;
            let known = is_known.then(|| self.injector().costs().known(run)).flatten();
            let grain = known.map_or(Grain::SINGLE, Estimate::grain);
            let plan = Plan { tasks, threads: workers, helpers: workers, grain };
            // SAFETY: the future borrows the parameters and waits, and the function is `Send + Sync`. What else there is to
            // keep, the documentation of this surface leaves to the caller.
            let batch = unsafe { self.injector().storing(Submitted { task, parameters }, run, plan) };
            self.injector().publish(batch)
        });
        TaskFuture { open, parameters: PhantomData }
    }
}
