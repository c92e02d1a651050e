//! The door to every synchronisation primitive: `std` in a build, `loom` in a model, `shuttle` in a larger world.
//!
//! Nothing else in the crate names `std::sync` or `std::thread` (`clippy.toml` refuses it). The sides export the same
//! names with the same meaning; the door renames and never invents, or the models would check another program than
//! the one that ships.
//!
//! | item | `std` side | `loom` side | `shuttle` side |
//! |---|---|---|---|
//! | [`atomic`], [`Arc`], [`Mutex`] | `std` | `loom` | `shuttle`; its `Arc` is `std`'s |
//! | [`thread`], `each_thread!` | `std` | `loom`; two threads at once | `shuttle`; two threads at once |
//! | `thread::give_way`, `thread::nap` | `yield_now`, a sleep of a microsecond | nothing | nothing |
//! | `thread::sit_out`, `thread::hasten` | a timed park of a millisecond, `unpark` | nothing | nothing |
//! | [`prefetch`] | a hint to the processor | nothing | nothing |
//! | [`TURNS`] | 16 | none | 1 |
//! | [`PerProcess`] | the value, and another one in a forked child | the value: nobody forks | the value |
//! | [`UnsafeCell`] | `core`'s, entered by closure | `loom`'s, which reports unordered accesses | `core`'s; each entry is a step |
//! | [`Parker`], [`Unparker`] | `std::thread::park` | a token under `Mutex` and `Condvar` | `shuttle::thread::park` |
//! | [`Deadline`] | `Instant` | passes after one timed park | passes after a random number of looks |
//! | [`Stopwatch`] | `Instant` | all takes a millisecond | a random time |
//! | `Track` | | `loom`'s, which reports leaks | a count that must be zero in the end |
//!
//! **loom's parker is the one exception to renaming.** loom's own `park` hides races: its `unpark` is no schedule
//! point and hands its causality even to a running thread. A token under a lock has the semantics that std
//! documents, *`unpark` before `park` makes `park` return at once, and a park may end for no reason*, and every
//! step of it is a schedule point.
//!
//! **A timed park may return early.** The callers must therefore look again, and the models use this: in loom's it
//! returns at once when no token is there, which is the expiry, and with the token when the wake-up came first; in
//! shuttle's a random choice lets others go first. Both ends are explored, as neither knows time.

#[cfg(loom)]
mod loom;
#[cfg(shuttle)]
mod shuttle;
#[cfg(not(any(loom, shuttle)))]
mod std;

#[cfg(loom)]
use self::loom as imp;
#[cfg(shuttle)]
use self::shuttle as imp;
#[cfg(not(any(loom, shuttle)))]
use self::std as imp;

#[cfg(not(any(loom, shuttle)))]
pub use imp::OnceLock;
#[cfg(not(any(loom, shuttle)))]
pub use imp::PerProcess;
#[cfg(any(loom, shuttle))]
pub use imp::Track;
pub(crate) use imp::each_thread;
pub use imp::{
    Arc, Deadline, Mutex, MutexGuard, Parker, Stopwatch, Unparker, UnsafeCell, atomic, prefetch, thread,
};

/// Names the side that was compiled in, for test drivers that refuse to run on the wrong one.
pub const BACKEND: &str = if cfg!(loom) {
    "loom"
} else if cfg!(shuttle) {
    "shuttle"
} else {
    "std"
};

/// How often a thread gives its processor away before it asks the system for a sleep: about 8 us if nobody wants it,
/// which is what a wake costs its waker. Under loom a turn would be one more look.
pub const TURNS: u32 = if cfg!(loom) {
    0
} else if cfg!(shuttle) {
    1
} else {
    16
};

/// The value alone: nobody forks.
#[cfg(any(loom, shuttle))]
#[derive(Debug)]
pub struct PerProcess<T>(T);

#[cfg(any(loom, shuttle))]
impl<T> PerProcess<T> {
    /// Makes the value.
    pub fn new(make: fn(u32) -> T) -> Self {
        Self(make(0))
    }

    /// Returns the value.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

/// Locks `mutex` whether or not a thread panicked while it held it.
///
/// No lock of this crate is held while foreign code runs, so a poisoned one still guards consistent data.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
