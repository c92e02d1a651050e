//! threadpool: a channel of boxed closures behind a mutex. Loops are cut by hand; closures must own what they use, so
//! they get addresses, and the caller waits. It can wait only for everything at once, so that threads cannot share it.

use core::ops::Range;

use threadpool::ThreadPool;

use super::{Erased, Pool, Script, Session, THREADS, Task, Visitor, crumbs, shares};

pub(crate) struct Channel(ThreadPool);

impl Pool for Channel {
    const SHARED: bool = false;

    fn start() -> Self {
        Self(ThreadPool::new(THREADS))
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Door(&self.0))
    }
}

struct Door<'p>(&'p ThreadPool);

impl Door<'_> {
    fn submit(&self, call: Erased) {
        // SAFETY: `join` waits for it before what it borrows is gone.
        self.0.execute(move || unsafe { call.call() });
    }

    fn pieces<F: Fn(usize) + Sync>(
        &self,
        pieces: impl Iterator<Item = Range<usize>>,
        body: &F,
    ) -> Option<()> {
        pieces.for_each(|piece| self.submit(Erased::range(body, piece)));
        self.0.join();
        Some(())
    }
}

impl Session for Door<'_> {
    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        self.pieces(shares(tasks), &body)
    }

    fn uneven<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        self.pieces(crumbs(tasks), &body)
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        let out = script.run(|task| self.submit(Erased::task(task)));
        self.0.join();
        Some(out)
    }
}
