//! Work that is shared by some threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow};

/// Calls `work` for `0..count` on some threads and returns the results in order; the first error ends it.
pub fn share<R: Send>(jobs: usize, count: usize, work: impl Fn(usize) -> Result<R> + Sync) -> Result<Vec<R>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs.min(count) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let result = work(at);
                    failed.fetch_or(result.is_err(), Ordering::Relaxed);
                    results.lock().expect("no thread panics here").push((at, result));
                }
            });
        }
    });
    let mut results = results.into_inner().map_err(|_| anyhow!("a thread panicked"))?;
    results.sort_by_key(|&(at, _)| at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_shared_and_comes_back_in_order() {
        assert_eq!(share(3, 7, Ok).expect("no error"), [0, 1, 2, 3, 4, 5, 6]);
        assert!(share(2, 5, |at| if at == 3 { Err(anyhow!("three")) } else { Ok(at) }).is_err());
        assert_eq!(share(2, 0, Ok).expect("no error"), [0usize; 0]);
    }
}
