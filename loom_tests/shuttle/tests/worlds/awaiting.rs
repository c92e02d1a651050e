//! An executor of one thread for handles that are awaited.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use shuttle::sync::{Condvar, Mutex};
use zero_pool_shuttle::reclaim::assert_unpinned;

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        assert_unpinned();
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !*rung {
            rung = self.changed.wait(rung).unwrap_or_else(PoisonError::into_inner);
        }
        *rung = false;
    }
}

/// Returns a waker that nobody listens to.
fn deaf() -> Waker {
    Waker::from(Arc::new(Bell::default()))
}

/// Polls the future, and sleeps in between until its waker is called.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    // Nobody listens to this one any more: the next poll brings another.
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&deaf())) {
        return output;
    }
    loop {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => bell.wait(),
        }
    }
}

/// Polls the future once and drops it.
pub fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(&deaf())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
