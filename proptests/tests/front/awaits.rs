//! Handles that are awaited: with nothing but a waker, and by a real executor.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};

use proptests::watchdog::watch;
use zero_pool::JoinHandle;

use super::*;

/// Unparks its thread, and counts how often.
pub(crate) struct Bell {
    thread: thread::Thread,
    rings: AtomicUsize,
}

impl Bell {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { thread: thread::current(), rings: AtomicUsize::new(0) })
    }

    fn rings(&self) -> usize {
        self.rings.load(Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rings.fetch_add(1, Ordering::Release);
        self.thread.unpark();
    }
}

/// Awaits a future with nothing but its waker.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let (mut future, bell) = (pin!(future), Bell::new());
    let waker = Waker::from(Arc::clone(&bell));
    loop {
        let before = bell.rings();
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        while bell.rings() == before {
            thread::park();
        }
    }
}

pub(crate) fn poll<T: 'static>(handle: &mut JoinHandle<T>, waker: &Waker) -> Poll<thread::Result<T>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

/// The waker of the last poll is called, and that alone.
#[test]
fn j2_the_last_waker_is_called() {
    let _watchdog = watch("awaits::j2_the_last_waker_is_called", DEADLINE);
    let pool = ZeroPool::with_workers(1);
    for _ in 0..500 {
        let go = Arc::new(AtomicBool::new(false));
        let mut handle = pool.spawn({
            let go = Arc::clone(&go);
            move || {
                while !go.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
            }
        });
        let bells = [Bell::new(), Bell::new(), Bell::new()];
        for bell in &bells {
            assert!(poll(&mut handle, &Waker::from(Arc::clone(bell))).is_pending());
        }
        go.store(true, Ordering::Relaxed);
        while bells[2].rings() == 0 {
            thread::park();
        }
        assert!(poll(&mut handle, Waker::noop()).is_ready(), "who is woken finds the result");
        assert_eq!(bells.each_ref().map(|bell| bell.rings()), [0, 0, 1]);
        // The call that we have heard of may still end.
        while bells.iter().any(|bell| Arc::strong_count(bell) > 1) {
            thread::yield_now();
        }
    }
}

/// A handle that was dropped is not heard of again.
#[test]
fn j2_a_dropped_handle_drops_its_waker() {
    let _watchdog = watch("awaits::j2_a_dropped_handle_drops_its_waker", DEADLINE);
    let pool = ZeroPool::with_workers(1);
    for _ in 0..500 {
        let (bell, go) = (Bell::new(), Arc::new(AtomicBool::new(false)));
        let mut handle = pool.spawn({
            let go = Arc::clone(&go);
            move || {
                while !go.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
            }
        });
        assert!(poll(&mut handle, &Waker::from(Arc::clone(&bell))).is_pending());
        drop(handle);
        assert_eq!(Arc::strong_count(&bell), 1, "the waker is left");
        go.store(true, Ordering::Relaxed);
        pool.spawn(|| ()).join_timeout(Duration::MAX).expect("it ends").expect("no panic");
        assert_eq!(bell.rings(), 0);
    }
}

#[test]
fn j2_an_awaited_handle_is_used_up() {
    let _watchdog = watch("awaits::j2_an_awaited_handle_is_used_up", DEADLINE);
    let pool = ZeroPool::with_workers(1);
    let mut handle = pool.spawn(|| 7);
    assert_eq!(block_on(&mut handle).expect("no panic"), 7);
    for use_again in [
        catch_unwind(AssertUnwindSafe(|| assert!(poll(&mut handle, Waker::noop()).is_ready()))),
        catch_unwind(AssertUnwindSafe(|| assert!(handle.is_finished()))),
        catch_unwind(AssertUnwindSafe(|| drop(handle.join()))),
    ] {
        let payload = use_again.expect_err("it is used up");
        let text = payload.downcast_ref::<&str>().copied().map(str::to_owned);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("it is a message");
        assert!(text.contains("awaited to its end"), "{text}");
    }
}

/// Handles in the hands of a real executor: awaited by its tasks, on its threads, and given up when a time is over.
#[test]
#[cfg_attr(miri, ignore = "an executor that asks the system for events")]
fn j2_tokio_awaits_handles() {
    let _watchdog = watch("awaits::j2_tokio_awaits_handles", DEADLINE);
    let pool = Arc::new(ZeroPool::with_workers(2));
    for runtime in [
        tokio::runtime::Builder::new_current_thread().enable_time().build(),
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build(),
    ] {
        let runtime = runtime.expect("it starts");
        let tasks: Vec<_> =
            (0..200).map(|number| runtime.spawn(use_handles(Arc::clone(&pool), number))).collect();
        runtime.block_on(async {
            for (number, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.await.expect("no panic"), number);
            }
        });
    }
}

async fn use_handles(pool: Arc<ZeroPool>, number: usize) -> usize {
    let short = pool.spawn(move || number).await.expect("no panic");
    let long = pool.spawn(|| thread::sleep(Duration::from_millis(1)));
    // Some of them are given up.
    drop(tokio::time::timeout(Duration::from_micros(10 * number as u64), long).await);
    let failed = pool.spawn(move || -> () { throw(number) }).await;
    assert_eq!(failed.expect_err("it panicked").downcast_ref(), Some(&number));
    short
}

/// A runtime that ends drops the tasks that wait, and with them their handles and the last hold of the pool.
#[test]
#[cfg_attr(miri, ignore = "an executor that asks the system for events")]
fn j2_a_runtime_ends_while_its_tasks_await() {
    let _watchdog = watch("awaits::j2_a_runtime_ends_while_its_tasks_await", DEADLINE);
    for _ in 0..30 {
        let runs = Arc::new(AtomicUsize::new(0));
        let pool = Arc::new(ZeroPool::with_workers(2));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("it starts");
        for _ in 0..20 {
            let (pool, runs) = (Arc::clone(&pool), Arc::clone(&runs));
            runtime.spawn(async move {
                let handle = pool.spawn(move || {
                    thread::sleep(Duration::from_micros(50));
                    runs.fetch_add(1, Ordering::Relaxed)
                });
                handle.await.expect("no panic");
                drop(pool);
            });
        }
        drop(pool);
        thread::yield_now();
        runtime.shutdown_background();
        // What was spawned runs, whoever drops the pool.
        while Arc::strong_count(&runs) > 1 {
            thread::yield_now();
        }
    }
}
