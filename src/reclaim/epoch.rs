//! Reclamation by crossbeam-epoch, with one private collector per domain.

use std::cell::RefCell;
use std::fmt;
use std::ptr::NonNull;

use crossbeam_epoch::{Collector, LocalHandle};

use super::Retire;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, each_thread, lock};

/// A set of threads and nodes whose reclamation belongs together: one pool.
pub struct Domain {
    /// `None` once the domain is closed.
    pass: Mutex<Option<Pass>>,
    /// Set when the domain is closed or goes. Passes and the registrations of threads share it: its address names the domain, too.
    gone: Arc<AtomicBool>,
}

/// Lets its owner pin without asking whether the domain is closed, and so without a lock, which a forked child might find
/// locked for ever.
#[derive(Clone)]
pub struct Pass {
    collector: Collector,
    gone: Arc<AtomicBool>,
}

/// A thread's registration with one domain.
struct Registration {
    handle: LocalHandle,
    gone: Arc<AtomicBool>,
}

impl Registration {
    fn is_stale(&self) -> bool {
        // ORDERING: Relaxed; whoever reads an old value keeps the registration until it looks again.
        self.gone.load(Ordering::Relaxed)
    }
}

each_thread! {
    /// The domains this thread has pinned, as registering costs an allocation of 2 KiB and pinning 4 ns.
    static REGISTRATIONS: RefCell<Vec<Registration>> = RefCell::new(Vec::new())
}

impl Domain {
    /// Makes a domain that no thread is registered with.
    #[allow(clippy::new_without_default, reason = "a domain has an identity")]
    pub fn new() -> Self {
        let gone = Arc::new(AtomicBool::new(false));
        let pass = Pass { collector: Collector::new(), gone: Arc::clone(&gone) };
        Self { pass: Mutex::new(Some(pass)), gone }
    }

    /// Returns a pass of the open domain. The domain ends no sooner than its passes.
    ///
    /// # Panics
    ///
    /// If the domain is closed.
    pub fn pass(&self) -> Pass {
        lock(&self.pass).clone().expect("the domain is open")
    }

    /// Pins the current thread: what it reaches from now on stays allocated until the guard is dropped.
    ///
    /// Works on any thread, thread-local destructors included.
    ///
    /// # Panics
    ///
    /// If the domain was closed before the thread got to know it.
    #[inline]
    pub fn pin(&self) -> Guard {
        known(&self.gone).unwrap_or_else(|| self.pass().register())
    }

    /// Pins the current thread, unless the domain was closed before the thread got to know it. It waits for nobody, and gives up
    /// if another thread that is new here comes in between.
    #[inline]
    pub fn try_pin(&self) -> Option<Guard> {
        known(&self.gone).or_else(|| {
            let pass = self.pass.try_lock().ok()?.clone()?;
            Some(pass.register())
        })
    }

    /// Leaves what was retired here to the threads that are registered, this one excepted, and registers no others.
    pub fn close(&self) {
        // ORDERING: Relaxed; nothing is read after the flag but the flag.
        self.gone.store(true, Ordering::Relaxed);
        // Dropped outside of the lock: it may free the last nodes of the domain.
        let pass = lock(&self.pass).take();
        drop(pass);
        let stale = REGISTRATIONS.try_with(|all| {
            // One that frees the last node of another domain is in there.
            let mut all = all.try_borrow_mut().ok()?;
            Some(all.extract_if(.., |known| known.is_stale()).collect::<Vec<_>>())
        });
        drop(stale);
    }
}

/// Pins the current thread if it is registered with the domain of this name.
#[inline]
fn known(name: &Arc<AtomicBool>) -> Option<Guard> {
    let pinned = REGISTRATIONS.try_with(|all| {
        let all = all.borrow();
        all.iter().find(|known| Arc::ptr_eq(&known.gone, name)).map(|known| Guard(known.handle.pin()))
    });
    pinned.ok().flatten()
}

