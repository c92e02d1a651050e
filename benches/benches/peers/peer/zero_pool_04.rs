//! The predecessor, version 0.4.0: a condition variable for the workers, and a batch of parameters for everything.

use zero_pool_04::ZeroPool;

use super::{Pool, Script, Session, THREADS, Task, Visitor};

pub(crate) struct ZeroPool04(ZeroPool);

impl Pool for ZeroPool04 {
    fn start() -> Self {
        Self(ZeroPool::with_workers(THREADS))
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Door(&self.0))
    }
}

struct Door<'p>(&'p ZeroPool);

/// The task function: it gets the parameters as a bare address.
fn run<T: Task>(parameters: *const ()) {
    // SAFETY: every call below submits it with parameters of this type, and waits before they are gone.
    let task = unsafe { &*parameters.cast::<T>() };
    task.run();
}

impl Session for Door<'_> {
    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        let parameters: Vec<_> = (0..tasks).map(|index| Indexed { body: &body, index }).collect();
        self.slice(&parameters)
    }

    fn slice<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        self.0.submit_batch_uniform(run::<T>, tasks).wait();
        Some(())
    }

    fn batch<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        self.slice(tasks)
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        let mut futures = Vec::with_capacity(script.tasks());
        let out = script.run(|task| futures.push(self.0.submit_task(run::<T>, task)));
        futures.into_iter().for_each(|future| future.wait());
        Some(out)
    }
}

/// The parameters of a task that has an index: neither predecessor has a call for these, so a user makes a vector.
pub(super) struct Indexed<'a, F> {
    pub(super) body: &'a F,
    pub(super) index: usize,
}

impl<F: Fn(usize) + Sync> Task for Indexed<'_, F> {
    fn run(&self) {
        (self.body)(self.index);
    }
}
