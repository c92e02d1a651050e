//! The queues that are put to the stall test.

use std::ptr;
use std::sync::PoisonError;

use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use zero_pool_shuttle::batch::{Batch, Plan, Work};
use zero_pool_shuttle::grain::Grain;
use zero_pool_shuttle::idle::Announced;
use zero_pool_shuttle::injector::Injector;
use zero_pool_shuttle::unwind::Payload;
use zero_pool_shuttle::worker::participate;

use super::Operation;

/// A queue of tasks.
pub trait Fifo: Send + Sync + Sized + 'static {
    /// Makes one with what the operation of a victim needs.
    fn prepared(operation: Operation) -> Self;

    /// Submits a task.
    fn submit(&self);

    /// Claims a task and completes it; false if there seems to be none.
    fn run_one(&self) -> bool;

    /// Does an operation. `begin` and `end` are called around what may be interrupted.
    fn operate(&self, operation: Operation, begin: fn(), end: fn());
}

/// The queue of the crate, with two parked workers who are woken and do not come.
pub struct Injected {
    injector: Injector,
    workers: Mutex<Vec<Announced>>,
}

// SAFETY: the workers do not park any more when the queue is dropped, by whoever it is.
unsafe impl Send for Injected {}
// SAFETY: the injector may be shared, and the workers are behind a lock.
unsafe impl Sync for Injected {}

/// Makes a batch of one task that does nothing.
fn batch() -> Box<Batch> {
    unsafe fn nothing(_: *const (), _: std::ops::Range<usize>) -> Option<Payload> {
        None
    }
    let plan = Plan { tasks: 1, threads: 2, helpers: 1, grain: Grain::SINGLE };
    // SAFETY: the task touches nothing.
    unsafe { Batch::new(Work { run: nothing, context: ptr::null() }, plan) }
}

impl Fifo for Injected {
    fn prepared(operation: Operation) -> Self {
        let injector = Injector::new(2);
        // SAFETY: each seat is taken once.
        let seats = [0, 1].map(|worker| unsafe { injector.seat(worker) });
        let park = |seat| injector.announce(seat, None).expect("it is open");
        let workers = Mutex::new(seats.map(park).into());
        let queue = Self { injector, workers };
        match operation {
            Operation::Claim => queue.submit(),
            Operation::Unlink => {
                // What was run here is exhausted, and stays at the head.
                queue.submit();
                assert!(queue.run_one());
                queue.submit();
            }
            Operation::Submit | Operation::Complete | Operation::Release => {}
        }
        queue
    }

    fn submit(&self) {
        self.injector.release(self.injector.publish(batch()));
    }

    fn run_one(&self) -> bool {
        let claim = self.injector.take();
        let found = claim.is_some();
        claim.into_iter().for_each(|claim| participate(&self.injector, claim));
        found
    }

    fn operate(&self, operation: Operation, begin: fn(), end: fn()) {
        match operation {
            Operation::Submit => {
                begin();
                let handle = self.injector.publish(batch());
                end();
                self.injector.release(handle);
            }
            Operation::Claim | Operation::Unlink => {
                begin();
                let claim = self.injector.take();
                end();
                claim.into_iter().for_each(|claim| participate(&self.injector, claim));
            }
            Operation::Complete => {
                self.submit();
                let Some(mut claim) = self.injector.take() else { return };
                claim.run();
                begin();
                self.injector.complete(claim);
                end();
            }
            Operation::Release => {
                let handle = self.injector.publish(batch());
                begin();
                self.injector.release(handle);
                end();
            }
        }
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        while self.run_one() {}
        self.injector.close();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        workers.into_iter().for_each(|worker| _ = self.injector.sleep(worker));
    }
}

/// A list that swaps its tail first and links afterwards (Vyukov; zero-pool 0.4 and 0.9). Nothing is unlinked.
pub struct SwapThenLink {
    first: *mut Link,
    tail: AtomicPtr<Link>,
}

struct Link {
    next: AtomicPtr<Link>,
    taken: AtomicBool,
}

impl Link {
    fn leak(taken: bool) -> *mut Self {
        Box::into_raw(Box::new(Self { next: AtomicPtr::new(ptr::null_mut()), taken: AtomicBool::new(taken) }))
    }
}

// SAFETY: links are freed with the list, and everything in them is atomic.
unsafe impl Send for SwapThenLink {}
// SAFETY: as above.
unsafe impl Sync for SwapThenLink {}

impl Fifo for SwapThenLink {
    fn prepared(_: Operation) -> Self {
        let first = Link::leak(true);
        Self { first, tail: AtomicPtr::new(first) }
    }

    fn submit(&self) {
        let link = Link::leak(false);
        let before = self.tail.swap(link, Ordering::AcqRel);
        // SAFETY: links live as long as the list. Who stops right here hides all that come later.
        unsafe { &*before }.next.store(link, Ordering::Release);
    }

    fn run_one(&self) -> bool {
        let mut at = self.first;
        // SAFETY: links live as long as the list.
        while let Some(link) = unsafe { at.as_ref() } {
            if !link.taken.load(Ordering::Acquire) && !link.taken.swap(true, Ordering::AcqRel) {
                return true;
            }
            at = link.next.load(Ordering::Acquire);
        }
        false
    }

    fn operate(&self, _: Operation, begin: fn(), end: fn()) {
        begin();
        self.submit();
        end();
    }
}

impl Drop for SwapThenLink {
    fn drop(&mut self) {
        let mut at = self.first;
        while !at.is_null() {
            // SAFETY: made by `leak`, and nobody is left to see it.
            let link = unsafe { Box::from_raw(at) };
            at = link.next.load(Ordering::Relaxed);
        }
    }
}

/// A count under a lock.
pub struct Locked(Mutex<usize>);

impl Fifo for Locked {
    fn prepared(_: Operation) -> Self {
        Self(Mutex::new(0))
    }

    fn submit(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn run_one(&self) -> bool {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = *tasks > 0;
        *tasks -= usize::from(found);
        found
    }

    fn operate(&self, _: Operation, begin: fn(), end: fn()) {
        begin();
        self.submit();
        end();
    }
}
