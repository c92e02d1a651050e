//! The model's reclaimers: as early as epochs may free, and not a step later.
//!
//! The bookkeeping sits in a plain `std` mutex that loom does not see; it is held only between two schedule points,
//! so no modelled thread ever waits for it. What loom does see are two atomics that pass the causality which real
//! epochs pass, and each node's canary cell, which turns *an access that a kill may overtake* into a race report in
//! whatever order the two were explored.
//!
//! Under shuttle there is no causality to pass, and the canary is looked at in a step of its own, so that a kill may come
//! right before the access.

#![allow(clippy::disallowed_types, reason = "bookkeeping that must be no schedule point")]

use std::cell::Cell;
use std::fmt;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Retire;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Track, UnsafeCell, each_thread};

/// When a retired node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// As soon as the guards older than the retirement are gone.
    Retirement,
    /// At the first moment without any guard.
    Kill,
    /// Never; and pinning passes no causality.
    Never,
    /// Like [`Oracle::Retirement`], and the memory is used again.
    Reuse,
}

impl Oracle {
    /// Reads `ZERO_POOL_ORACLE`; unset means [`Oracle::Retirement`].
    pub fn from_env() -> Self {
        match std::env::var("ZERO_POOL_ORACLE").as_deref() {
            Err(_) | Ok("retirement") => Self::Retirement,
            Ok("kill") => Self::Kill,
            Ok("never") => Self::Never,
            Ok("reuse") => Self::Reuse,
            Ok(other) => panic!("ZERO_POOL_ORACLE is {other:?}; it must be retirement, kill, never or reuse"),
        }
    }
}

/// A retired node that still lies in memory, until the end of the model or until it is taken back for another use.
struct Corpse {
    reclaim: Option<Box<dyn FnOnce()>>,
    canary: NonNull<Canary>,
    /// The guards that keep it alive (`Oracle::Retirement`).
    older: Vec<u64>,
}

impl Drop for Corpse {
    fn drop(&mut self) {
        self.reclaim.take().into_iter().for_each(|reclaim| reclaim());
    }
}

#[derive(Default)]
struct Book {
    guards: Vec<u64>,
    next_guard: u64,
    dying: Vec<Corpse>,
    quarantine: Vec<Corpse>,
}

impl Book {
    fn due(&self, oracle: Oracle, corpse: &Corpse) -> bool {
        match oracle {
            Oracle::Retirement | Oracle::Reuse => !corpse.older.iter().any(|old| self.guards.contains(old)),
            Oracle::Kill => self.guards.is_empty(),
            Oracle::Never => false,
        }
    }

    fn any_due(&self, oracle: Oracle) -> bool {
        self.dying.iter().any(|corpse| self.due(oracle, corpse))
    }

    /// Takes out what is due: its canaries are to be killed when the book is closed. What is not used again stays in quarantine.
    fn take_due(&mut self, oracle: Oracle) -> (Vec<NonNull<Canary>>, Vec<Corpse>) {
        let mut dying = std::mem::take(&mut self.dying);
        let dead: Vec<_> = dying.extract_if(.., |corpse| self.due(oracle, corpse)).collect();
        self.dying = dying;
        let canaries = dead.iter().map(|corpse| corpse.canary).collect();
        if oracle == Oracle::Reuse {
            return (canaries, dead);
        }
        self.quarantine.extend(dead);
        (canaries, Vec::new())
    }
}

struct Shared {
    oracle: Oracle,
    book: Mutex<Book>,
    /// Released by retirements (or kills), acquired by pins.
    retired: AtomicUsize,
    /// Released by unpins, acquired by kills.
    unpinned: AtomicUsize,
}

// SAFETY: loom runs every modelled thread on one thread of the system.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

each_thread! {
    /// How many guards the thread has.
    static GUARDS: Cell<usize> = Cell::new(0)
}

/// Fails if the current thread is pinned (R4): a model's tasks call it.
pub fn assert_unpinned() {
    assert_eq!(GUARDS.with(Cell::get), 0, "R4: a thread is pinned while it runs user code");
}

/// A set of threads and nodes whose reclamation belongs together: one pool.
pub struct Domain(Mutex<Option<Pass>>);

/// Lets its owner pin without asking whether the domain is closed.
#[derive(Clone)]
pub struct Pass(Arc<Shared>);

impl Domain {
    /// Makes a domain with the oracle that the environment names.
    #[allow(clippy::new_without_default, reason = "a domain has an identity")]
    pub fn new() -> Self {
        Self(Mutex::new(Some(Pass(Arc::new(Shared {
            oracle: Oracle::from_env(),
            book: Mutex::default(),
            retired: AtomicUsize::new(0),
            unpinned: AtomicUsize::new(0),
        })))))
    }

    /// Returns a pass of the open domain.
    pub fn pass(&self) -> Pass {
        self.own().clone().expect("the domain is open")
    }

    /// Pins the current thread: what it reaches from now on is not killed until the guard is dropped.
    pub fn pin(&self) -> Guard {
        self.pass().pin()
    }

    /// Pins the current thread unless the domain is closed. To the oracle no thread is known before.
    pub fn try_pin(&self) -> Option<Guard> {
        // The lock is not kept: it is the system's, and a pin is a step of the model.
        let pass = self.own().clone()?;
        Some(pass.pin())
    }

