//! Runs one task per file, on a pool, on another pool, or without one.

use std::fmt;
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::ValueEnum;
use indicatif::BinaryBytes;
use rayon::prelude::*;
use zero_pool::ZeroPool;

use crate::cli::{Options, PoolKind};
use crate::format::Digest;
use crate::hash::digest_of;
use crate::progress::Progress;
use crate::walk::FileToHash;

/// What runs tasks. All kinds run each task once, and return when every task has ended.
enum Pool {
    Zero(ZeroPool),
    Rayon(rayon::ThreadPool),
    Sequential,
}

impl Pool {
    fn new(kind: PoolKind, workers: usize) -> anyhow::Result<Self> {
        Ok(match kind {
            PoolKind::Zero => Self::Zero(ZeroPool::with_workers(workers)),
            PoolKind::Rayon => {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build();
                // The error has its cause in its own words, so that it must not become a context of it.
                Self::Rayon(pool.map_err(|error| anyhow!("cannot start the threads of rayon: {error}"))?)
            }
            PoolKind::Sequential => Self::Sequential,
        })
    }

    /// Calls `task` with every index below `count`.
    fn for_each_index(&self, count: usize, task: impl Fn(usize) + Sync) {
        match self {
            Self::Zero(pool) => pool.for_each_index(0..count, task),
            Self::Rayon(pool) => pool.install(|| (0..count).into_par_iter().for_each(&task)),
            Self::Sequential => (0..count).for_each(task),
        }
    }
}

/// The digests of some files, and what they cost.
pub(crate) struct Run {
    /// The digest of each file, or why it has none, in the order of the files.
    pub(crate) digests: Vec<io::Result<Digest>>,
    /// What to say in the end.
    pub(crate) summary: Summary,
}

/// How much was hashed by whom, and how fast.
pub(crate) struct Summary {
    files: usize,
    bytes: u64,
    elapsed: Duration,
    pool: PoolKind,
    workers: usize,
}

/// Hashes the files as the options say.
pub(crate) fn digest_all(files: &[FileToHash], options: &Options) -> anyhow::Result<Run> {
    let workers = if options.pool == PoolKind::Sequential { 1 } else { options.workers() };
    let progress = Progress::start(options.progress, files.iter().map(|file| file.length).sum());
    let start = Instant::now();
    let pool = Pool::new(options.pool, workers)?;
    let digests = digest_on(&pool, files, &progress);
    drop(pool);
    let elapsed = start.elapsed();
    let (files, bytes) = progress.finish();
    Ok(Run { digests, summary: Summary { files, bytes, elapsed, pool: options.pool, workers } })
}

/// Hashes the files on a pool.
///
/// Every task writes into a slot of its own, in memory that this call owns: no result is sent, and none waits for another.
fn digest_on(pool: &Pool, files: &[FileToHash], progress: &Progress) -> Vec<io::Result<Digest>> {
    let slots: Vec<OnceLock<io::Result<Digest>>> = files.iter().map(|_| OnceLock::new()).collect();
    let order = small_to_large(files);
    pool.for_each_index(order.len(), |turn| {
        let index = order[turn];
        let digest = digest_of(&files[index].path, |bytes| progress.add_bytes(bytes));
        if digest.is_ok() {
            progress.add_file();
        }
        slots[index].set(digest).expect("a task runs once");
    });
    slots.into_iter().map(|slot| slot.into_inner().expect("every task ran")).collect()
}

/// The order in which the files are hashed.
///
/// A pool hands out many tasks at a time as long as many are left, and single ones in the end. Small files belong where
/// many are taken together. In the order of their paths, a folder of large files can end up with one thread.
fn small_to_large(files: &[FileToHash]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|&index| files[index].length);
    order
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let bytes = BinaryBytes(self.bytes);
        let per_second = BinaryBytes((self.bytes as f64 / seconds) as u64);
        let pool = self.pool.to_possible_value().expect("no kind is hidden");
        let (files, workers) = (Counted(self.files, "file"), Counted(self.workers, "worker"));
        write!(f, "{files}, {bytes} in {seconds:.3} s, {per_second}/s (pool {}, {workers})", pool.get_name())
    }
}

/// A number of things, in words.
struct Counted(usize, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, thing) = self;
        write!(f, "{number} {thing}{}", if *number == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_pool_runs_every_task_once() {
        for kind in PoolKind::value_variants() {
            for count in [0, 1, 2, 1000] {
                let runs: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                let pool = Pool::new(*kind, 3).unwrap();
                // ORDERING: Relaxed; the end of the call orders the counts before they are read.
                pool.for_each_index(count, |index| _ = runs[index].fetch_add(1, Ordering::Relaxed));
                assert!(runs.into_iter().all(|runs| runs.into_inner() == 1), "{kind:?} {count}");
            }
        }
    }

    #[test]
    fn summaries_are_readable() {
        let elapsed = Duration::from_millis(500);
        let some = Summary { files: 2, bytes: 3 << 20, elapsed, pool: PoolKind::Zero, workers: 1 };
        assert_eq!(some.to_string(), "2 files, 3.00 MiB in 0.500 s, 6.00 MiB/s (pool zero, 1 worker)");
        let none = Summary { files: 1, bytes: 0, elapsed: Duration::ZERO, pool: PoolKind::Rayon, workers: 8 };
        assert_eq!(none.to_string(), "1 file, 0 B in 0.000 s, 0 B/s (pool rayon, 8 workers)");
    }
}
