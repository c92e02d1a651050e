//! orx-parallel: parallel iterators over its own pool, whose workers pull chunks of a size that adapts.

use orx_parallel::*;

use super::{Pool, Session, THREADS, Task, Visitor};

pub(crate) struct Orx(BasicPool);

impl Pool for Orx {
    fn start() -> Self {
        Self(BasicPool::new(THREADS))
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Door(&self.0))
    }
}

struct Door<'p>(&'p BasicPool);

impl Session for Door<'_> {
    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        (0..tasks).par().runner(Runner::adaptive_with_pool(self.0)).for_each(&body);
        Some(())
    }

    fn slice<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        tasks.par().runner(Runner::adaptive_with_pool(self.0)).for_each(T::run);
        Some(())
    }
}