    /// Leaves what was retired here to those who are pinned, and lets nobody pin any more who has no pass.
    pub fn close(&self) {
        let pass = self.own().take();
        drop(pass);
    }

    fn own(&self) -> MutexGuard<'_, Option<Pass>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Pins the current thread, as [`Domain::pin`] does.
    pub fn pin(&self) -> Guard {
        let shared = Arc::clone(&self.0);
        if shared.oracle != Oracle::Never {
            shared.retired.fetch_add(0, Ordering::Acquire);
        }
        let mut book = shared.book();
        let id = book.next_guard;
        book.next_guard += 1;
        book.guards.push(id);
        drop(book);
        GUARDS.with(|guards| guards.set(guards.get() + 1));
        Guard { shared, id }
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").finish_non_exhaustive()
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").finish_non_exhaustive()
    }
}

/// Keeps the current thread pinned.
pub struct Guard {
    shared: Arc<Shared>,
    id: u64,
}

impl Guard {
    /// Kills `node`, which came from a `Box`, as soon as the oracle allows (R1).
    ///
    /// # Safety
    ///
    /// - Nobody can reach `node` any more but threads pinned before this call.
    /// - It is retired once (R2).
    pub unsafe fn retire<N: Retire>(&self, node: NonNull<N>) {
        if matches!(self.shared.oracle, Oracle::Retirement | Oracle::Reuse) {
            self.shared.retired.fetch_add(1, Ordering::Release);
        }
        // SAFETY: the node lives until its kill, and the caller owes that this is its only retirement.
        let canary = NonNull::from(unsafe { node.as_ref() }.canary());
        // SAFETY: as above; the canary is read before anything can kill it.
        unsafe { canary.as_ref() }.touch();
        let reuse = self.shared.oracle == Oracle::Reuse;
        let reclaim = Box::new(move || match reuse {
            // SAFETY: the caller owes that this is the node's only retirement, and it is dead to all others.
            true => unsafe { N::reclaimed(node) },
            // SAFETY: as above, and it came from a box.
            false => drop(unsafe { Box::from_raw(node.as_ptr()) }),
        });
        let mut book = self.shared.book();
        let older = book.guards.clone();
        book.dying.push(Corpse { reclaim: Some(reclaim), canary, older });
    }

    /// Nothing: nodes die as soon as they may.
    pub const fn flush(&self) {}
}

impl Drop for Guard {
    fn drop(&mut self) {
        GUARDS.with(|guards| guards.set(guards.get() - 1));
        let shared = &self.shared;
        if shared.oracle == Oracle::Never {
            shared.book().guards.retain(|&id| id != self.id);
            return;
        }
        shared.unpinned.fetch_add(1, Ordering::Release);
        let mut book = shared.book();
        book.guards.retain(|&id| id != self.id);
        let (due, pins) = (book.any_due(shared.oracle), book.next_guard);
        drop(book);
        if due {
            shared.unpinned.fetch_add(0, Ordering::Acquire);
            if shared.oracle == Oracle::Kill {
                shared.retired.fetch_add(1, Ordering::Release);
            }
            let mut book = shared.book();
            // Who pinned meanwhile has not acquired this kill, and its own unpin will come by here.
            if shared.oracle == Oracle::Kill && book.next_guard != pins {
                return;
            }
            let (canaries, dead) = book.take_due(shared.oracle);
            // What follows is full of schedule points, and nobody may stop there with the book.
            drop(book);
            for canary in canaries {
                // SAFETY: the canary lies in a node that is quarantined as long as the domain, or in `dead`.
                unsafe { canary.as_ref() }.kill();
            }
            drop(dead);
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Corpse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Corpse").field("older", &self.older).finish_non_exhaustive()
    }
}

/// Tells that its node was killed.
#[derive(Debug)]
pub struct Canary {
    dead: UnsafeCell<bool>,
    /// Reported by loom when the node's memory is neither retired nor freed.
    _leak: Track<()>,
}

impl Canary {
    /// Makes the canary of a new node.
    pub fn new() -> Self {
        Self { dead: UnsafeCell::new(false), _leak: Track::new(()) }
    }

    /// Fails if the node is dead, or if nothing orders this access before its death.
    #[track_caller]
    pub fn touch(&self) {
        // SAFETY: loom itself checks that no kill runs beside this read.
        let dead = self.dead.with(|dead| unsafe { *dead });
        assert!(!dead, "R1: a node was touched after its memory could have been freed");
    }

    /// Begins another life of the node. It is a write like the kill: who may still be looking at the node's last life, and is not
    /// ordered before this one, is reported.
    pub fn revive(&mut self) {
        // SAFETY: loom itself checks that nothing runs beside this write.
        self.dead.with_mut(|dead| unsafe { *dead = false });
    }

    fn kill(&self) {
        self.dead.with_mut(|dead| {
            // SAFETY: loom itself checks that nothing runs beside this write.
            let dead = unsafe { &mut *dead };
            assert!(!*dead, "R2: a node was killed twice");
            *dead = true;
        });
    }
}

impl Default for Canary {
    fn default() -> Self {
        Self::new()
    }
}
