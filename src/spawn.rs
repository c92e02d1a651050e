//! Owned closures that run by themselves, and the handle that their results come back through.
//!
//! A spawned closure is a batch of one task. One allocation, its *errand*, has the closure and then what it returned, or the
//! payload of the panic that ended it. Two know the errand, the task and the handle, and the second to leave it takes it away.
//!
//! # States of an errand
//!
//! | before | step | after | who frees |
//! |---|---|---|---|
//! | running | the task ends | done | |
//! | running | the handle goes | detached | |
//! | done | the handle joins or goes | | the handle |
//! | detached | the task ends | | the task |
//!
//! # Invariants
//!
//! - `J1`  *One result.* A result is given to who joins, or dropped; never both, never on a pinned thread.
//! - `J2`  *A waker is called.* A pending handle has a waker entered that the task's end calls (L4), its last one alone; a join takes it back.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | state, swap | Release | `[J-errand]` what was done to the errand, for who comes second |
//! | state, swap | Acquire | `[J-errand]` other side |
//!
//! # Alternatives turned down
//!
//! *A channel, or an `Arc` with a lock*: two more allocations, and a lock on the way of the result. *The result in the node*:
//! it would have to be dropped before the node is retired (R3), by the second to leave all the same.
//!
//! Checked by: `j1_*`, `j2_*` in `loom_tests`, `proptests/tests/front.rs`.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ops::Range;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread;
use std::time::Duration;

use crate::batch::{Batch, Handle, Home, Plan};
use crate::frame;
use crate::grain::Grain;
use crate::injector::Injector;
use crate::latch::Ticket;
use crate::pool::ZeroPool;
use crate::sync::UnsafeCell;
use crate::sync::atomic::{AtomicU32, Ordering};
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
    /// Ours to leave while `open` is there.
    errand: NonNull<Errand<T>>,
    result: PhantomData<fn(T) -> T>,
}

// SAFETY: a handle sends the result, which `spawn` demands to be `Send`; by reference it gives nothing of it.
unsafe impl<T> Send for JoinHandle<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for JoinHandle<T> {}

/// A closure's result, before the closure itself.
#[derive(Debug)]
struct Errand<T> {
    state: AtomicU32,
    result: UnsafeCell<MaybeUninit<thread::Result<T>>>,
    /// Frees the whole, without a drop of what is in it.
    free: unsafe fn(NonNull<Self>),
}

/// An errand with its closure behind it.
#[repr(C)]
struct WithBody<T, F> {
    errand: Errand<T>,
    body: ManuallyDrop<F>,
}

const RUNNING: u32 = 0;
const DONE: u32 = 1;
const DETACHED: u32 = 2;

impl<T> Errand<T> {
    fn new<F: FnOnce() -> T>(body: F) -> NonNull<Self> {
        /// # Safety
        ///
        /// - `errand` came from `new` with the same closure, and both who knew it have left.
        unsafe fn free<T, F>(errand: NonNull<Errand<T>>) {
            // SAFETY: the closure and the result were taken out, so that only memory is left.
            drop(unsafe { Box::from_raw(errand.cast::<WithBody<T, F>>().as_ptr()) });
        }
        let result = UnsafeCell::new(MaybeUninit::uninit());
        let errand = Self { state: AtomicU32::new(RUNNING), result, free: free::<T, F> };
        NonNull::from(Box::leak(Box::new(WithBody { errand, body: ManuallyDrop::new(body) }))).cast()
    }

    /// Runs the closure and leaves its result.
    ///
    /// # Safety
    ///
    /// - `errand` came from `new` with this type of closure; it is the task's, which calls this once.
    unsafe fn run<F: FnOnce() -> T>(errand: NonNull<Self>) {
        let with_body = errand.cast::<WithBody<T, F>>().as_ptr();
        // SAFETY: owed by the caller.
        let body = unsafe { &raw const (*with_body).body };
        // SAFETY: the task alone takes it, once.
        let body = unsafe { body.read() };
        let returned = unwind::catch(ManuallyDrop::into_inner(body));
        // SAFETY: the task has not left yet.
        let this = unsafe { errand.as_ref() };
        // SAFETY: the handle looks only after we have left.
        this.result.with_mut(|result| unsafe { (*result).write(returned) });
        // SAFETY: the task leaves.
        if unsafe { Self::leave(errand, DONE) } {
            // SAFETY: J1: detached, and ours alone.
            let unwanted = unsafe { Self::take(errand) };
            unwind::quietly(|| drop(unwanted));
        }
    }

