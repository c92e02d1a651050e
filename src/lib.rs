//! A thread pool with one global, lock-free, unbounded FIFO of task batches.

#![cfg_attr(
    not(feature = "internals"),
    allow(
        unreachable_pub,
        dead_code,
        reason = "the feature decides which floors can be reached from outside"
    )
)]

macro_rules! floors {
    ($($name:ident)*) => { $(
        #[cfg(feature = "internals")]
        pub mod $name;
        #[cfg(not(feature = "internals"))]
        mod $name;
    )* };
}

floors! { batch frame grain idle injector latch queue reclaim sync unwind worker }

mod pool;
mod slice;

#[cfg(feature = "raw-tasks")]
mod disjoint;
#[cfg(feature = "raw-tasks")]
mod future;
#[cfg(feature = "raw-tasks")]
mod macros;

#[cfg(feature = "raw-tasks")]
pub use future::TaskFuture;
#[cfg(feature = "raw-tasks")]
#[doc(hidden)]
pub use macros::{__write_indexed, Indexed};
pub use pool::ZeroPool;
