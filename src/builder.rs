//! How a pool is to be made: the number of workers, and what their threads are like.

use core::fmt;
use core::mem;

use crate::error::BuildError;
use crate::pool::{Handlers, ZeroPool};
use crate::sync::thread;

/// Makes a pool with other settings than [`ZeroPool::new`] has.
///
/// # Examples
///
/// ```
/// use zero_pool::ZeroPool;
///
/// let pool = ZeroPool::builder()
///     .workers(2)
///     .thread_name(|worker| format!("resizer-{worker}"))
///     .stack_size(256 * 1024)
///     .build()?;
/// let name = pool.spawn(|| std::thread::current().name().map(String::from));
/// // `join` may run the closure on this thread, so let a worker do it.
/// while !name.is_finished() {
///     std::thread::yield_now();
/// }
/// assert!(name.join().unwrap().unwrap().starts_with("resizer-"));
/// # Ok::<(), zero_pool::BuildError>(())
/// ```
#[must_use = "a builder makes nothing until it is told to build"]
#[derive(Default)]
pub struct Builder {
    workers: Option<usize>,
    stack_size: Option<usize>,
    thread_name: Option<Box<dyn Fn(usize) -> String>>,
    handlers: Handlers,
}

impl Builder {
    /// Sets the number of workers. Without it there are as many as threads can run at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::builder().workers(3).build()?;
    /// assert_eq!(pool.workers(), 3);
    /// # Ok::<(), zero_pool::BuildError>(())
    /// ```
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Sets the size of the workers' stacks in bytes. Without it, it is that of `std::thread::spawn`.
    ///
    /// # Examples
    ///
    /// ```
    /// use zero_pool::{BuildError, ZeroPool};
    ///
    /// let absurd = ZeroPool::builder().workers(1).stack_size(usize::MAX / 4).build();
    /// assert!(matches!(absurd, Err(BuildError::Spawn { worker: 0, .. })));
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets the names of the workers' threads, from their numbers. Without it they are `zero-pool-0` and so on.
    ///
    /// # Panics
    ///
    /// [`build`](Self::build) panics if `name` does, or if a name has a zero byte; no thread is left then.
    ///
    /// # Examples
    ///
    /// See [`Builder`].
    pub fn thread_name(mut self, name: impl Fn(usize) -> String + 'static) -> Self {
        self.thread_name = Some(Box::new(name));
        self
    }

    /// Sets what each worker calls, with its number, before its first task. A panic of it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let (started, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    /// let count = |counter: &Arc<AtomicUsize>| {
    ///     let counter = Arc::clone(counter);
    ///     move |_worker| { counter.fetch_add(1, Ordering::Relaxed); }
    /// };
    /// let builder = zero_pool::ZeroPool::builder().workers(2);
    /// let pool = builder.start_handler(count(&started)).exit_handler(count(&ended)).build()?;
    /// drop(pool);
    /// assert_eq!((started.load(Ordering::Relaxed), ended.load(Ordering::Relaxed)), (2, 2));
    /// # Ok::<(), zero_pool::BuildError>(())
    /// ```
    pub fn start_handler(mut self, handler: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.handlers.start = Some(Box::new(handler));
        self
    }

    /// Sets what each worker calls, with its number, after its last task. A panic of it is dropped.
    ///
    /// # Examples
    ///
    /// See [`start_handler`](Self::start_handler).
    pub fn exit_handler(mut self, handler: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.handlers.exit = Some(Box::new(handler));
        self
    }

    /// Makes the pool.
    ///
    /// # Errors
    ///
    /// If there are to be no workers or too many, or if the system does not start one of them. No thread is left then.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::builder().build()?;
    /// assert!(pool.workers() >= 1);
    /// # Ok::<(), zero_pool::BuildError>(())
    /// ```
    pub fn build(mut self) -> Result<ZeroPool, BuildError> {
        let workers = self.workers.unwrap_or_else(thread::available_parallelism);
        let handlers = mem::take(&mut self.handlers);
        ZeroPool::start(workers, handlers, |worker| self.thread(worker))
    }

    /// Prepares the thread of a worker.
    fn thread(&self, worker: usize) -> thread::Builder {
        let name =
            self.thread_name.as_ref().map_or_else(|| format!("zero-pool-{worker}"), |name| name(worker));
        let thread = thread::Builder::new().name(name);
        match self.stack_size {
            Some(bytes) => thread.stack_size(bytes),
            None => thread,
        }
    }
}

impl ZeroPool {
    /// Makes a pool with as many workers as threads can run at once here, which heeds CPU quotas.
    ///
    /// # Panics
    ///
    /// If a worker cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::new();
    /// assert!(pool.workers() >= 1);
    /// ```
    pub fn new() -> Self {
        Self::builder().build().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Makes a pool with so many workers.
    ///
    /// # Panics
    ///
    /// - If `workers` is zero or more than about a million.
    /// - If a worker cannot be started; no thread is left then.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::with_workers(3);
    /// assert_eq!(pool.workers(), 3);
    /// ```
    pub fn with_workers(workers: usize) -> Self {
        Self::builder().workers(workers).build().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns a builder for a pool with other settings.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = zero_pool::ZeroPool::builder().workers(2).build()?;
    /// assert_eq!(pool.workers(), 2);
    /// # Ok::<(), zero_pool::BuildError>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Default for ZeroPool {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, stack_size, .. } = self;
        f.debug_struct("Builder")
            .field("workers", workers)
            .field("stack_size", stack_size)
            .finish_non_exhaustive()
    }
}
