//! `std::thread::scope`: no pool, a thread is started for whatever runs beside the caller. Even loops are cut in two;
//! where tasks differ, both threads take crumbs from a shared counter.

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{Pool, Script, Session, THREADS, Task, Visitor, crumbs, shares};

pub(crate) struct Scoped;

/// More threads than that are not started for tasks of their own.
const MANY: usize = 64;

impl Pool for Scoped {
    /// There is no pool to share.
    const SHARED: bool = false;

    fn start() -> Self {
        Self
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Self)
    }
}

impl Session for Scoped {
    const CHEAP_JOIN: bool = false;

    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        let body = &body;
        thread::scope(|scope| {
            let mut shares = shares(tasks);
            let own = shares.next();
            shares.for_each(|share| {
                scope.spawn(move || share.for_each(body));
            });
            own.into_iter().flatten().for_each(body);
        });
        Some(())
    }

    fn uneven<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        let crumbs: Vec<Range<usize>> = crumbs(tasks).collect();
        let next = AtomicUsize::new(0);
        // The counter hands out numbers, and the crumbs were there before the threads.
        let take = || crumbs.get(next.fetch_add(1, Ordering::Relaxed)).cloned();
        let work = || core::iter::from_fn(take).flatten().for_each(&body);
        thread::scope(|scope| {
            (1..THREADS).for_each(|_| {
                scope.spawn(work);
            });
            work();
        });
        Some(())
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        (script.tasks() <= MANY).then(|| {
            thread::scope(|scope| {
                script.run(|task| {
                    scope.spawn(|| task.run());
                })
            })
        })
    }

    fn fork<R: Send>(&mut self, root: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        Some(root(self))
    }

    fn join<RA: Send, RB: Send>(
        &mut self,
        a: impl FnOnce(&mut Self) -> RA + Send,
        b: impl FnOnce(&mut Self) -> RB + Send,
    ) -> (RA, RB) {
        thread::scope(|scope| {
            let b = scope.spawn(|| b(&mut Self));
            let a = a(&mut Self);
            (a, b.join().expect("no closure panics"))
        })
    }
}