impl Pass {
    /// Pins the current thread, as [`Domain::pin`] does.
    #[inline]
    pub fn pin(&self) -> Guard {
        known(&self.gone).unwrap_or_else(|| self.register())
    }

    /// Registers the current thread and forgets the domains that are gone.
    #[cold]
    fn register(&self) -> Guard {
        let handle = self.collector.register();
        let guard = Guard(handle.pin());
        let stale = REGISTRATIONS.try_with(|all| {
            let mut all = all.borrow_mut();
            all.push(Registration { handle, gone: Arc::clone(&self.gone) });
            all.extract_if(.., |known| known.is_stale()).collect::<Vec<_>>()
        });
        // Dropped outside of the borrow: it may free the last nodes of a domain. When the thread is ending and its
        // registrations are gone, `handle` was dropped with the closure; the guard keeps its participant alive.
        drop(stale);
        guard
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        self.close();
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
pub struct Guard(crossbeam_epoch::Guard);

impl Guard {
    /// Lets `node`, which came from a `Box`, be reclaimed as soon as no older guard is left (R1).
    ///
    /// # Safety
    ///
    /// - Nobody can reach `node` any more but threads pinned before this call.
    /// - It is retired once (R2).
    pub unsafe fn retire<N: Retire>(&self, node: NonNull<N>) {
        // SAFETY: R1, R2: the closure runs once, when no guard is left that may see the node.
        let free = move || unsafe { N::reclaimed(node) };
        // SAFETY: the caller owes that only older guards still see the node; `N: 'static` and R3 allow any thread to
        // run the drop at any later time.
        unsafe { self.0.defer_unchecked(free) };
    }

    /// Lets others reclaim what was retired here, and reclaims what can be: who has retired much does not keep it to itself until
    /// there are 64 of it. Under loom it is nothing, as it is many schedules, and tells only when memory is freed.
    pub fn flush(&self) {
        if !cfg!(loom) {
            self.0.flush();
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// Would fail if the current thread were pinned (R4); the real epochs do not tell.
#[cfg(loom)]
pub const fn assert_unpinned() {}

/// Tells in a model that its node was killed; here it is nothing.
#[derive(Debug, Default)]
pub struct Canary(());

impl Canary {
    /// Makes the canary of a new node.
    pub const fn new() -> Self {
        Self(())
    }

    /// Stands at every access to a node; in a model, it fails if the node may have been freed.
    #[inline(always)]
    pub const fn touch(&self) {}

    /// Begins another life of the node.
    #[inline(always)]
    pub const fn revive(&mut self) {}
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::thread;

    /// Calls `body` on a thread of its own, to its end.
    fn elsewhere(body: impl FnOnce() + Send + 'static) {
        let started = thread::Builder::new().spawn(body).expect("a thread");
        started.join().expect("no panic");
    }

    /// Who registers with a lock in its hands may be gone: in a forked child it is.
    #[test]
    fn a_pass_pins_although_the_domain_is_locked() {
        let domain = Arc::new(Domain::new());
        let (pass, same) = (domain.pass(), Arc::clone(&domain));
        let locked = lock(&domain.pass);
        elsewhere(move || {
            assert!(same.try_pin().is_none(), "it waits for nobody");
            drop(pass.pin());
            drop(same.try_pin().expect("registered by the pass"));
        });
        drop(locked);
    }

    #[test]
    fn who_was_registered_pins_after_the_close_until_it_registers_elsewhere() {
        let domain = Arc::new(Domain::new());
        drop(domain.pin());
        let same = Arc::clone(&domain);
        elsewhere(move || same.close());
        drop(domain.try_pin().expect("registered before the close"));
        drop(Domain::new().pin());
        assert!(domain.try_pin().is_none(), "its registration went with the domain");
    }

    #[test]
    fn who_closes_is_not_registered_any_more() {
        let domain = Domain::new();
        drop(domain.pin());
        domain.close();
        assert!(domain.try_pin().is_none());
    }
}
