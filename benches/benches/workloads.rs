//! The seed's twelve lines: three workloads, in four ways, as criterion measures them.
//!
//! | line | what is timed |
//! |---|---|
//! | `.._rayon` | results collected into a new vector, by a parallel iterator, called from outside of rayon's pool |
//! | `.._rayon_optimised` | the same written into a vector that is there, and the whole measurement inside of the pool |
//! | `.._zeropool` | results and parameters built in new vectors, `submit_batch_uniform`, `wait` |
//! | `.._zeropool_optimised` | results written into a vector that is there, by `map_into` |
//!
//! *Heavy compute* is a thousand tasks of 10,000 to 50,000 steps, *indexed computation* a thousand sums of a hundred terms,
//! which compilers turn into a formula, and *task overhead* a thousand tasks that write a constant. All pools have two
//! threads. The unit is one task; the results are compared once per line, before it is timed.
//!
//! Criterion measures one line after another, so that a disturbance hits one line alone. The comparison that takes turns is
//! in `peers`.

use std::hint::black_box;
use std::time::Instant;

use benches::work::{Random, branches};
use criterion::{Criterion, Throughput};
use rayon::prelude::*;
use zero_pool::{ZeroPool, zp_define_task_fn, zp_write};

const THREADS: usize = 2;
const TASKS: usize = 1_000;
/// So many terms has a sum of the indexed computation.
const TERMS: u64 = 100;

/// What the tasks of a workload have in common: an item each, and a function of it.
struct Workload {
    name: &'static str,
    items: Vec<u64>,
}

struct Params {
    item: u64,
    result: *mut u64,
}

fn heavy(steps: u64) -> u64 {
    branches(steps, steps)
}

fn indexed(start: u64) -> u64 {
    (0..black_box(TERMS)).fold(start, |sum, i| sum.wrapping_add(i.wrapping_mul(17).wrapping_add(23)))
}

fn overhead(_: u64) -> u64 {
    black_box(42)
}

zp_define_task_fn!(heavy_task, Params, |params| zp_write!(params.result, heavy(params.item)));
zp_define_task_fn!(indexed_task, Params, |params| zp_write!(params.result, indexed(params.item)));
zp_define_task_fn!(overhead_task, Params, |params| zp_write!(params.result, overhead(params.item)));

/// Measures the four lines of a workload. `run` is generic, so that each line sees the function inlined.
fn lines(
    criterion: &mut Criterion,
    workload: &Workload,
    run: impl Fn(u64) -> u64 + Sync,
    task: impl Fn(&Params) + Copy + Send + Sync,
) {
    let Workload { name, items } = workload;
    let expected: Vec<_> = items.iter().map(|item| run(*item)).collect();
    let mut group = criterion.benchmark_group("workloads");
    group.throughput(Throughput::Elements(TASKS as u64));

    let rayon = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("threads can be started");
    let collect = || -> Vec<u64> { rayon.install(|| items.par_iter().map(|item| run(*item)).collect()) };
    assert_eq!(collect(), expected);
    group.bench_function(format!("bench_{name}_rayon"), |bencher| bencher.iter(collect));

    let mut results = vec![0; TASKS];
    let mut fill = |calls: u64| {
        let start = Instant::now();
        for _ in 0..calls {
            results.par_iter_mut().zip(items).for_each(|(result, item)| *result = run(*item));
            black_box(results.last().copied());
        }
        start.elapsed()
    };
    rayon.install(|| fill(1));
    group.bench_function(format!("bench_{name}_rayon_optimised"), |bencher| {
        bencher.iter_custom(|calls| rayon.install(|| fill(calls)));
    });
    assert_eq!(results, expected);
    drop(rayon);

    let pool = ZeroPool::with_workers(THREADS);
    let submit = || {
        let mut results = vec![0; TASKS];
        let params: Vec<_> =
            results.iter_mut().zip(items).map(|(result, item)| Params { item: *item, result }).collect();
        pool.submit_batch_uniform(task, &params).wait();
        results
    };
    assert_eq!(submit(), expected);
    group.bench_function(format!("bench_{name}_zeropool"), |bencher| bencher.iter(submit));

    let mut results = vec![0; TASKS];
    let mut fill = || {
        pool.map_into(items, &mut results, |item| run(*item));
        black_box(results.last().copied())
    };
    fill();
    group.bench_function(format!("bench_{name}_zeropool_optimised"), |bencher| bencher.iter(&mut fill));
    assert_eq!(results, expected);
    group.finish();
}

fn main() {
    let mut criterion = benches::criterion();
    let mut random = Random::new(1);
    let lengths = (0..TASKS).map(|_| 10_000 + random.number() % 40_001).collect();
    let numbers = || (0..TASKS as u64).collect();
    lines(&mut criterion, &Workload { name: "heavy_compute", items: lengths }, heavy, heavy_task);
    lines(&mut criterion, &Workload { name: "indexed_computation", items: numbers() }, indexed, indexed_task);
    lines(&mut criterion, &Workload { name: "task_overhead", items: numbers() }, overhead, overhead_task);
    criterion.final_summary();
}
