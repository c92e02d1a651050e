//! No pool at all: one thread does everything, one after another. Half of its time is what two threads could reach.

use super::{Pool, Script, Session, Task, Visitor};

pub(crate) struct Sequential;

impl Pool for Sequential {
    fn start() -> Self {
        Self
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Self)
    }
}

impl Session for Sequential {
    const WORKERS: usize = 0;

    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        (0..tasks).for_each(body);
        Some(())
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        Some(script.run(T::run))
    }

    fn fork<R: Send>(&mut self, root: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        Some(root(self))
    }

    fn join<RA: Send, RB: Send>(
        &mut self,
        a: impl FnOnce(&mut Self) -> RA + Send,
        b: impl FnOnce(&mut Self) -> RB + Send,
    ) -> (RA, RB) {
        (a(self), b(self))
    }
}
