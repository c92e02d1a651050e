//! An allocator that counts, for tests that run in a process of their own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

#[derive(Debug)]
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// How many bytes are allocated now.
#[cfg(target_os = "linux")]
pub(crate) fn live() -> isize {
    LIVE.load(Ordering::Relaxed)
}

/// How many bytes were allocated at the most since the last call.
#[cfg(target_os = "linux")]
pub(crate) fn most() -> isize {
    MOST.swap(live(), Ordering::Relaxed)
}

/// How many allocations all threads have made so far.
#[cfg(target_os = "linux")]
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.load(Ordering::Relaxed)
}

fn count(bytes: isize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(live, Ordering::Relaxed);
    ALLOCATIONS.fetch_add((bytes > 0).into(), Ordering::Relaxed);
}

// SAFETY: everything is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: passed on to the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: passed on to the caller.
        unsafe { System.dealloc(block, layout) };
    }
}