    /// Leaves the errand; tells whether the other one had left it.
    ///
    /// # Safety
    ///
    /// - Task and handle each call it once at most; who is told false does not touch the errand again.
    unsafe fn leave(errand: NonNull<Self>, state: u32) -> bool {
        // SAFETY: the caller has not left yet.
        let state_now = unsafe { &errand.as_ref().state };
        // ORDERING: AcqRel. Release: what we did to the errand; pairs with the Acquire of the other one's swap [J-errand].
        state_now.swap(state, Ordering::AcqRel) != RUNNING
    }

    /// Takes the result, and frees the errand.
    ///
    /// # Safety
    ///
    /// - The task has left a result, and nobody else will touch the errand.
    unsafe fn take(errand: NonNull<Self>) -> thread::Result<T> {
        // SAFETY: owed by the caller.
        let this = unsafe { errand.as_ref() };
        // SAFETY: as above; `MaybeUninit` is laid out like what it holds.
        let result = this.result.with(|result| unsafe { result.cast::<thread::Result<T>>().read() });
        // SAFETY: as above.
        unsafe { (this.free)(errand) };
        result
    }
}

struct Open {
    handle: Handle,
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
    /// If it is called inside of the very closure that it waits for, on the thread that runs it, or after the handle has been awaited to
    /// its end. In a task of that closure's that another thread runs, it waits for ever.
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
        // Nobody polls any more, and who runs the closure here is not to be told.
        open.withdraw();
        worker::wait_as_guest(open.handle.home(), &open.handle);
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
        if worker::sleep_timeout(open.handle.home(), &open.handle, timeout) {
            Ok(self.finish())
        } else {
            Err(self)
        }
    }

    fn open(&mut self) -> &mut Open {
        self.open.as_mut().expect(GONE)
    }

    /// Takes the result of the closure, which has ended.
    fn finish(&mut self) -> thread::Result<T> {
        let open = self.open.take().expect(GONE);
        // SAFETY: J1: the task left a result before it was counted as finished [L-done], and `open` is gone.
        let result = unsafe { Errand::take(self.errand) };
        open.give_up();
        result
    }
}

/// What is said of a handle whose result has been given out.
const GONE: &str = "the handle has been awaited to its end";

impl Open {
    /// Takes the waker of the last poll back.
    fn withdraw(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let home = self.handle.home();
            // P8: it may let go of the pool.
            frame::enter(home, ptr::null::<Batch>(), || home.withdraw(&self.handle, ticket));
        }
    }

    fn give_up(mut self) {
        self.withdraw();
        Home::give_up(self.handle);
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = thread::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let open = self.open();
        open.withdraw();
        // J2: the waker of this poll, and no older one, is called when the task ends.
        open.ticket = open.handle.home().enter(&open.handle, context.waker().clone());
        if open.ticket.is_some() { Poll::Pending } else { Poll::Ready(self.finish()) }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else { return };
        // SAFETY: `open` is gone, so that the handle leaves once.
        if unsafe { Errand::leave(self.errand, DETACHED) } {
            // SAFETY: J1: done, and ours alone.
            let unwanted = unsafe { Errand::take(self.errand) };
            unwind::quietly(|| drop(unwanted));
        }
        open.give_up();
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
pub(crate) unsafe fn batch_of<F: FnOnce() -> Option<Payload>>(injector: &Injector, task: F) -> Box<Batch> {
    let plan = Plan { tasks: 1, threads: 1, helpers: 1, grain: Grain::SINGLE };
    if const { Batch::has_room_for::<F>() } {
        // SAFETY: passed on to the caller; the one task is run once (B1) and takes the closure out.
        unsafe { injector.storing(task, run_stored::<F>, plan) }
    } else {
        // SAFETY: as above.
        unsafe { injector.storing(Box::into_raw(Box::new(task)), run_boxed::<F>, plan) }
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
        let errand = Errand::new(body);
        let task = move || -> Option<Payload> {
            // SAFETY: the one task of its batch, run once (B1).
            unsafe { Errand::run::<F>(errand) };
            None
        };
        // SAFETY: the closure is `Send` and owns what it needs, and so does its result.
        let batch = unsafe { batch_of(self.injector(), task) };
        let open = Some(Open { handle: self.injector().publish(batch), ticket: None });
        JoinHandle { open, errand, result: PhantomData }
    }
}
