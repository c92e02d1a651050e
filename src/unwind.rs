//! Panics of foreign code: caught where it is called, kept where somebody waits for them, dropped without harm.
//!
//! A chunk of tasks runs under one `catch_unwind`, since one per task would cost more than a small task. A task that
//! panics must not take the rest of its chunk along, so the loop's position lives outside and the chunk goes on at
//! the task after.
//!
//! # Invariants
//!
//! - `X1`  *Every task is started once*, whatever panicked before it.
//! - `X2`  *The first payload of a chunk is kept*, whole; the others are dropped.
//! - `X3`  *A payload that panics when it is dropped harms nobody*: that panic is caught, and what it threw in turn
//!   is leaked, as nothing says that it ends.
//!
//! With `panic = "abort"` nothing is caught and nothing here is reached.
//!
//! Checked by: the unit tests below, `x1_*` in `loom_tests`.

use core::any::Any;
use core::ops::Range;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// What a panic threw.
pub type Payload = Box<dyn Any + Send + 'static>;

/// Runs `task` for every index of `range`, in order; returns the first panic's payload.
///
/// Unwind safety is the caller's: what a task leaves half done is visible to whoever looks at it later.
#[inline]
pub fn run_each(range: Range<usize>, mut task: impl FnMut(usize)) -> Option<Payload> {
    let mut from = range.start;
    let mut first = None;
    loop {
        let chunk = AssertUnwindSafe(|| {
            let mut position = Position { next: from, after_panic: &mut from };
            while position.next < range.end {
                let index = position.next;
                position.next += 1;
                task(index);
            }
            core::mem::forget(position);
        });
        match catch_unwind(chunk) {
            Ok(()) => return first,
            Err(payload) => keep_first(&mut first, Some(payload)),
        }
    }
}

/// Where a chunk is: a local variable of its loop, which leaves it for the next loop only when a task unwinds. A position
/// that lived outside would be written to memory for each task.
struct Position<'a> {
    next: usize,
    after_panic: &'a mut usize,
}

impl Drop for Position<'_> {
    fn drop(&mut self) {
        *self.after_panic = self.next;
    }
}

/// Runs foreign code; returns what it returned, or its panic's payload.
#[inline]
pub fn catch<T>(foreign: impl FnOnce() -> T) -> Result<T, Payload> {
    catch_unwind(AssertUnwindSafe(foreign))
}

/// Runs foreign code whose panic concerns nobody: a waker, a handler, a drop.
pub fn quietly(foreign: impl FnOnce()) {
    if let Err(payload) = catch(foreign) {
        discard(payload);
    }
}

/// Drops a payload, which may itself panic (X3).
#[cold]
pub fn discard(payload: Payload) {
    if let Err(thrown_by_drop) = catch(|| drop(payload)) {
        core::mem::forget(thrown_by_drop);
    }
}

/// Keeps `payload` if it is the first, and drops it otherwise (X2).
pub fn keep_first(first: &mut Option<Payload>, payload: Option<Payload>) {
    match payload {
        Some(payload) if first.is_some() => discard(payload),
        Some(payload) => *first = Some(payload),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::panic_any;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any("the payload of a payload");
        }
    }

    #[test]
    fn x1_each_task_starts_once_whatever_panics() {
        let mut started = vec![0; 9];
        let payload = run_each(2..9, |i| {
            started[i] += 1;
            assert!(i % 3 != 0, "task {i}");
        });
        assert_eq!(started, [0, 0, 1, 1, 1, 1, 1, 1, 1]);
        let payload = payload.expect("tasks 3 and 6 panicked");
        assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("task 3"));
    }

    #[test]
    fn x2_the_first_payload_is_kept() {
        let payload = run_each(0..3, |i| panic_any(i)).expect("three tasks panicked");
        assert_eq!(payload.downcast_ref(), Some(&0_usize));
    }

    #[test]
    fn x2_an_empty_range_runs_nothing() {
        assert!(run_each(5..5, |_| unreachable!("nothing to run")).is_none());
        assert!(run_each(usize::MAX..usize::MAX, |_| unreachable!("nothing to run")).is_none());
    }

    #[test]
    fn x2_the_last_index_ends_the_range() {
        let mut seen = Vec::new();
        assert!(run_each(usize::MAX - 2..usize::MAX, |i| seen.push(i)).is_none());
        assert_eq!(seen, [usize::MAX - 2, usize::MAX - 1]);
    }

    #[test]
    fn x3_payloads_that_panic_when_dropped_harm_nobody() {
        let first = run_each(0..3, |_| panic_any(Bomb));
        discard(first.expect("three tasks panicked"));
        quietly(|| panic_any(Bomb));
    }
}
