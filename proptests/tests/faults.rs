//! Faults by name: what the predecessor, its successors and other pools got wrong, and what ours must not.
//!
//! Each test is one story with one end, and each has a deadline, as most of these faults are hangs. They are sorted by
//! where the story ends:
//!
//! | file | the fault would be |
//! |---|---|
//! | [`panics`] | a panic that hangs its waiter, kills a worker, or is lost |
//! | [`waits`] | a wait that never ends, or ends too early |
//! | [`ends`] | a task that is lost when its pool goes, or a pool that cannot go |
//! | [`costs`] | memory that leaks away |
//! | `system` | threads or processor time that leak away |
//!
//! Where a story needs a certain order of events, its tasks wait for a [`Signal`] that is given outside of them; never
//! for time to pass, unless time would only hide the fault.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use zero_pool::{TaskFuture, ZeroPool};

#[path = "faults/costs.rs"]
mod costs;
#[path = "faults/ends.rs"]
mod ends;
#[path = "faults/panics.rs"]
mod panics;
#[cfg(target_os = "linux")]
#[path = "faults/system.rs"]
mod system;
#[path = "faults/waits.rs"]
mod waits;

/// Long beyond what any of these takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Given once, and waited for by as many as like.
#[derive(Debug, Default)]
struct Signal {
    given: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    const fn new() -> Self {
        Self { given: Mutex::new(false), changed: Condvar::new() }
    }

    fn give(&self) {
        *self.given.lock().expect("nobody panics under the lock") = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let given = self.given.lock().expect("nobody panics under the lock");
        drop(self.changed.wait_while(given, |given| !*given));
    }

    /// Gives the signal at the latest when the result is dropped: a test that fails must not hang, since the futures that
    /// it drops wait for their tasks.
    fn at_the_latest(&self) -> Latest<'_> {
        Latest(self)
    }
}

struct Latest<'a>(&'a Signal);

impl Drop for Latest<'_> {
    fn drop(&mut self) {
        self.0.give();
    }
}

/// A task that begins, and goes on when it is told to.
#[derive(Debug, Default)]
struct Gate {
    begun: Signal,
    go: Signal,
}

impl Gate {
    const fn new() -> Self {
        Self { begun: Signal::new(), go: Signal::new() }
    }

    fn run(&self) {
        self.begun.give();
        self.go.wait();
    }

    /// Keeps a worker busy until the result is dropped.
    fn occupy<'a>(&'a self, pool: &ZeroPool) -> Occupied<'a> {
        let future = pool.submit_task(Self::run, self);
        self.begun.wait();
        Occupied { gate: self, _future: future }
    }
}

/// A busy worker. Dropping it waits until the worker has ended the task.
struct Occupied<'a> {
    gate: &'a Gate,
    _future: TaskFuture<'a>,
}

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        self.gate.go.give();
    }
}

/// What a panic said.
fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).expect("it is a message")
}

/// Counts the bytes that this process has allocated.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

/// How many bytes are allocated now.
fn live() -> isize {
    LIVE.load(Ordering::Relaxed)
}

fn count(bytes: usize, sign: isize) {
    LIVE.fetch_add(sign * bytes as isize, Ordering::Relaxed);
}

// SAFETY: everything is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: passed on to the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: passed on to the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: passed on to the caller.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(size, 1);
        // SAFETY: passed on to the caller.
        unsafe { System.realloc(block, layout, size) }
    }
}
