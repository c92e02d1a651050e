//! The peers: what a benchmark may ask of a pool, and who answers.
//!
//! A [`Pool`] is started afresh for every visit. A thread that wants to use it *enters* and gets a [`Session`], whose
//! methods are the questions of the workloads. All are generic, so that a peer written in Rust can inline a task as its
//! users would see it inlined. A peer answers `None` where it has no call of that kind; its row is then left out.

use core::ops::Range;

pub(crate) mod bevy;
pub(crate) mod chili;
#[cfg(onetbb)]
pub(crate) mod onetbb;
#[cfg(openmp)]
pub(crate) mod openmp;
pub(crate) mod orx;
pub(crate) mod ours;
pub(crate) mod paralight;
pub(crate) mod rayon;
pub(crate) mod scoped;
pub(crate) mod sequential;
mod shim;
pub(crate) mod threadpool;
pub(crate) mod tokio;
pub(crate) mod zero_pool_04;
pub(crate) mod zero_pool_09;

/// How many threads each peer has in all, the caller's among them if the peer lets it work.
pub(crate) const THREADS: usize = 2;

/// One task that is known by its parameters, as of the seed's surface.
pub(crate) trait Task: Sync {
    fn run(&self);
}

/// What submits tasks one by one, within [`Session::scope`].
pub(crate) trait Script<'t, T: Task + 't>: Send {
    type Out: Send;
    /// At most so many tasks are submitted.
    fn tasks(&self) -> usize;
    fn run(self, submit: impl FnMut(&'t T)) -> Self::Out;
}

/// Submits each task of a slice.
pub(crate) struct Each<'t, T>(pub(crate) &'t [T]);

impl<'t, T: Task + 't> Script<'t, T> for Each<'t, T> {
    type Out = ();

    fn tasks(&self) -> usize {
        self.0.len()
    }

    fn run(self, submit: impl FnMut(&'t T)) {
        self.0.iter().for_each(submit);
    }
}

/// A pool that was started for one visit.
pub(crate) trait Pool: Sync + Sized {
    /// Whether threads that enter at once share the workers.
    const SHARED: bool = true;

    fn start() -> Self;

    /// Calls the visitor with a session, on this thread or, for peers that are at home inside, on a worker.
    fn enter<V: Visitor>(&self, visitor: V) -> V::Out;
}

/// A closure that is generic in the session.
pub(crate) trait Visitor: Send {
    type Out: Send;
    fn visit<S: Session>(self, session: &mut S) -> Self::Out;
}

/// A closure that is generic in the pool.
pub(crate) trait PoolVisitor {
    type Out;
    fn visit<P: Pool>(self, pool: &P) -> Self::Out;
}

/// One thread's access to a pool.
pub(crate) trait Session: Sized {
    /// How many threads run tasks while the caller does something else.
    const WORKERS: usize = THREADS;
    /// Whether a join costs less than the start of a thread.
    const CHEAP_JOIN: bool = true;
    /// Whether a task may block, and all workers still get one each.
    const MAY_BLOCK: bool = true;
    /// Whether it allocates by the allocator that counts.
    const COUNTED: bool = true;

    /// Calls `body` once for each index below `tasks`, and returns when all calls have ended.
    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()>;

    /// The same where tasks are known to differ in length.
    fn uneven<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        self.index(tasks, body)
    }

    /// Writes `body` of each item to its place in `out`.
    fn map<T: Sync, F: Fn(&T) -> u64 + Sync>(&mut self, items: &[T], out: &mut [u64], body: F) -> Option<()> {
        assert_eq!(items.len(), out.len(), "each item has its place");
        let out = Places(out.as_mut_ptr());
        self.index(items.len(), |index| out.write(index, body(&items[index])))
    }

    /// Runs each task of a slice that lies ready, by the call that the peer has for slices.
    fn slice<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        self.index(tasks.len(), |index| tasks[index].run())
    }

    /// Submits each task so that it could be waited for by itself, in one call if there is one, and waits for all.
    fn batch<T: Task>(&mut self, tasks: &[T]) -> Option<()> {
        self.scope(Each(tasks))
    }

    /// Lets `script` submit tasks one by one, and waits for all.
    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, _script: S) -> Option<S::Out> {
        None
    }

    /// Enters where `join` may be called.
    fn fork<R: Send>(&mut self, _root: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        None
    }

    /// Runs both, at once if a thread is free. Only called within [`fork`](Self::fork).
    fn join<RA: Send, RB: Send>(
        &mut self,
        _a: impl FnOnce(&mut Self) -> RA + Send,
        _b: impl FnOnce(&mut Self) -> RB + Send,
    ) -> (RA, RB) {
        unreachable!("a peer that forks also joins")
    }
}

/// Where results go when each task knows its own place.
struct Places(*mut u64);

// SAFETY: every place is written by one task.
unsafe impl Sync for Places {}

impl Places {
    fn write(&self, index: usize, value: u64) {
        // SAFETY: `map` has as many places as tasks, and one task for each.
        let place = unsafe { self.0.add(index) };
        // SAFETY: as above.
        unsafe { place.write(value) };
    }
}

/// A call without a type and without a lifetime, for peers whose closures must own what they use.
#[derive(Clone, Copy)]
pub(crate) struct Erased {
    run: shim::CallRange,
    context: shim::Context,
    begin: usize,
    end: usize,
}

// SAFETY: it stands for a shared reference to something that is `Sync`.
unsafe impl Send for Erased {}

impl Erased {
    pub(crate) fn range<F: Fn(usize) + Sync>(body: &F, range: Range<usize>) -> Self {
        let context = core::ptr::from_ref(body).cast();
        Self { run: shim::call_range::<F>, context, begin: range.start, end: range.end }
    }

    pub(crate) fn task<T: Task>(task: &T) -> Self {
        let context = core::ptr::from_ref(task).cast();
        Self { run: shim::call_task_in_range::<T>, context, begin: 0, end: 1 }
    }

    /// Makes the call.
    ///
    /// # Safety
    ///
    /// - What it was made of is still there: whoever submits it waits for it.
    pub(crate) unsafe fn call(self) {
        // SAFETY: the constructors pair a function with its context.
        unsafe { (self.run)(self.context, self.begin, self.end) };
    }
}

/// Cuts `tasks` indexes by hand into one range for each thread.
pub(crate) fn shares(tasks: usize) -> impl Iterator<Item = Range<usize>> {
    let ranges = (0..THREADS).map(move |share| tasks * share / THREADS..tasks * (share + 1) / THREADS);
    ranges.filter(|range| !range.is_empty())
}

/// Cuts `tasks` indexes by hand into many small ranges, for tasks of different lengths.
pub(crate) fn crumbs(tasks: usize) -> impl Iterator<Item = Range<usize>> {
    let size = tasks.div_ceil(32 * THREADS).max(1);
    (0..tasks).step_by(size).map(move |start| start..tasks.min(start + size))
}
