//! Handles that many threads put down and one thread takes up: a stack that is only ever taken as a whole.
//!
//! A scope's tasks may spawn more, on any thread, and who ends the scope waits for all of them. The pile keeps their handles
//! without an allocation, each linked to the one below through its batch. As nobody pops a single one, there is no ABA.
//!
//! ```text
//!   top ──▶ [batch 3] ─below─▶ [batch 2] ─below─▶ [batch 1] ─below─▶ null
//! ```
//!
//! # Invariants
//!
//! - `B7`  *Nothing is forgotten.* Each handle that was put down is taken up once, by a take that comes after it.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | put, CAS | Release | `[B-pile]` the link and the batch, for who takes |
//! | take, swap | Acquire | `[B-pile]` other side: every put is a read-modify-write, so that the last one carries all |
//! | put, load and failure | Relaxed | the value is only compared and stored |
//!
//! Checked by: `b7_*` in `loom_tests`.

use core::ptr::{self, NonNull};

use super::{Batch, Handle};
use crate::sync::atomic::{AtomicPtr, Ordering};

/// Handles to be waited for.
#[derive(Debug)]
pub struct Pile {
    top: AtomicPtr<Batch>,
}

impl Pile {
    /// Makes an empty pile.
    #[allow(clippy::new_without_default, reason = "a pile is made in one place")]
    pub fn new() -> Self {
        Self { top: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Puts a handle down.
    pub fn put(&self, handle: Handle) {
        let batch = handle.into_raw();
        // ORDERING: Relaxed; only compared and stored.
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            // SAFETY: N1: the handle's hold keeps the batch, and the pile has the handle now.
            let below = unsafe { &batch.as_ref().below };
            // SAFETY: nobody else has the handle until the CAS succeeds.
            below.with_mut(|below| unsafe { *below = top });
            // ORDERING: Release; pairs with the swap in `take` [B-pile]. A failure only brings the value to try next.
            match self.top.compare_exchange_weak(top, batch.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Takes all handles up that lie there now, the newest first.
    pub fn take(&self) -> Taken {
        // ORDERING: Acquire; pairs with the CAS in `put` [B-pile].
        Taken { next: self.top.swap(ptr::null_mut(), Ordering::Acquire) }
    }
}

/// Handles that were taken up together.
#[must_use = "what is not taken out is never released"]
#[derive(Debug)]
pub struct Taken {
    next: *mut Batch,
}

impl Iterator for Taken {
    type Item = Handle;

    fn next(&mut self) -> Option<Handle> {
        let batch = NonNull::new(self.next)?;
        // SAFETY: N1: the handle in the pile keeps the batch.
        let below = unsafe { &batch.as_ref().below };
        // SAFETY: written before the put that we acquired, and not since.
        self.next = below.with(|below| unsafe { *below });
        // SAFETY: B7: put down once and taken up once.
        Some(unsafe { Handle::from_raw(batch) })
    }
}
