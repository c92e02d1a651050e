//! The predecessor, version 0.9.0: workers that park, scopes with a counter on the caller's stack.

use core::num::NonZeroUsize;
use core::slice;

use zero_pool_09::ZeroPool;

use super::zero_pool_04::Indexed;
use super::{Pool, Script, Session, THREADS, Task, Visitor};

pub(crate) struct ZeroPool09(ZeroPool);

impl Pool for ZeroPool09 {
    fn start() -> Self {
        Self(ZeroPool::with_workers(NonZeroUsize::new(THREADS).expect("there are threads")))
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Door(&self.0))
    }
}

struct Door<'p>(&'p ZeroPool);

impl Session for Door<'_> {
    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        let parameters: Vec<_> = (0..tasks).map(|index| Indexed { body: &body, index }).collect();
        self.slice(&parameters)
    }

    fn slice<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        self.0.run(T::run, tasks);
        Some(())
    }

    fn batch<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        self.slice(tasks)
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        Some(self.0.scope(|scope| script.run(|task| scope.run(T::run, slice::from_ref(task)))))
    }
}
