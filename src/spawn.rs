//! Owned closures that run by themselves, and the handle that their results come back through.
//!
//! A spawned closure is a batch of one task. What it returned, or the panic that ended it, is kept like a panic's payload
//! (B5): whoever comes first, the handle or the end of the task, finds the other's mark, and the result is given out once or
//! dropped once.
//!
//! # Invariants
//!
//! - `J1`  *One result.* A result is given to who joins, or dropped; never both, never on a pinned thread.
//! - `J2`  *A waker is called.* A pending handle has a waker entered that the task's end calls (L4), its last one alone.
//!
//! # Alternatives turned down
//!
//! *A channel, or an `Arc` with a lock*: two more allocations, and a lock on the way of the result.
//!
//! Checked by: `j1_*`, `j2_*` in `loom_tests`, `proptests/tests/front.rs`.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread;
use std::time::Duration;

use crate::batch::{Batch, Handle, Plan};
use crate::grain::Grain;
use crate::injector::Injector;
use crate::latch::Ticket;
use crate::pool::ZeroPool;
use crate::sync::Arc;
use crate::unwind::{self, Payload};
use crate::worker;

/// A spawned closure, to be joined or awaited. Dropping it lets the closure run by itself.
///
/// It may outlive the pool, whose drop runs everything that was spawned.
///
/// # Examples
///
/// ```
/// let pool = zero_pool::ZeroPool::with_workers(2);
/// let words = vec!["owned", "by", "the", "closure"];
/// let handle = pool.spawn(move || words.len());
/// assert_eq!(handle.join().unwrap(), 4);
/// ```
#[must_use = "a handle that is dropped lets its closure run by itself; say so with `drop`"]
pub struct JoinHandle<T> {
    /// `None` after the result was given out.
    open: Option<Open>,
    /// Invariant: the result is found by its exact type, and of two types one may be a subtype of the other.
    result: PhantomData<fn(T) -> T>,
}

struct Open {
    handle: Handle,
    injector: Arc<Injector>,
    /// Where the waker of the last poll stands.
    ticket: Option<Ticket>,
}

impl<T: 'static> JoinHandle<T> {
    /// Blocks until the closure has ended, or runs it if nobody has begun; returns its result, or the payload of its panic.
    ///
    /// # Errors
    ///
    /// The payload with which the closure panicked.
    ///
    /// # Panics
    ///
    /// If it is called inside of the very closure that it waits for, or after the handle has been awaited to its end.
    ///
    /// # Memory ordering
    ///
    /// All that the closure did happens before the return.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::with_workers(1);
    /// let failed = pool.spawn(|| -> u32 { std::panic::resume_unwind(Box::new("no number")) });
    /// let payload = failed.join().unwrap_err();
    /// assert_eq!(payload.downcast_ref(), Some(&"no number"));
    /// ```
    pub fn join(mut self) -> thread::Result<T> {
        let open = self.open();
        worker::wait_as_guest(&open.injector, &open.handle);
        self.finish()
    }

    /// Tells whether the closure has ended.
    ///
    /// # Panics
    ///
    /// If the handle has been awaited to its end.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::with_workers(1);
    /// let handle = pool.spawn(|| 7);
    /// while !handle.is_finished() {
    ///     std::thread::yield_now();
    /// }
    /// assert_eq!(handle.join().unwrap(), 7);
    /// ```
    pub fn is_finished(&self) -> bool {
        self.open.as_ref().expect(GONE).handle.batch().latch().is_finished()
    }

    /// Blocks until the closure has ended or `timeout` has passed. It does not run the closure, and inside of that closure it
    /// lets the time pass.
    ///
    /// # Errors
    ///
    /// The handle itself, if the time was over first.
    ///
    /// # Panics
    ///
    /// If the handle has been awaited to its end.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let pool = zero_pool::ZeroPool::with_workers(1);
    /// let (send, receive) = mpsc::channel();
    /// let handle = pool.spawn(move || receive.recv().unwrap());
    /// let handle = handle.join_timeout(Duration::from_millis(1)).expect_err("it waits for us");
    /// send.send(7).unwrap();
    /// assert_eq!(handle.join_timeout(Duration::MAX).unwrap().unwrap(), 7);
    /// ```
    pub fn join_timeout(mut self, timeout: Duration) -> Result<thread::Result<T>, Self> {
        let open = self.open();
        if open.injector.wait_timeout(&open.handle, timeout) { Ok(self.finish()) } else { Err(self) }
    }

    fn open(&mut self) -> &mut Open {
        self.open.as_mut().expect(GONE)
    }

    /// Takes the result of the closure, which has ended.
    fn finish(&mut self) -> thread::Result<T> {
        let open = self.open.take().expect(GONE);
        let result = open.handle.payload().expect("J1: a spawned closure leaves a result");
        open.give_up();
        // J1: `run_spawned` made it, of this type.
        *result.downcast().expect("J1: the result has the type of the closure")
    }
}

