//! chili: joins, and a heartbeat that decides when one of them is shared. Loops are halved by joins down to one task, as
//! its own documentation does; it has no call that submits a task by itself.

use core::num::NonZero;
use core::ops::Range;

use chili::{Config, Scope, ThreadPool};

use super::{Pool, Session, THREADS, Visitor};

pub(crate) struct Chili(ThreadPool);

impl Pool for Chili {
    fn start() -> Self {
        // The caller is counted.
        Self(ThreadPool::with_config(Config { thread_count: NonZero::new(THREADS), ..Config::default() }))
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        let mut scope = self.0.scope();
        visitor.visit(Inside::of(&mut scope))
    }
}

#[repr(transparent)]
struct Inside(Scope<'static>);

impl Inside {
    fn of<'a>(scope: &'a mut Scope<'_>) -> &'a mut Self {
        // SAFETY: the layout is the same, and nobody moves the scope out of the reference, which is as short as it was.
        unsafe { &mut *core::ptr::from_mut(scope).cast::<Self>() }
    }
}

fn halve<F: Fn(usize) + Sync>(scope: &mut Scope<'_>, range: Range<usize>, body: &F) {
    match range.len() {
        0 => {}
        1 => body(range.start),
        tasks => {
            let middle = range.start + tasks / 2;
            let (left, right) = (range.start..middle, middle..range.end);
            scope.join(|scope| halve(scope, left, body), |scope| halve(scope, right, body));
        }
    }
}

impl Session for Inside {
    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        halve(&mut self.0, 0..tasks, &body);
        Some(())
    }

    fn fork<R: Send>(&mut self, root: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        Some(root(self))
    }

    fn join<RA: Send, RB: Send>(
        &mut self,
        a: impl FnOnce(&mut Self) -> RA + Send,
        b: impl FnOnce(&mut Self) -> RB + Send,
    ) -> (RA, RB) {
        self.0.join(|scope| a(Self::of(scope)), |scope| b(Self::of(scope)))
    }
}
