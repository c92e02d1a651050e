//! rayon, twice: called from a thread outside of its pool, as most programs do, and from one of its workers.
//!
//! From outside each call is injected and the caller sleeps until it has ended; from inside the caller is one of the two
//! threads, and a loop costs next to nothing until somebody steals. The two are so different that either alone would
//! mislead.

use rayon::ThreadPool;
use rayon::prelude::*;

use super::{Pool, Script, Session, THREADS, Task, Visitor};

fn build() -> ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("threads can be started")
}

pub(crate) struct Outside(ThreadPool);

impl Pool for Outside {
    fn start() -> Self {
        Self(build())
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut FromOutside(&self.0))
    }
}

#[derive(Clone, Copy)]
struct FromOutside<'p>(&'p ThreadPool);

impl Session for FromOutside<'_> {
    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        self.0.install(|| (0..tasks).into_par_iter().for_each(&body));
        Some(())
    }

    fn map<T: Sync, F: Fn(&T) -> u64 + Sync>(&mut self, items: &[T], out: &mut [u64], body: F) -> Option<()> {
        self.0.install(|| map(items, out, &body));
        Some(())
    }

    fn slice<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        self.0.install(|| tasks.par_iter().for_each(T::run));
        Some(())
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        Some(self.0.in_place_scope(|scope| script.run(|task| scope.spawn(|_| task.run()))))
    }

    fn fork<R: Send>(&mut self, root: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        let mut session = *self;
        Some(self.0.install(move || root(&mut session)))
    }

    fn join<RA: Send, RB: Send>(
        &mut self,
        a: impl FnOnce(&mut Self) -> RA + Send,
        b: impl FnOnce(&mut Self) -> RB + Send,
    ) -> (RA, RB) {
        let session = *self;
        rayon::join(move || a(&mut { session }), move || b(&mut { session }))
    }
}

fn map<T: Sync, F: Fn(&T) -> u64 + Sync>(items: &[T], out: &mut [u64], body: F) {
    out.par_iter_mut().zip(items).for_each(|(place, item)| *place = body(item));
}

pub(crate) struct Inside(ThreadPool);

impl Pool for Inside {
    /// A worker that enters is inside already; threads from outside are the other peer's.
    const SHARED: bool = false;

    fn start() -> Self {
        Self(build())
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        self.0.install(|| visitor.visit(&mut FromInside))
    }
}

#[derive(Clone, Copy)]
struct FromInside;

impl Session for FromInside {
    const WORKERS: usize = THREADS - 1;

    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        (0..tasks).into_par_iter().for_each(&body);
        Some(())
    }

    fn map<T: Sync, F: Fn(&T) -> u64 + Sync>(&mut self, items: &[T], out: &mut [u64], body: F) -> Option<()> {
        map(items, out, &body);
        Some(())
    }

    fn slice<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        tasks.par_iter().for_each(T::run);
        Some(())
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        Some(rayon::scope(|scope| script.run(|task| scope.spawn(|_| task.run()))))
    }

    fn fork<R: Send>(&mut self, root: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        Some(root(self))
    }

    fn join<RA: Send, RB: Send>(
        &mut self,
        a: impl FnOnce(&mut Self) -> RA + Send,
        b: impl FnOnce(&mut Self) -> RB + Send,
    ) -> (RA, RB) {
        rayon::join(|| a(&mut FromInside), || b(&mut FromInside))
    }
}
