//! A thread pool with one global, lock-free, unbounded FIFO of task batches, whose protocols are model-checked.
//!
//! A batch is one function over a run of indexes; the pool's threads claim ranges of it until it is exhausted, and the
//! results go to memory that the caller owns. **The default feature `raw-tasks` adds a surface that trusts its caller**:
//! tasks that write through raw pointers, behind functions and macros that are safe by their types alone; see
//! [`TaskFuture`](TaskFuture#safety). With `default-features = false` every safe function of the crate is sound.
//!
//! # Examples
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use zero_pool::ZeroPool;
//!
//! let words = ["one", "global", "queue"];
//! let letters = AtomicU64::new(0);
//! let pool = ZeroPool::new();
//! pool.for_each_index(0..words.len(), |i| {
//!     letters.fetch_add(words[i].len() as u64, Ordering::Relaxed);
//! });
//! assert_eq!(letters.into_inner(), 14);
//! ```
//!
//! # Where to go from here
//!
//! - [`ZeroPool`] makes the workers, [`Builder`] with other settings; [`global_pool`] is one for the whole program.
//! - [`ZeroPool::for_each`], [`for_each_mut`](ZeroPool::for_each_mut), [`for_each_index`](ZeroPool::for_each_index),
//!   [`map`](ZeroPool::map) and [`map_into`](ZeroPool::map_into) run a loop on the workers and on the caller's thread.
//! - [`ZeroPool::join`] runs two closures at once, [`ZeroPool::scope`] any number of tasks that borrow, and
//!   [`ZeroPool::spawn`] a closure that owns what it needs.
//! - [`ZeroPool::submit_task`] and [`ZeroPool::submit_batch_uniform`] submit work to be waited for later;
//!   [`docs::seed`] shows them together.
//! - [`docs`] has the design notes: how the protocols are checked, within which bounds, and why they are as they are.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `raw-tasks` | yes | [`TaskFuture`], the `submit_*` calls and the `zp_*` macros |
//! | `internals` | no | the protocols themselves, for models, properties and benchmarks; outside of semantic versioning |

#![cfg_attr(
    not(feature = "internals"),
    allow(
        unreachable_pub,
        dead_code,
        reason = "the feature decides which floors can be reached from outside"
    )
)]

/// Floors 0 to 2, which the feature `internals` opens.
#[path = "."]
mod floors {
    pub mod batch;
    pub mod costs;
    pub mod frame;
    pub mod grain;
    pub mod idle;
    pub mod injector;
    pub mod latch;
    pub mod pending;
    pub mod queue;
    pub mod reclaim;
    pub mod sync;
    pub mod unwind;
    pub mod worker;
}

#[cfg(feature = "internals")]
#[doc(hidden)]
pub use floors::*;
#[cfg(not(feature = "internals"))]
use floors::*;

mod builder;
mod disjoint;
mod error;
#[cfg(not(any(loom, shuttle)))]
mod global;
mod join;
mod pool;
mod scope;
mod slice;
mod spawn;

#[cfg(any(doc, doctest))]
pub mod docs;
#[cfg(feature = "raw-tasks")]
mod future;
#[cfg(feature = "raw-tasks")]
mod macros;

pub use builder::Builder;
pub use error::BuildError;
#[cfg(feature = "raw-tasks")]
pub use future::TaskFuture;
#[cfg(not(any(loom, shuttle)))]
pub use global::global_pool;
#[cfg(feature = "raw-tasks")]
#[doc(hidden)]
pub use macros::{__write_indexed, Indexed};
pub use pool::ZeroPool;
pub use scope::Scope;
pub use spawn::JoinHandle;
