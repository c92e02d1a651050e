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
//! # Which call to use
//!
//! | you have | call | the caller |
//! |---|---|---|
//! | the same to do for each index or element | [`for_each_index`](ZeroPool::for_each_index), [`for_each`](ZeroPool::for_each), [`for_each_mut`](ZeroPool::for_each_mut) | works, too, and returns when all is done |
//! | a result of each element | [`map`](ZeroPool::map), or [`map_into`](ZeroPool::map_into) memory that is there | the same |
//! | two different things, perhaps again and again | [`join`](ZeroPool::join) | runs the first, and the second if nobody took it |
//! | any number of things that borrow | [`scope`](ZeroPool::scope) | runs its body, and at the end what nobody has begun |
//! | one thing that owns what it needs, for later | [`spawn`](ZeroPool::spawn) | goes on; joins or awaits the [`JoinHandle`] when it likes |
//! | tasks as a function and parameters, results through pointers | [`submit_task`](ZeroPool::submit_task), [`submit_batch_uniform`](ZeroPool::submit_batch_uniform) | goes on; waits for the [`TaskFuture`] before the parameters go |
//!
//! All of them are called on a [`ZeroPool`]. [`ZeroPool::new`] makes one with a worker per processor, a [`Builder`] one with other
//! settings, and [`global_pool`] gives the one of the whole program. Two rules hold for all: tasks of one call must not wait for each
//! other, as they may run one after another on one thread, and whoever waits runs tasks of its own call and no others. What is
//! promised beyond that, of panics, shutdown, threads and memory, stands line by line in [`docs::contract`].
//!
//! # Where to go from here
//!
//! - [`docs::coming_from`] has these calls beside those of rayon, zero-pool 0.4 and `std::thread::scope`, and [`docs::seed`] the
//!   ones with raw pointers in six programs.
//! - [`docs::overview`] shows the life of a batch on one page, and begins the [design notes](docs): an hour from there to
//!   [`docs::verification`], which says what is checked, how far, and what is not.
//! - [`docs::soundness`] says what a caller can break and what not; [`docs::benchmarks`] what all costs, and where others are faster.
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
    pub mod pace;
    pub mod pending;
    pub mod queue;
    pub mod reclaim;
    pub mod room;
    pub mod standin;
    pub mod sync;
    pub mod turns;
    pub mod unwind;
    pub mod work;
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
