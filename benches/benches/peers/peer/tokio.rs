//! tokio: a runtime for I/O that people also give their computations to. Its caller blocks on the handles of the tasks,
//! and loops are cut by hand. Its documentation asks for tasks that do not block, and a worker that took two which do keeps the other
//! workers from the second, now and then for more than ten seconds: it is not asked to fill them.

use core::ops::Range;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::{Erased, Pool, Script, Session, THREADS, Task, Visitor, crumbs, shares};

pub(crate) struct Tokio(Runtime);

impl Pool for Tokio {
    fn start() -> Self {
        Self(Builder::new_multi_thread().worker_threads(THREADS).build().expect("threads can be started"))
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Door(&self.0))
    }
}

struct Door<'p>(&'p Runtime);

impl Door<'_> {
    fn spawn(&self, call: Erased) -> JoinHandle<()> {
        // SAFETY: `wait` waits for it before what it borrows is gone.
        self.0.spawn(async move { unsafe { call.call() } })
    }

    fn wait(&self, handles: Vec<JoinHandle<()>>) {
        self.0.block_on(async {
            for handle in handles {
                handle.await.expect("no task panics");
            }
        });
    }

    fn pieces<F: Fn(usize) + Sync>(
        &self,
        pieces: impl Iterator<Item = Range<usize>>,
        body: &F,
    ) -> Option<()> {
        self.wait(pieces.map(|piece| self.spawn(Erased::range(body, piece))).collect());
        Some(())
    }
}

impl Session for Door<'_> {
    const MAY_BLOCK: bool = false;

    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        self.pieces(shares(tasks), &body)
    }

    fn uneven<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        self.pieces(crumbs(tasks), &body)
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        let mut handles = Vec::with_capacity(script.tasks());
        let out = script.run(|task| handles.push(self.spawn(Erased::task(task))));
        self.wait(handles);
        Some(out)
    }
}
