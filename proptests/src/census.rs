//! An allocator that takes the census of nodes: how many were made, how many were freed, and whether one was twice.
//!
//! A node knows nothing of being counted, and what is freed twice or never must be found in the build that ships. So
//! the census is taken by the allocator. It tells nodes apart by their layout, and puts a header before each block of
//! that layout:
//!
//! ```text
//!    ┌───────────────────────────────┬──────────────┐
//!    │ header: list, enrolled, deaths│ node         │
//!    └───────────────────────────────┴──────────────┘
//!                                    └ what the program gets
//! ```
//!
//! A block is *enrolled* if it was allocated inside [`Census::enrol`]. What is enrolled is not given back to the system
//! when it is freed, but filled with `POISON` and kept until the census ends. Its address is thus not used again, so
//! that a second death is counted and a later write is seen. Whoever reads it finds rubbish.
//!
//! Other things may have a node's layout, and are counted if they are enrolled. As they, too, must be freed once, this
//! does no harm.
//!
//! A binary that takes a census must install the allocator:
//!
//! ```text
//! #[global_allocator]
//! static ALLOCATOR: NodeAllocator = NodeAllocator;
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::thread;

use zero_pool::batch::Batch;
use zero_pool::reclaim::Domain;

/// The layout of what is counted.
const NODE: Layout = Layout::new::<Batch>();

/// A block with its header, and where in it the node begins.
const BLOCK: (Layout, usize) = match Layout::new::<Header>().extend(NODE) {
    Ok(block) => block,
    Err(_) => panic!("a node is not that large"),
};

/// What a dead node is filled with.
const POISON: u8 = 0xA5;

/// What stands before each block with a node's layout.
#[derive(Debug)]
struct Header {
    /// The block that was enrolled before, in the same census.
    older: *mut Header,
    enrolled: bool,
    deaths: AtomicUsize,
}

/// A list of enrolled blocks.
#[derive(Debug, Default)]
struct Book {
    newest: AtomicPtr<Header>,
}

thread_local! {
    /// Where this thread's allocations are enrolled; null outside of [`Census::enrol`].
    static ENROLLING: Cell<*const Book> = const { Cell::new(ptr::null()) };
}

/// The system's allocator, with a census.
#[derive(Debug)]
pub struct NodeAllocator;

// SAFETY: blocks of a node's layout are the system's, with room for the header in front, and are given back as such or
// not at all. Everything else goes to the system as it is.
unsafe impl GlobalAlloc for NodeAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout == NODE {
            return allocate();
        }
        // SAFETY: passed on to the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout != NODE {
            // SAFETY: passed on to the caller.
            return unsafe { System.alloc_zeroed(layout) };
        }
        let node = allocate();
        if !node.is_null() {
            // SAFETY: just allocated, with this size.
            unsafe { node.write_bytes(0, NODE.size()) };
        }
        node
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout == NODE {
            // SAFETY: the caller got it from `allocate`, as the layouts agree.
            return unsafe { free(block) };
        }
        // SAFETY: passed on to the caller.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller owes that the new size is fine with the old alignment.
        let grown = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if layout != NODE && grown != NODE {
            // SAFETY: passed on to the caller.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: the caller owes that the new size is not zero.
        let moved = unsafe { self.alloc(grown) };
        if !moved.is_null() {
            // SAFETY: both blocks have this many bytes, and the new one is nobody's else.
            unsafe { ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
            // SAFETY: the caller gives the old block up.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

/// Allocates a node, and enrols it if its thread does so.
fn allocate() -> *mut u8 {
    // SAFETY: a header is not of size zero.
    let block = unsafe { System.alloc(BLOCK.0) };
    let Some(header) = NonNull::new(block.cast::<Header>()) else {
        return block;
    };
    // A thread that is ending enrols nothing.
    let book = ENROLLING.try_with(Cell::get).unwrap_or(ptr::null());
    let fresh = Header { older: ptr::null_mut(), enrolled: !book.is_null(), deaths: AtomicUsize::new(0) };
    // SAFETY: large enough, aligned, and nobody's else.
    unsafe { header.write(fresh) };
    // SAFETY: while it enrols, a thread borrows the book.
    if let Some(book) = unsafe { book.as_ref() } {
        // SAFETY: just written, and enrolled here alone.
        unsafe { book.enter(header) };
    }
    // SAFETY: the node begins inside of the block.
    unsafe { block.add(BLOCK.1) }
}

/// Frees a node, or counts its death.
///
/// # Safety
///
/// - `node` came from [`allocate`].
unsafe fn free(node: *mut u8) {
    // SAFETY: the header stands before the node.
    let block = unsafe { node.sub(BLOCK.1) };
    // SAFETY: the header was written when the block was made, and the block was not given back.
    let header = unsafe { &*block.cast::<Header>() };
    if !header.enrolled {
        // SAFETY: made by the system with this layout, and not enrolled, so nobody keeps it.
        unsafe { System.dealloc(block, BLOCK.0) };
    } else if header.deaths.fetch_add(1, Ordering::Relaxed) == 0 {
        // SAFETY: the program gave the node up, and the block is kept.
        unsafe { node.write_bytes(POISON, NODE.size()) };
    }
}

impl Book {
    /// Enters a block.
    ///
    /// # Safety
    ///
    /// - `header` is the valid header of a block that is in no book.
    unsafe fn enter(&self, header: NonNull<Header>) {
        let mut newest = self.newest.load(Ordering::Relaxed);
        loop {
            // SAFETY: the caller owes that it is valid; nobody else has it before it is entered.
            unsafe { (*header.as_ptr()).older = newest };
            let entered =
                self.newest.compare_exchange(newest, header.as_ptr(), Ordering::Release, Ordering::Relaxed);
            match entered {
                Ok(_) => return,
                Err(now) => newest = now,
            }
        }
    }

    /// Calls `look` for every block, with its header and the number of its deaths. That may be the end of the block.
    fn each(&self, mut look: impl FnMut(NonNull<Header>, usize)) {
        let mut at = self.newest.load(Ordering::Acquire);
        while let Some(header) = NonNull::new(at) {
            // SAFETY: what was entered is valid as long as the census lasts, and this block was not looked at yet.
            let Header { older, deaths, .. } = unsafe { header.as_ref() };
            let deaths = deaths.load(Ordering::Relaxed);
            at = *older;
            look(header, deaths);
        }
    }
}

/// Tells whether the node of a block is as its death left it.
///
/// # Safety
///
/// - The block is enrolled, and its node is dead.
unsafe fn is_untouched(header: NonNull<Header>) -> bool {
    // SAFETY: the node begins inside of the block, whose header this is.
    let node = unsafe { header.cast::<u8>().add(BLOCK.1) };
    // SAFETY: a dead node is initialised with poison, and the census keeps it.
    let node = unsafe { slice::from_raw_parts(node.as_ptr(), NODE.size()) };
    node.iter().all(|&byte| byte == POISON)
}

/// What became of the enrolled nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// So many were made.
    pub born: usize,
    /// So many of them were freed, once or more often.
    pub dead: usize,
    /// So many of them were freed more than once.
    pub dead_twice: usize,
    /// So many of them were written after they had been freed.
    pub written_dead: usize,
}

impl Counts {
    /// What is to be: `nodes` nodes were made, and each was freed once.
    pub fn all_dead(nodes: usize) -> Self {
        Self { born: nodes, dead: nodes, ..Self::default() }
    }
}

/// A census: some enrolled nodes, and what became of them.
#[derive(Debug, Default)]
pub struct Census {
    book: Book,
}

impl Census {
    /// Begins a census.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `make`, and enrols what it allocates on this thread.
    pub fn enrol<R>(&self, make: impl FnOnce() -> R) -> R {
        struct Restore(*const Book);
        impl Drop for Restore {
            fn drop(&mut self) {
                ENROLLING.set(self.0);
            }
        }
        let _restore = Restore(ENROLLING.replace(&raw const self.book));
        make()
    }

    /// Counts. Threads that free nodes have ended, or their frees may be missed.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.book.each(|header, deaths| {
            // SAFETY: it is in the book, and it is asked for when it is dead.
            let written = deaths > 0 && !unsafe { is_untouched(header) };
            counts.born += 1;
            counts.dead += usize::from(deaths > 0);
            counts.dead_twice += usize::from(deaths > 1);
            counts.written_dead += usize::from(written);
        });
        counts
    }
}

