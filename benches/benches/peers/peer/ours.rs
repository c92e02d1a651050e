//! zero-pool as it is here.

use zero_pool::ZeroPool;

use super::{Pool, Script, Session, THREADS, Task, Visitor};

pub(crate) struct Ours(ZeroPool);

impl Pool for Ours {
    fn start() -> Self {
        Self(ZeroPool::with_workers(THREADS))
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Door(&self.0))
    }
}

#[derive(Clone, Copy)]
struct Door<'p>(&'p ZeroPool);

impl Session for Door<'_> {
    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        self.0.for_each_index(0..tasks, body);
        Some(())
    }

    fn map<T: Sync, F: Fn(&T) -> u64 + Sync>(&mut self, items: &[T], out: &mut [u64], body: F) -> Option<()> {
        self.0.map_into(items, out, body);
        Some(())
    }

    fn slice<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        self.0.submit_batch_uniform(T::run, tasks).wait();
        Some(())
    }

    fn batch<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        self.slice(tasks)
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        let mut futures = Vec::with_capacity(script.tasks());
        let out = script.run(|task| futures.push(self.0.submit_task(T::run, task)));
        futures.into_iter().for_each(|future| future.wait());
        Some(out)
    }

    fn fork<R: Send>(&mut self, root: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        Some(root(self))
    }

    fn join<RA: Send, RB: Send>(
        &mut self,
        a: impl FnOnce(&mut Self) -> RA + Send,
        b: impl FnOnce(&mut Self) -> RB + Send,
    ) -> (RA, RB) {
        let door = *self;
        self.0.join(move || a(&mut { door }), move || b(&mut { door }))
    }
}
