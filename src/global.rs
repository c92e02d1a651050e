//! The pool of the whole program.

use std::env;

use crate::pool::ZeroPool;
use crate::sync::OnceLock;

/// The environment variable that sets the number of the global pool's workers.
const VARIABLE: &str = "ZERO_POOL_THREADS";

/// Returns the pool of the whole program, which the first call makes.
///
/// It has as many workers as threads can run at once, or as the environment variable `ZERO_POOL_THREADS` says. It is never
/// dropped: when `main` returns, tasks that still run or are queued end with the process.
///
/// # Panics
///
/// If `ZERO_POOL_THREADS` is no number of workers, or if they cannot be started. The next call tries again.
///
/// # Examples
///
/// ```
/// let doubled = zero_pool::global_pool().map(&[1, 2, 3], |n| 2 * n);
/// assert_eq!(doubled, [2, 4, 6]);
/// ```
pub fn global_pool() -> &'static ZeroPool {
    static POOL: OnceLock<ZeroPool> = OnceLock::new();
    POOL.get_or_init(|| {
        let builder = ZeroPool::builder();
        let builder = match env::var_os(VARIABLE) {
            None => builder,
            Some(text) => match text.to_str().map(str::parse) {
                Some(Ok(workers)) => builder.workers(workers),
                _ => panic!("{VARIABLE} is {text:?}; it must be the number of workers, 1 or more"),
            },
        };
        builder.build().unwrap_or_else(|error| panic!("the global pool: {error} (see {VARIABLE})"))
    })
}
