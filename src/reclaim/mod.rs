//! Safe memory reclamation: when the memory of a retired node may be freed.
//!
//! A thread that reaches a node through the queue *pins* itself first ([`Domain::pin`]) and reads only while its
//! [`Guard`] lives. Who takes the last hold of a node away *retires* it ([`Guard::retire`]); the memory goes when
//! no guard that may still see it is left. In a build that is [crossbeam-epoch] (Fraser, *Practical lock-freedom*,
//! 2004, and the crossbeam project) with one private collector per domain: a guard held in some other library, or
//! in another pool, cannot keep our memory.
//!
//! ```text
//!          pin ────── reads nodes ────── unpin
//!                         │
//!   unlink ── last hold gone: retire ┄┄┄┄┄┄┄┄┄┄┄┄┄ freed
//!                                     └ every guard older than the retirement is gone
//! ```
//!
//! # Invariants
//!
//! - `R1`  A retired node is not freed while a guard older than its retirement lives.
//! - `R2`  A node is freed at most once, and at the latest when its domain is gone and every thread that was registered
//!   with it has ended or has registered elsewhere since.
//! - `R3`  Freeing runs no user code: what is retired owns nothing but memory, so a free may happen on any thread,
//!   after the pool is gone.
//! - `R4`  Nobody is pinned while user code runs.
//!
//! A domain may be *closed* while others still have guards ([`Domain::close`]). It lets go of the collector then: what was retired is
//! left to the threads that are registered, and no other thread can pin any more that has no [`Pass`].
//!
//! # In a model
//!
//! The same calls go to an *oracle* (`Oracle`), since epochs are slow to explore and, worse, lazy: they free so
//! late that a use after free seldom shows. The oracle kills a node at the earliest moment that epochs allow,
//! quarantines its memory, and each later access fails. The environment variable `ZERO_POOL_ORACLE` picks it.
//!
//! | oracle | protects against a kill | passes causality |
//! |---|---|---|
//! | `retirement` | guards older than the retirement | retirement to later pins, unpins to the kill |
//! | `kill` | every guard that lives | kill to later pins, unpins to the kill |
//! | `never` | nothing is killed | none at all |
//! | `reuse` | as for `retirement`; what is killed is used again | as for `retirement` |
//!
//! The first is the hardest on stale pointers, the second on orderings between a retirement and a reader that
//! pinned soon after, the third on every ordering that the reclaimer's own fences might vouch for. **No proof in
//! this crate leans on `pin` being a fence.** The fourth is for the models of a node's next use: there a stale pointer
//! shows only by what it does to the second life.
//!
//! The larger worlds on shuttle run with the first, which kills no later than the others.
//!
//! With the cfg `crossbeam_loom` the models run on the real crossbeam-epoch.
//!
//! # Alternatives turned down
//!
//! The default collector of crossbeam-epoch (a foreign guard would stall us); hazard pointers (a fence per node
//! visited, and the walk along the queue visits several); reference counts per visit (a contended write per look).
//! How a thread finds its registration is `docs/decisions/0002`.
//!
//! Checked by: `r1_*`, `r2_*` in `loom_tests`; every model of the queue and above runs under all three oracles.
//!
//! [crossbeam-epoch]: https://docs.rs/crossbeam-epoch

use core::ptr::NonNull;

#[cfg(any(not(any(loom, shuttle)), crossbeam_loom))]
mod epoch;
#[cfg(all(any(loom, shuttle), not(crossbeam_loom)))]
mod oracle;

#[cfg(any(not(any(loom, shuttle)), crossbeam_loom))]
use self::epoch as imp;
#[cfg(all(any(loom, shuttle), not(crossbeam_loom)))]
use self::oracle as imp;

#[cfg(all(any(loom, shuttle), not(crossbeam_loom)))]
pub use imp::Oracle;
#[cfg(any(loom, shuttle))]
pub use imp::assert_unpinned;
pub use imp::{Canary, Domain, Guard, Pass};

/// What can be retired: a node with a [`Canary`] to tell whether it still lives.
pub trait Retire: Sized + 'static {
    /// Returns the canary that lives in the node.
    fn canary(&self) -> &Canary;

    /// Takes the node back, which came from a `Box`: frees it, or keeps it for its next use. Runs no user code (R3).
    ///
    /// # Safety
    ///
    /// - Nobody else sees the node any more; it is called once per retirement.
    unsafe fn reclaimed(node: NonNull<Self>) {
        // SAFETY: owed by the caller.
        drop(unsafe { Box::from_raw(node.as_ptr()) });
    }
}
