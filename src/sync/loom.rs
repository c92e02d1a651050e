//! The `loom` side of the door.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is the door they come through")]

use std::time::Duration;

pub use loom::alloc::Track;
pub use loom::cell::UnsafeCell;
pub use loom::sync::{Arc, Mutex, MutexGuard, atomic};

/// Threads, and how many of them the machine has room for.
pub mod thread {
    pub use loom::thread::{Builder, JoinHandle};

    /// Nothing: any thread may run next whenever one could give way, and loom's own `yield_now` would rule schedules out.
    pub const fn give_way() {}

    /// Nothing, as above.
    pub const fn nap() {}

    /// Does nothing: nobody sits out.
    pub const fn sit_out() {}

    /// Does nothing.
    pub const fn hasten(_: &JoinHandle<()>) {}

    /// Returns a number of threads that a model can explore.
    pub const fn available_parallelism() -> usize {
        2
    }
}

/// Declares a variable of which each thread has its own.
macro_rules! each_thread {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr) => {
        ::loom::thread_local! { $(#[$meta])* static $name: $type = $init }
    };
}
pub(crate) use each_thread;

#[derive(Debug)]
struct Token {
    set: Mutex<bool>,
    changed: loom::sync::Condvar,
}

/// Blocks the thread that made it until its [`Unparker`] is used.
#[derive(Debug)]
pub struct Parker(Arc<Token>);

/// Ends one park of the thread that its [`Parker`] belongs to, now or in advance.
#[derive(Clone, Debug)]
pub struct Unparker(Arc<Token>);

impl Parker {
    /// Makes the parker of the current thread.
    pub fn new() -> Self {
        Self(Arc::new(Token { set: Mutex::new(false), changed: loom::sync::Condvar::new() }))
    }

    /// Blocks until an unpark, past or future.
    pub fn park(&self) {
        let mut set = super::lock(&self.0.set);
        while !*set {
            set = self.0.changed.wait(set).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        *set = false;
    }

    /// Takes the token if it is there and returns at once: the timeout that came first.
    pub fn park_timeout(&self, _timeout: Duration) {
        *super::lock(&self.0.set) = false;
    }

    /// Returns the other end.
    pub fn unparker(&self) -> Unparker {
        Unparker(Arc::clone(&self.0))
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
        *super::lock(&self.0.set) = true;
        self.0.changed.notify_one();
    }
}

/// Does nothing: there are no caches.
pub const fn prefetch<T>(_link: &atomic::AtomicPtr<T>) {}

/// A stopwatch in a world without time: all takes a millisecond, so that nothing is known to be short.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch;

impl Stopwatch {
    /// Starts it.
    pub const fn start() -> Self {
        Self
    }

    /// Returns a millisecond.
    pub const fn nanos(&self) -> u64 {
        1_000_000
    }
}

/// A moment up to which a timed wait may last: it passes after the first look at it.
#[derive(Debug)]
pub struct Deadline {
    passed: bool,
}

impl Deadline {
    /// Sets a deadline that one timed park exhausts.
    pub fn after(timeout: Duration) -> Self {
        Self { passed: timeout.is_zero() }
    }

    /// Returns the time left, or `None` once the deadline has passed.
    pub fn remaining(&mut self) -> Option<Duration> {
        if self.passed {
            return None;
        }
        self.passed = true;
        Some(Duration::from_nanos(1))
    }
}
