//! paralight: loops over slices and ranges, fixed shares for even tasks, stealing of ranges for uneven ones. Its caller
//! sleeps, and only one thread can use it at a time.

use core::cell::RefCell;
use core::num::NonZeroUsize;

use paralight::prelude::*;
use std::sync::Mutex;

use super::{Pool, Session, THREADS, Task, Visitor};

fn build(range_strategy: RangeStrategy) -> ThreadPool {
    let num_threads = ThreadCount::Count(NonZeroUsize::new(THREADS).expect("there are threads"));
    ThreadPoolBuilder { num_threads, range_strategy, cpu_pinning: CpuPinningPolicy::No }.build()
}

pub(crate) struct Paralight(Mutex<Door>);

impl Pool for Paralight {
    const SHARED: bool = false;

    fn start() -> Self {
        Self(Mutex::new(Door { fixed: build(RangeStrategy::Fixed), stealing: RefCell::new(None) }))
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut *self.0.lock().expect("nobody panics in here"))
    }
}

struct Door {
    fixed: ThreadPool,
    /// Made when it is first needed.
    stealing: RefCell<Option<ThreadPool>>,
}

impl Session for Door {
    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        (0..tasks).into_par_iter().with_thread_pool(&mut self.fixed).for_each(body);
        Some(())
    }

    fn uneven<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        let mut pool = self.stealing.borrow_mut();
        let pool = pool.get_or_insert_with(|| build(RangeStrategy::WorkStealing));
        (0..tasks).into_par_iter().with_thread_pool(pool).for_each(body);
        Some(())
    }

    fn map<T: Sync, F: Fn(&T) -> u64 + Sync>(&mut self, items: &[T], out: &mut [u64], body: F) -> Option<()> {
        let pairs = (out.par_iter_mut(), items.par_iter()).zip_eq();
        pairs.with_thread_pool(&mut self.fixed).for_each(|(place, item)| *place = body(item));
        Some(())
    }

    fn slice<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        tasks.par_iter().with_thread_pool(&mut self.fixed).for_each(T::run);
        Some(())
    }
}