/// What is said of a handle whose result has been given out.
const GONE: &str = "the handle has been awaited to its end";

impl Open {
    fn give_up(self) {
        let Self { handle, injector, ticket } = self;
        if let Some(ticket) = ticket {
            injector.withdraw(&handle, ticket);
        }
        injector.release(handle);
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = thread::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Open { handle, injector, ticket } = self.open();
        if let Some(old) = ticket.take() {
            injector.withdraw(handle, old);
        }
        // J2: the waker of this poll, and no older one, is called when the task ends.
        *ticket = injector.enter(handle, context.waker().clone());
        if ticket.is_some() { Poll::Pending } else { Poll::Ready(self.finish()) }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            open.give_up();
        }
    }
}

// As for std's: a panic of the closure is handed over, and nothing else is shared with it.
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

/// Makes a batch of one task, which is `task`: in the node if there is room, else in a box.
///
/// # Safety
///
/// - `task` may run on any thread at any time until the batch is finished.
pub(crate) unsafe fn batch_of<F: FnOnce() -> Option<Payload>>(task: F) -> Box<Batch> {
    let plan = Plan { tasks: 1, threads: 1, helpers: 1, grain: Grain::SINGLE };
    if const { Batch::has_room_for::<F>() } {
        // SAFETY: passed on to the caller; the one task is run once (B1) and takes the closure out.
        unsafe { Batch::storing(task, run_stored::<F>, plan) }
    } else {
        // SAFETY: as above.
        unsafe { Batch::storing(Box::into_raw(Box::new(task)), run_boxed::<F>, plan) }
    }
}

/// Runs a closure that lies in its node.
///
/// # Safety
///
/// - `context` points to an `F` that was not taken out yet.
unsafe fn run_stored<F: FnOnce() -> Option<Payload>>(context: *const (), _: Range<usize>) -> Option<Payload> {
    // SAFETY: owed by the caller.
    let task = unsafe { context.cast::<F>().read() };
    task()
}

/// Runs a closure that lies in a box.
///
/// # Safety
///
/// - `context` points to the pointer of a box of an `F`, which was not taken out yet.
unsafe fn run_boxed<F: FnOnce() -> Option<Payload>>(context: *const (), _: Range<usize>) -> Option<Payload> {
    // SAFETY: owed by the caller.
    let task = unsafe { context.cast::<*mut F>().read() };
    // SAFETY: as above.
    let task = unsafe { Box::from_raw(task) };
    task()
}

impl ZeroPool {
    /// Runs `body` by itself, and returns a handle to its result.
    ///
    /// It starts without its caller: it is queued, and a sleeping worker is woken unless one is on its way. A panic of it
    /// goes to who joins, or to nobody.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::with_workers(2);
    /// let handles: Vec<_> = (0..4).map(|n| pool.spawn(move || n * n)).collect();
    /// let squares: Vec<u32> = handles.into_iter().map(|handle| handle.join().unwrap()).collect();
    /// assert_eq!(squares, [0, 1, 4, 9]);
    /// ```
    pub fn spawn<F, T>(&self, body: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let task = move || -> Option<Payload> {
            let result: thread::Result<T> = unwind::catch(body);
            Some(Box::new(result))
        };
        // SAFETY: the closure is `Send` and owns what it needs, and so does its result.
        let batch = unsafe { batch_of(task) };
        let injector = Arc::clone(self.injector());
        let handle = injector.publish(batch);
        JoinHandle { open: Some(Open { handle, injector, ticket: None }), result: PhantomData }
    }
}
