//! bevy_tasks: an async executor per pool, whose scopes are run by the caller too. Loops are cut by hand: one task for
//! each thread, or crumbs where the tasks differ.

use core::ops::Range;

use bevy_tasks::{TaskPool, TaskPoolBuilder};

use super::{Pool, Script, Session, THREADS, Task, Visitor, crumbs, shares};

pub(crate) struct Bevy(TaskPool);

impl Pool for Bevy {
    fn start() -> Self {
        // The caller of a scope is a thread besides.
        Self(TaskPoolBuilder::new().num_threads(THREADS - 1).build())
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Door(&self.0))
    }
}

struct Door<'p>(&'p TaskPool);

impl Door<'_> {
    fn pieces<F: Fn(usize) + Sync>(
        &self,
        pieces: impl Iterator<Item = Range<usize>>,
        body: &F,
    ) -> Option<()> {
        self.0.scope(|scope| pieces.for_each(|piece| scope.spawn(async move { piece.for_each(body) })));
        Some(())
    }
}

impl Session for Door<'_> {
    const WORKERS: usize = THREADS - 1;

    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        self.pieces(shares(tasks), &body)
    }

    fn uneven<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        self.pieces(crumbs(tasks), &body)
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        let mut out = None;
        self.0.scope(|scope| out = Some(script.run(|task| scope.spawn(async { task.run() }))));
        out
    }
}
