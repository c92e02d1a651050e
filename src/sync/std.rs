//! The `std` side of the door.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is the door they come through")]

use std::marker::PhantomData;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Duration, Instant};

pub use std::sync::{Arc, Mutex, MutexGuard, OnceLock, atomic};

/// Threads, and how many of them the machine has room for.
pub mod thread {
    use std::time::Duration;

    pub use std::thread::{Builder, JoinHandle};

    /// Lets other threads have the processor, if there are any.
    pub fn give_way() {
        std::thread::yield_now();
    }

    /// Sleeps for as short as the system can: some 60 us on Linux.
    pub fn nap() {
        std::thread::sleep(Duration::from_micros(1));
    }

    /// Sleeps for a millisecond, or less if somebody [`hasten`]s the thread or has unparked it before.
    pub fn sit_out() {
        std::thread::park_timeout(Duration::from_millis(1));
    }

    /// Ends a thread's [`sit_out`], if it sits out or is about to.
    pub fn hasten(thread: &JoinHandle<()>) {
        thread.thread().unpark();
    }

    /// Returns how many threads can run at once, which heeds CPU quotas; 1 if the system does not tell.
    pub fn available_parallelism() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

/// Declares a variable of which each thread has its own; its first value is a constant.
macro_rules! each_thread {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $init:expr) => {
        ::std::thread_local! { $(#[$meta])* static $name: $type = const { $init } }
    };
}
pub(crate) use each_thread;

/// A value, and another one in each forked child: a lock in this one may be held there by a thread that the child does not have. So
/// there is none here, either. A child is known by its number.
#[derive(Debug)]
pub struct PerProcess<T> {
    value: T,
    process: u32,
    make: fn(u32) -> T,
    /// Null, or from a box.
    child: AtomicPtr<Self>,
}

// Who first asks in a child makes the value, and another thread may drop it.
impl<T: Send> PerProcess<T> {
    /// Makes the value of this process; `make` is told its number.
    pub fn new(make: fn(u32) -> T) -> Self {
        let process = process::id();
        Self { value: make(process), process, make, child: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Returns the value of this process.
    pub fn get(&self) -> &T {
        let process = process::id();
        let mut here = self;
        while here.process != process {
            here = here.child();
        }
        &here.value
    }

    #[cold]
    fn child(&self) -> &Self {
        // ORDERING: Acquire; pairs with the Release below.
        let mut child = self.child.load(Ordering::Acquire);
        if child.is_null() {
            let new = Box::into_raw(Box::new(Self::new(self.make)));
            // ORDERING: Release; what was made comes before its pointer, for the Acquire above and that of who comes too late.
            let set = self.child.compare_exchange(child, new, Ordering::Release, Ordering::Acquire);
            child = set.map_or_else(
                |first| {
                    // SAFETY: made above and stored nowhere.
                    drop(unsafe { Box::from_raw(new) });
                    first
                },
                |_| new,
            );
        }
        // SAFETY: it stays as long as we do.
        unsafe { &*child }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let child = *self.child.get_mut();
        if !child.is_null() {
            // SAFETY: from a box, and whoever sees it sees us.
            drop(unsafe { Box::from_raw(child) });
        }
    }
}

/// A cell entered by closure, so that the other side can see each access.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Hands `f` a pointer for reading; whoever reads through it must exclude writers for as long.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Hands `f` a pointer for writing; whoever writes through it must exclude everybody else for as long.
    #[inline(always)]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Blocks the thread that made it until its [`Unparker`] is used. It stays on that thread.
#[derive(Debug)]
pub struct Parker {
    on_one_thread: PhantomData<*const ()>,
}

/// Ends one park of the thread that its [`Parker`] belongs to, now or in advance.
#[derive(Clone, Debug)]
pub struct Unparker(std::thread::Thread);

impl Parker {
    /// Makes the parker of the current thread.
    pub fn new() -> Self {
        Self { on_one_thread: PhantomData }
    }

    /// Blocks until an unpark, past or future, and may return for no reason.
    pub fn park(&self) {
        std::thread::park();
    }

    /// Blocks like [`park`](Self::park), for `timeout` at most.
    pub fn park_timeout(&self, timeout: Duration) {
        std::thread::park_timeout(timeout);
    }

    /// Returns the other end.
    pub fn unparker(&self) -> Unparker {
        Unparker(std::thread::current())
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

/// Asks for the lines of what `link` leads to ahead of time, if it leads anywhere.
#[inline(always)]
pub fn prefetch<T>(link: &atomic::AtomicPtr<T>) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // ORDERING: Relaxed; nothing is read through it.
        let target = link.load(atomic::Ordering::Relaxed);
        if !target.is_null() {
            for line in 0..size_of::<T>().div_ceil(64) {
                // SAFETY: a hint, which reads no memory as far as the program can tell, whatever lies there.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(target.cast::<i8>().wrapping_add(64 * line)) };
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = link;
}

/// Measures time from its making on.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the nanoseconds since.
    pub fn nanos(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A moment up to which a timed wait may last.
#[derive(Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Sets the deadline `timeout` from now; a time beyond what the clock can count never comes.
    pub fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    /// Returns the time left, or `None` once the deadline has passed.
    pub fn remaining(&mut self) -> Option<Duration> {
        match self.0 {
            None => Some(Duration::MAX),
            Some(end) => end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l6_a_child_has_a_value_of_its_own() {
        let parents = PerProcess::new(Mutex::new);
        assert_eq!(*parents.get().lock().expect("nobody panics"), process::id());
        let mut inherited = parents;
        inherited.process = inherited.process.wrapping_add(1);
        let held = inherited.value.lock().expect("nobody panics");
        *inherited.get().try_lock().expect("L6: a thread of its parent has the lock") = 7;
        assert_eq!(*inherited.get().lock().expect("nobody panics"), 7, "L6: it has one value");
        assert_eq!(*held, process::id());
    }
}
