//! Models of the reclaimers themselves: they free what they should and protect what they must.

use std::ptr::NonNull;
use std::sync::Arc;

use loom::sync::atomic::{AtomicPtr, Ordering};
use loom::thread;
use zero_pool_loom::reclaim::{Canary, Domain, Retire};

use crate::support::{Bound, KILLERS, ORACLES};

struct Node {
    canary: Canary,
}

impl Retire for Node {
    fn canary(&self) -> &Canary {
        &self.canary
    }
}

fn node() -> *mut Node {
    Box::into_raw(Box::new(Node { canary: Canary::new() }))
}

/// A reader that pinned before the replacement against a writer that retires the node replaced: the reader's node must
/// live until it unpins.
fn r1_a_guard_keeps_what_it_reached() {
    let domain = Arc::new(Domain::new());
    let shared = Arc::new(AtomicPtr::new(node()));
    let reader = {
        let (domain, shared) = (Arc::clone(&domain), Arc::clone(&shared));
        thread::spawn(move || {
            for _ in 0..2 {
                let guard = domain.pin();
                // SAFETY: reached under the guard.
                let node = unsafe { &*shared.load(Ordering::Acquire) };
                node.canary.touch();
                drop(guard);
            }
        })
    };
    let guard = domain.pin();
    let old = shared.swap(node(), Ordering::AcqRel);
    // SAFETY: the swap took it out, and this is its only retirement.
    unsafe { guard.retire(NonNull::new(old).expect("a node")) };
    drop(guard);
    reader.join().expect("the reader ends");
    // SAFETY: all threads are done; the last node is ours.
    drop(unsafe { Box::from_raw(shared.load(Ordering::Relaxed)) });
}

/// Two threads that retire a node each while the other may be pinned: both go once, and none is left.
fn r2_what_two_retire_is_freed_once() {
    let domain = Arc::new(Domain::new());
    let retire = |domain: &Domain| {
        let guard = domain.pin();
        // SAFETY: nobody else ever saw the node.
        unsafe { guard.retire(NonNull::new(node()).expect("a node")) };
    };
    let other = {
        let domain = Arc::clone(&domain);
        thread::spawn(move || retire(&domain))
    };
    retire(&domain);
    other.join().expect("the other ends");
}

crate::table! { "reclaim":
    r1_a_guard_keeps_what_it_reached(Bound::None, ORACLES),
    r2_what_two_retire_is_freed_once(Bound::None, KILLERS),
}