impl Drop for Census {
    fn drop(&mut self) {
        // A failed test leaks: what is retired twice or too early may be freed later than this.
        if thread::panicking() {
            return;
        }
        self.book.each(|header, deaths| {
            if deaths > 0 {
                // SAFETY: made by the system with this layout; the program gave it up, and the census ends.
                unsafe { System.dealloc(header.cast().as_ptr(), BLOCK.0) };
            }
        });
    }
}

/// Makes the current thread give up its registrations with domains that are gone, and thereby frees what was retired
/// there, if no other thread is registered.
pub fn flush() {
    // A thread looks for stale registrations when it makes a new one.
    drop(Domain::new().pin());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem;

    #[global_allocator]
    static ALLOCATOR: NodeAllocator = NodeAllocator;

    /// Something of a node's layout that may be written and freed at will.
    fn block() -> *mut u8 {
        // SAFETY: a node is not of size zero.
        unsafe { std::alloc::alloc(NODE) }
    }

    /// Gives a block up, once or more often.
    fn give_up(block: *mut u8) {
        // SAFETY: allocated with this layout; when it is enrolled it may be freed again, as the census keeps it.
        unsafe { std::alloc::dealloc(block, NODE) };
    }

    #[test]
    fn n2_each_death_is_counted() {
        let census = Census::new();
        let blocks: [*mut u8; 4] = census.enrol(|| [block(), block(), block(), block()]);
        let [once, twice, written, alive] = blocks;
        assert_eq!(census.counts(), Counts { born: 4, ..Counts::default() });
        [once, twice, twice, written].into_iter().for_each(give_up);
        // SAFETY: the census keeps the block.
        unsafe { written.write(1) };
        assert_eq!(census.counts(), Counts { born: 4, dead: 3, dead_twice: 1, written_dead: 1 });
        give_up(alive);
        assert_eq!(census.counts().dead, 4);
    }

    #[test]
    fn n2_only_what_is_enrolled_is_counted() {
        let census = Census::new();
        give_up(block());
        let boxed = census.enrol(Batch::sentinel);
        assert_eq!(census.counts().born, 1);
        drop(boxed);
        let nested = census.enrol(|| (Census::new().enrol(|| give_up(block())), Batch::sentinel()));
        assert_eq!(census.counts().born, 2, "the inner census has its own");
        drop(nested);
        assert_eq!(census.counts(), Counts::all_dead(2));
    }

    #[test]
    fn n2_blocks_that_grow_and_shrink_keep_their_content() {
        let words = NODE.size() / size_of::<u64>();
        let mut vector: Vec<u64> = Vec::with_capacity(words);
        vector.extend(0..words as u64);
        vector.reserve_exact(words);
        vector.shrink_to_fit();
        assert!(vector.iter().copied().eq(0..words as u64));
        assert_eq!(mem::take(&mut vector).into_boxed_slice().len(), words);
        assert_eq!(vec![0_u64; words].iter().sum::<u64>(), 0);
    }
}
