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

floors! { batch grain idle injector latch queue reclaim sync unwind }
