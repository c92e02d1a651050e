//! The `shuttle` side of the door.
//!
//! shuttle runs threads as coroutines on one thread of the system and switches before every atomic access, in any order
//! that its scheduler asks for. So each execution is sequentially consistent: orderings mean nothing here, and a fence,
//! which could only forbid what cannot happen anyway, is no step at all.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is the door they come through")]

use std::marker::PhantomData;
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};

pub use shuttle::sync::{Arc, Mutex, MutexGuard, atomic};

/// Threads, and how many of them the machine has room for.
pub mod thread {
    pub use shuttle::thread::{Builder, JoinHandle};

    /// Nothing: any thread may run next whenever one could give way.
    pub const fn give_way() {}

    /// Nothing, as above.
    pub const fn nap() {}

    /// Does nothing: nobody sits out.
    pub const fn sit_out() {}

    /// Does nothing.
    pub const fn hasten(_: &JoinHandle<()>) {}

    /// Returns a number of threads with which everything that can happen does.
    pub const fn available_parallelism() -> usize {
        2
    }
}

/// Declares a variable of which each thread has its own.
macro_rules! each_thread {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr) => {
        ::shuttle::thread_local! { $(#[$meta])* static $name: $type = $init }
    };
}
pub(crate) use each_thread;

/// A cell entered by closure. Each entry is a step of its own, as an access to plain memory is no part of the atomic one
/// before it: in between, others may do what makes it come too late.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Hands `f` a pointer for reading; whoever reads through it must exclude writers for as long.
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        step();
        f(self.0.get())
    }

    /// Hands `f` a pointer for writing; whoever writes through it must exclude everybody else for as long.
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        step();
        f(self.0.get())
    }
}

/// Lets the scheduler choose who goes on.
fn step() {
    // shuttle knows no time: a sleep is a step that does nothing.
    shuttle::thread::sleep(Duration::ZERO);
}

/// Blocks the thread that made it until its [`Unparker`] is used. It stays on that thread.
///
/// shuttle's park has the token of `std`'s: one for each *thread*, shared with whoever else parks there. It may end for
/// no reason, and a program in which everybody waits for such an end counts as a deadlock.
#[derive(Debug)]
pub struct Parker {
    on_one_thread: PhantomData<*const ()>,
}

/// Ends one park of the thread that its [`Parker`] belongs to, now or in advance.
#[derive(Clone, Debug)]
pub struct Unparker(shuttle::thread::Thread);

impl Parker {
    /// Makes the parker of the current thread.
    pub fn new() -> Self {
        Self { on_one_thread: PhantomData }
    }

    /// Blocks until an unpark, past or future, and may return for no reason.
    pub fn park(&self) {
        shuttle::thread::park();
    }

    /// Returns at once or when others have had their turn, with the token if it is there by then. A time without end is
    /// a plain park.
    pub fn park_timeout(&self, timeout: Duration) {
        if timeout == Duration::MAX {
            return self.park();
        }
        if thread_rng().r#gen() {
            shuttle::thread::yield_now();
        }
        // With the token set, a park takes it and does not block. To set it ourselves changes nothing else.
        shuttle::thread::current().unpark();
        shuttle::thread::park();
    }

    /// Returns the other end.
    pub fn unparker(&self) -> Unparker {
        Unparker(shuttle::thread::current())
    }
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl Unparker {
    /// Makes one park return.
    pub fn unpark(&self) {
        self.0.unpark();
    }
}

/// A moment up to which a timed wait may last: after some of the looks at it, it has passed.
#[derive(Debug)]
pub struct Deadline {
    left: Option<Duration>,
}

impl Deadline {
    /// Sets a deadline; one without end never passes.
    pub fn after(timeout: Duration) -> Self {
        Self { left: (!timeout.is_zero()).then_some(timeout) }
    }

    /// Returns the time left, or `None` once the deadline has passed.
    pub fn remaining(&mut self) -> Option<Duration> {
        let left = self.left?;
        if left != Duration::MAX && thread_rng().r#gen() {
            self.left = None;
        }
        self.left
    }
}

/// Does nothing: there are no caches.
pub const fn prefetch<T>(_link: &atomic::AtomicPtr<T>) {}

/// A stopwatch that shows what the schedule's random numbers say: next to nothing, some microseconds, or a millisecond.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch;

impl Stopwatch {
    /// Starts it.
    pub const fn start() -> Self {
        Self
    }

    /// Returns a random time.
    pub fn nanos(&self) -> u64 {
        [50, 5_000, 1_000_000][thread_rng().gen_range(0..3)]
    }
}

/// Something that must be dropped before the execution ends.
#[derive(Debug)]
pub struct Track<T>(T);

impl<T> Track<T> {
    /// Begins to watch `value`.
    pub fn new(value: T) -> Self {
        ALIVE.0.set(ALIVE.0.get() + 1);
        Self(value)
    }
}

impl<T> Drop for Track<T> {
    fn drop(&mut self) {
        ALIVE.0.set(ALIVE.0.get() - 1);
    }
}

/// How many are alive.
#[derive(Default)]
struct Alive(std::cell::Cell<usize>);

// SAFETY: shuttle runs every thread of an execution on one thread of the system.
unsafe impl Sync for Alive {}

shuttle::lazy_static! {
    /// Made anew in each execution, and dropped at its end.
    static ref ALIVE: Alive = Alive::default();
}

impl Drop for Alive {
    fn drop(&mut self) {
        assert_eq!(self.0.get(), 0, "Allocation leaked");
    }
}
