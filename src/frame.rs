//! What a thread is running: a stack of the participations that it is inside of.
//!
//! A task may wait for another batch, whose tasks its thread then runs, and so on. Three questions are asked about such a
//! thread, and all are answered by a list through its own stack, which no other thread sees:
//!
//! - *Is it inside a task of this batch?* Then it must not wait for that batch, as it would wait for itself.
//! - *Is it inside a task of this pool?* Then it must not join the pool's workers, as it may be one of them, or one may
//!   wait for it.
//! - *Which batch is it inside of?* A lent job asks this ([`pending`](crate::pending)).
//!
//! ```text
//!   TOP ──▶ [pool P, batch C] ──▶ [pool Q, batch B] ──▶ [pool P, batch A] ──▶ null
//!           what runs now          waits for C           waits for B
//! ```
//!
//! # Invariants
//!
//! - `F1`  *As long as the call.* A frame is in the list of its thread while [`enter`] runs its body, and no longer, also
//!   when that unwinds.
//!
//! # Progress
//!
//! Entering costs two writes to memory of the thread's own; asking costs a step per nested participation.
//!
//! # Alternatives turned down
//!
//! *A number of the worker in a thread-local*: a task may run on a thread that waits, which is no worker, and on a
//! worker of another pool.
//!
//! Checked by: the unit tests below.

use core::cell::Cell;
use core::ptr;

use crate::sync::each_thread;

/// One participation of the current thread.
#[derive(Debug)]
struct Frame {
    pool: *const (),
    batch: *const (),
    below: *const Frame,
}

each_thread! {
    /// The innermost frame.
    static TOP: Cell<*const Frame> = Cell::new(ptr::null())
}

/// Puts the frame below back when the one above ends.
struct Leave(*const Frame);

impl Drop for Leave {
    fn drop(&mut self) {
        TOP.with(|top| top.set(self.0));
    }
}

/// Runs `body` as part of `batch`, which belongs to `pool`.
#[inline]
pub fn enter<P, B, R>(pool: &P, batch: *const B, body: impl FnOnce() -> R) -> R {
    let below = TOP.with(Cell::get);
    let frame = Frame { pool: ptr::from_ref(pool).cast(), batch: batch.cast(), below };
    // F1: declared after the frame, so it goes before.
    let _leave = Leave(below);
    TOP.with(|top| top.set(&raw const frame));
    body()
}

/// Returns the batch of the innermost participation, by the pointer that it was entered with; null if there is none.
pub fn innermost<B>() -> *const B {
    let top = TOP.with(Cell::get);
    // SAFETY: F1: the frame lies further up this thread's stack, in a call of `enter` that has not ended.
    unsafe { top.as_ref() }.map_or(ptr::null(), |frame| frame.batch.cast())
}

/// Tells whether the current thread is inside a task of `batch`.
pub fn is_inside_batch<B>(batch: *const B) -> bool {
    any(|frame| frame.batch == batch.cast())
}

/// Tells whether the current thread is inside a task of `pool`.
pub fn is_inside_pool<P>(pool: &P) -> bool {
    any(|frame| frame.pool == ptr::from_ref(pool).cast())
}

fn any(mut wanted: impl FnMut(&Frame) -> bool) -> bool {
    let mut at = TOP.with(Cell::get);
    while !at.is_null() {
        // SAFETY: F1: the frame lies further up this thread's stack, in a call of `enter` that has not ended.
        let frame = unsafe { &*at };
        if wanted(frame) {
            return true;
        }
        at = frame.below;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn f1_frames_nest_and_end_with_their_call() {
        let (pools, batches) = ([1_u8, 2], [1_u16, 2]);
        let inside = || {
            (
                pools.each_ref().map(is_inside_pool),
                batches.each_ref().map(|batch| is_inside_batch(ptr::from_ref(batch))),
            )
        };
        assert_eq!(inside(), ([false, false], [false, false]));
        enter(&pools[0], &raw const batches[0], || {
            assert_eq!(inside(), ([true, false], [true, false]));
            enter(&pools[1], &raw const batches[1], || assert_eq!(inside(), ([true, true], [true, true])));
            assert_eq!(inside(), ([true, false], [true, false]));
            assert_eq!(innermost(), &raw const batches[0]);
        });
        assert_eq!(inside(), ([false, false], [false, false]));
        assert!(innermost::<u16>().is_null());
    }

    #[test]
    fn f1_a_frame_ends_when_its_body_unwinds() {
        let ended = catch_unwind(|| enter(&1_u8, ptr::null::<u8>(), || panic!("the body unwinds")));
        assert!(ended.is_err());
        assert!(!any(|_| true), "no frame is left");
    }

    #[test]
    fn f1_other_threads_are_outside() {
        let pool = 1_u8;
        enter(&pool, ptr::null::<u8>(), || {
            std::thread::scope(|threads| {
                threads.spawn(|| assert!(!is_inside_pool(&pool)));
            });
        });
    }
}
