//! An allocator that counts, when it is asked to.
//!
//! A benchmark binary names [`Counting`] its global allocator. While nobody counts, an allocation costs one relaxed load
//! more than the system's, so that the timed rows of the same binary are left alone. While somebody does, every thread
//! counts into the same words: what is counted is what the process allocates, whichever of a pool's threads does it.
//!
//! Libraries in C++ have an allocator of their own, which nobody counts.

use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, which counts while [`count`] or [`LiveBytes`] asks it to.
#[derive(Debug)]
pub struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);

fn note(calls: u64, bytes: i64) {
    // A figure is read when the threads that count are known to be done: all three are statistics, and order nothing.
    if ON.load(Ordering::Relaxed) {
        CALLS.fetch_add(calls, Ordering::Relaxed);
        LIVE.fetch_add(bytes, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        // SAFETY: owed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, -(layout.size() as i64));
        // SAFETY: owed by the caller.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        // SAFETY: owed by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size as i64 - layout.size() as i64);
        // SAFETY: owed by the caller.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Returns how many allocations `body` and whatever runs beside it made.
pub fn count(body: impl FnOnce()) -> u64 {
    let before = CALLS.load(Ordering::Relaxed);
    ON.store(true, Ordering::Relaxed);
    body();
    ON.store(false, Ordering::Relaxed);
    CALLS.load(Ordering::Relaxed) - before
}

/// Follows the number of bytes that are allocated, from where it is made to where it is dropped.
#[derive(Debug)]
pub struct LiveBytes(());

impl LiveBytes {
    /// Begins at zero; what was allocated before counts when it is freed.
    pub fn follow() -> Self {
        LIVE.store(0, Ordering::Relaxed);
        ON.store(true, Ordering::Relaxed);
        Self(())
    }

    /// Returns by how many bytes the allocated memory has grown.
    pub fn grown(&self) -> i64 {
        LIVE.load(Ordering::Relaxed)
    }
}

impl Drop for LiveBytes {
    fn drop(&mut self) {
        ON.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    /// One test for both, as what is counted is the process's. Other tests may allocate meanwhile, so there are many here.
    #[test]
    fn allocations_and_bytes_are_counted() {
        const MANY: usize = 100_000;
        let mut boxes = Vec::with_capacity(MANY);
        let live = LiveBytes::follow();
        boxes.extend((0..MANY).map(|i| Box::new([i; 8])));
        let grown = live.grown() as usize;
        drop(live);
        assert!((64 * MANY..65 * MANY).contains(&grown), "{grown}");
        let allocations = count(|| boxes = boxes.to_vec()) as usize;
        assert!((MANY..MANY + MANY / 10).contains(&allocations), "{allocations}");
    }
}
