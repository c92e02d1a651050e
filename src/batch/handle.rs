//! The hold of who made a batch.

use core::borrow::Borrow;
use core::ptr::NonNull;

use super::{Batch, Claim, Home, depot};
use crate::latch::Hold;
use crate::reclaim::Guard;
use crate::sync::atomic::Ordering;
use crate::unwind::{self, Payload};

/// What became of a batch's tasks, for one waiter.
#[derive(Debug)]
pub enum Outcome {
    /// None panicked.
    Done,
    /// One panicked first, with this.
    Panicked(Payload),
    /// One panicked, and its payload was given out before.
    PanicTaken,
}

/// The hold of who made a batch, and the way to wait for it, to take part in it, and to learn its outcome. Its clones
/// share the hold, which the last of them releases.
#[must_use = "a handle is released"]
#[derive(Debug)]
pub struct Handle {
    batch: NonNull<Batch>,
}

// SAFETY: a handle is a shared reference to a batch, kept valid by its hold.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Takes the handle's hold.
    ///
    /// # Safety
    ///
    /// - `batch` is valid, and this is its first handle.
    pub unsafe fn new(batch: NonNull<Batch>) -> Self {
        Self { batch }
    }

    /// Turns the handle into a pointer that keeps its hold.
    pub(super) fn into_raw(self) -> NonNull<Batch> {
        self.batch
    }

    /// Turns such a pointer back.
    ///
    /// # Safety
    ///
    /// - `batch` came from [`into_raw`](Self::into_raw), and this is its only use.
    pub(super) unsafe fn from_raw(batch: NonNull<Batch>) -> Self {
        Self { batch }
    }

    /// Returns the batch.
    pub fn batch(&self) -> &Batch {
        // SAFETY: N1: our hold keeps the node.
        let batch = unsafe { self.batch.as_ref() };
        batch.canary.touch();
        batch
    }

    /// Returns the home of a batch that was made by one.
    pub fn home(&self) -> &Home {
        self.batch().home().expect("H1: the node has a home")
    }

    /// Returns the number of the batch in its queue.
    pub fn place(&self) -> u32 {
        // SAFETY: written before the batch was linked, and handles are given out after that.
        self.batch().place.with(|place| unsafe { *place })
    }

    /// Claims a range of the caller's own batch if it admits one more, who is counted from now on.
    pub fn join(&self) -> Option<Claim> {
        self.batch().join()
    }

    /// Claims a range of the caller's own batch; takes part without being counted.
    pub fn claim(&self) -> Option<Claim> {
        let batch = self.batch();
        batch.claim_more(None).map(|range| Claim::of(batch, range))
    }

    /// Returns what became of the tasks, which are finished.
    pub fn outcome(&self) -> Outcome {
        // Only a slot that is not empty is written, or a later waiter would take `TAKEN` for a panic.
        if self.batch().has_no_panic() {
            return Outcome::Done;
        }
        match self.batch().take_panic() {
            (Some(payload), _) => Outcome::Panicked(payload),
            (None, _) => Outcome::PanicTaken,
        }
    }

    /// Takes the payload of the first panic out of the finished batch, for a caller that shares its handle with nobody.
    pub fn payload(&self) -> Option<Payload> {
        match self.outcome() {
            Outcome::Panicked(payload) => Some(payload),
            Outcome::Done => None,
            // Or who reads a result would take a panic for the end of a task.
            Outcome::PanicTaken => unreachable!("B5: nobody else takes it"),
        }
    }

    /// Parts from the other clones; returns the handle again if it was the last of them (B6).
    pub fn part(self) -> Option<Self> {
        let handles = &self.batch().handles;
        // ORDERING: Acquire; pairs with the subtraction of other clones [B-part]. A sole handle is cloned by nobody else.
        if handles.load(Ordering::Acquire) == 1 {
            return Some(self);
        }
        // ORDERING: AcqRel. Release: our accesses come before; pairs with the Acquire of the last one, here or in the
        // load above [B-part].
        (handles.fetch_sub(1, Ordering::AcqRel) == 1).then_some(self)
    }

    /// Gives the last handle up. A payload that nobody took is dropped, now or when it comes (B5). `guard` is asked for if the node
    /// has no home.
    pub(super) fn release<G: Borrow<Guard>>(self, guard: impl FnOnce() -> G) {
        let batch = self.batch();
        if !batch.has_no_panic() {
            let (payload, _) = batch.take_panic();
            if let Some(payload) = payload {
                unwind::discard(payload);
            }
        }
        if batch.latch.release(Hold::Handle).last {
            // N2: the release was the last.
            depot::give_up(self.batch, guard);
        }
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        // ORDERING: Relaxed; we have a handle, so the count is not zero, and the new one is handed over by other means.
        let handles = &self.batch().handles;
        let before = handles.fetch_add(1, Ordering::Relaxed);
        if before >= u32::MAX / 2 {
            // B6: or who catches the panic and tries again would count them round.
            // ORDERING: Relaxed; as above.
            handles.fetch_sub(1, Ordering::Relaxed);
            panic!("B6: too many clones of one handle");
        }
        Self { batch: self.batch }
    }
}
