//! Properties of the pool as a whole: what was submitted runs once, whoever submits, waits, panics, and goes.
//!
//! The first property runs programs of the little [language](program), at any depth and from several threads, and
//! compares their values with what they mean. The others are about what a program cannot say: parameters of any type,
//! any range, and who outlives whom. Each is run with real threads, so that a failure is seldom the same twice; a hang
//! fails with the name of its property.

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptests::watchdog::watch;
use zero_pool::{TaskFuture, ZeroPool};

#[path = "pool/program.rs"]
mod program;

/// Long beyond what any case takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Small pools mostly, as they are short of workers and quickly made.
fn workers() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 1..=4_usize, 1 => 5..=64_usize]
}

proptest! {
    #![proptest_config(proptests::config!(1_000))]

    /// Several threads run their programs on one pool, and each program has the value that it means.
    #[test]
    fn p1_programs_have_their_values(
        workers in workers(),
        programs in prop::collection::vec(program::programs(3), 1..=3),
    ) {
        let _watchdog = watch("p1_programs_have_their_values", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        thread::scope(|threads| {
            let (first, others) = programs.split_first().expect("there is one");
            for steps in others {
                threads.spawn(|| assert_eq!(program::run(&pool, steps), program::meaning(steps)));
            }
            assert_eq!(program::run(&pool, first), program::meaning(first));
        });
    }
}

/// A zero-sized parameter that lies where few things may.
#[derive(Clone)]
#[repr(align(64))]
struct Aligned;

/// Submits a batch and counts how often each parameter is handed to a task; of what has no size, the first stands for
/// all.
fn visits<P>(pool: &ZeroPool, params: &[P]) -> Vec<usize> {
    let counts: Vec<_> = params.iter().map(|_| AtomicUsize::new(0)).collect();
    let first = params.as_ptr().addr();
    let visit = |param: &P| {
        let param = ptr::from_ref(param);
        assert!(param.is_aligned());
        let index = (param.addr() - first).checked_div(size_of::<P>());
        counts[index.unwrap_or(0)].fetch_add(1, Ordering::Relaxed);
    };
    pool.submit_batch_uniform(visit, params).wait();
    counts.into_iter().map(AtomicUsize::into_inner).collect()
}

#[track_caller]
fn assert_visited_once<P: Clone>(pool: &ZeroPool, tasks: usize, param: P) {
    let visits = visits(pool, &vec![param; tasks]);
    if size_of::<P>() > 0 {
        assert!(visits.iter().all(|&visits| visits == 1), "{visits:?}");
    }
    assert_eq!(visits.iter().sum::<usize>(), tasks);
}

/// Submits the parameters that `make` makes of their indexes, and counts what `read` finds in those that arrive.
#[track_caller]
fn assert_arrive<P>(pool: &ZeroPool, tasks: usize, make: fn(usize) -> P, read: fn(&P) -> usize) {
    let params: Vec<_> = (0..tasks).map(make).collect();
    let counts: Vec<_> = params.iter().map(|_| AtomicUsize::new(0)).collect();
    let task = |param: &P| {
        counts[read(param)].fetch_add(1, Ordering::Relaxed);
    };
    pool.submit_batch_uniform(task, &params).wait();
    assert!(counts.into_iter().all(|count| count.into_inner() == 1));
}

fn tasks() -> impl Strategy<Value = usize> {
    prop_oneof![0..=4_usize, 0..=3_000_usize, Just(30_000)]
}

proptest! {
    #![proptest_config(proptests::config!(300))]

    /// A batch of any size hands each of its parameters to one task, whatever their size and alignment.
    #[test]
    fn d1_each_parameter_is_handed_out_once(workers in workers(), tasks in tasks()) {
        let _watchdog = watch("d1_each_parameter_is_handed_out_once", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        assert_visited_once(&pool, tasks, ());
        assert_visited_once(&pool, tasks, Aligned);
        assert_visited_once(&pool, tasks, 1_u8);
        assert_visited_once(&pool, tasks, [1_u8; 3]);
        assert_visited_once(&pool, tasks, [1_u64; 9]);
        assert_visited_once(&pool, tasks, (Aligned, 1_u8));
    }

    /// Parameters arrive as what they are.
    #[test]
    fn p6_parameters_arrive_whole(workers in workers(), tasks in tasks()) {
        let _watchdog = watch("p6_parameters_arrive_whole", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        assert_arrive(&pool, tasks, |index| index, |param| *param);
        assert_arrive(&pool, tasks, |index| [index; 5], |param| param[4]);
        assert_arrive(&pool, tasks, |index| (Aligned, index), |param| param.1);
        assert_arrive(&pool, tasks, |index| (index as u32, 'x', 0_u8), |param| param.0 as usize);
        assert_arrive(&pool, tasks, |index| Some(Box::new(index)), |param| **param.as_ref().unwrap());
        assert_arrive(&pool, tasks, |index| index.to_string(), |param| param.parse().unwrap());
    }
}

fn assert_each_index_once(pool: &ZeroPool, range: Range<usize>) {
    let counts: Vec<_> = range.clone().map(|_| AtomicUsize::new(0)).collect();
    pool.for_each_index(range.clone(), |index| {
        assert!(range.contains(&index));
        counts[index - range.start].fetch_add(1, Ordering::Relaxed);
    });
    assert!(counts.into_iter().all(|count| count.into_inner() == 1), "{range:?}");
}

proptest! {
    #![proptest_config(proptests::config!(1_000))]

    #[test]
    fn b1_a_loop_takes_each_index_of_its_range_once(
        workers in 1..=4_usize,
        ends in prop_oneof![
            any::<[usize; 2]>().prop_filter("too long", |&[start, end]| start.saturating_add(5_000) > end),
            (any::<usize>(), 0..=5_000_usize).prop_map(|(start, len)| [start, start.saturating_add(len)]),
            (0..=5_000_usize).prop_map(|len| [usize::MAX - len, usize::MAX]),
        ],
    ) {
        let _watchdog = watch("b1_a_loop_takes_each_index_of_its_range_once", DEADLINE);
        let [start, end] = ends;
        assert_each_index_once(&ZeroPool::with_workers(workers), start..end);
    }
}

/// Tells in its task how often that ran; some panic after that.
#[derive(Debug)]
struct Counted {
    runs: AtomicUsize,
    panics: bool,
}

impl Counted {
    /// Makes the parameters of a batch. Every so many tasks one panics; zero for none.
    fn batch(tasks: usize, panics: usize) -> Vec<Self> {
        let param = |index: usize| Self {
            runs: AtomicUsize::new(0),
            panics: panics > 0 && index % panics == panics - 1,
        };
        (0..tasks).map(param).collect()
    }

    fn run(&self) {
        thread::yield_now();
        self.runs.fetch_add(1, Ordering::Relaxed);
        if self.panics {
            resume_unwind(Box::new("planned"));
        }
    }

    #[track_caller]
    fn assert_all_ran(batch: &[Self]) {
        let ran = |param: &Self| param.runs.load(Ordering::Relaxed) == 1;
        assert!(batch.iter().all(ran), "{batch:?}");
    }
}

fn batches() -> impl Strategy<Value = Vec<Vec<Counted>>> {
    let sizes = (0..=60_usize, prop_oneof![Just(0), 1..=10_usize]);
    let batch = sizes.prop_map(|(tasks, panics)| Counted::batch(tasks, panics));
    prop::collection::vec(batch, 1..=20)
}

/// Waits for a future whose pool may be gone, and checks that it knows all of the end.
#[track_caller]
fn assert_ends(future: TaskFuture<'_>, batch: &[Counted]) {
    let panics = batch.iter().any(|param| param.panics);
    let clone = future.clone();
    let ended = catch_unwind(AssertUnwindSafe(|| future.wait()));
    assert!(clone.is_complete() && clone.wait_timeout(Duration::ZERO));
    Counted::assert_all_ran(batch);
    assert_eq!(ended.is_err(), panics);
    assert_eq!(catch_unwind(AssertUnwindSafe(|| clone.wait())).is_err(), panics);
}

proptest! {
    #![proptest_config(proptests::config!(1_000))]

    /// Guests run tasks while the pool is dropped. When that returns, all tasks have ended; some futures are waited for
    /// only then, and some never.
    #[test]
    fn p5_futures_outlive_their_pool(
        workers in 1..=3_usize,
        batches in batches(),
        (guests, late) in (0..=3_usize, 0..=3_usize),
    ) {
        let _watchdog = watch("p5_futures_outlive_their_pool", DEADLINE);
        let pool = ZeroPool::with_workers(workers);
        let mut futures: Vec<_> = batches
            .iter()
            .map(|batch| (pool.submit_batch_uniform(Counted::run, batch), batch))
            .collect();
        thread::scope(|threads| {
            for _ in 0..guests.min(futures.len()) {
                let (future, batch) = futures.swap_remove(0);
                threads.spawn(|| assert_ends(future, batch));
            }
            drop(pool);
            batches.iter().for_each(|batch| Counted::assert_all_ran(batch));
        });
        for (future, batch) in futures.into_iter().take(late) {
            assert_ends(future, batch);
        }
    }
}

/// What lives for ever as far as the compiler knows, and in truth as long as its owner.
struct Lasting<T>(NonNull<T>);

impl<T> Lasting<T> {
    fn new(value: T) -> Self {
        Self(NonNull::from(Box::leak(Box::new(value))))
    }

    /// Lends the value to tasks that have ended when the owner goes.
    fn get(&self) -> &'static T {
        // SAFETY: from a box, which lasts as long as the owner.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Lasting<T> {
    fn drop(&mut self) {
        // SAFETY: from a box; the tests drop their pool, and with it the last borrower, before.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

proptest! {
    #![proptest_config(proptests::config!(1_000))]

    /// Whatever was detached has run when the pool has been dropped, and some of it was waited for by clones.
    #[test]
    fn p7_what_is_detached_runs(workers in 1..=3_usize, batches in batches(), waiting in 0..=3_usize) {
        let _watchdog = watch("p7_what_is_detached_runs", DEADLINE);
        let batches: Vec<_> = batches.into_iter().map(Lasting::new).collect();
        let pool = ZeroPool::with_workers(workers);
        for (index, batch) in batches.iter().enumerate() {
            let future = pool.submit_batch_uniform(Counted::run, batch.get());
            let clone = (index < waiting).then(|| future.clone());
            future.detach();
            if let Some(clone) = clone {
                assert_ends(clone, batch.get());
            }
        }
        drop(pool);
        batches.iter().for_each(|batch| Counted::assert_all_ran(batch.get()));
    }
}

thread_local! {
    /// Kept until the thread ends.
    static KEEPSAKE: RefCell<Option<Arc<()>>> = const { RefCell::new(None) };
}

/// A task that lets go of a pool.
struct Owner {
    pool: Mutex<Option<Arc<ZeroPool>>>,
    runs: AtomicUsize,
    keepsake: Arc<()>,
}

impl Owner {
    fn let_go(&self) {
        KEEPSAKE.set(Some(Arc::clone(&self.keepsake)));
        self.runs.fetch_add(1, Ordering::Relaxed);
        thread::yield_now();
        let pool = self.pool.lock().expect("nobody panics under the lock").take();
        drop(pool);
    }
}

proptest! {
    #![proptest_config(proptests::config!(1_500))]

    /// The last to let go of the pool is one of its tasks, on a worker or on the thread that waits, or that thread. All
    /// tasks run, and the workers end.
    #[test]
    fn p8_a_task_drops_the_pool(
        workers in 1..=4_usize,
        tasks in 1..=30_usize,
        (waits, early) in any::<(bool, bool)>(),
    ) {
        let _watchdog = watch("p8_a_task_drops_the_pool", DEADLINE);
        let keepsake = Arc::new(());
        let pool = Arc::new(ZeroPool::with_workers(workers));
        let owner = |_| Owner {
            pool: Mutex::new(Some(Arc::clone(&pool))),
            runs: AtomicUsize::new(0),
            keepsake: Arc::clone(&keepsake),
        };
        let owners: Vec<_> = (0..tasks).map(owner).collect();
        let future = pool.submit_batch_uniform(Owner::let_go, &owners);
        if early {
            drop(pool);
            if waits { future.wait() } else { drop(future) }
        } else {
            if waits { future.wait() } else { drop(future) }
            drop(pool);
        }
        assert!(owners.into_iter().all(|owner| owner.runs.into_inner() == 1));
        // This thread may have run tasks, too, and lives on.
        KEEPSAKE.take();
        while Arc::strong_count(&keepsake) > 1 {
            thread::yield_now();
        }
    }
}
