//! oneTBB, by a shim in C++: loops over ranges with its automatic partitioner, task groups, and `parallel_invoke`.

use core::ffi::c_void;

use super::shim::{Call, CallRange, Context, address, address_mut, call_range, call_task, caller_of};
use super::{Pool, Script, Session, THREADS, Task, Visitor};

// The functions of `cpp/onetbb.cpp`. Each returns when everything that it was given has run, but for `spawn`.
unsafe extern "C" {
    fn zp_tbb_start(threads: i32) -> *mut c_void;
    fn zp_tbb_end(pool: *mut c_void);
    fn zp_tbb_for(pool: *mut c_void, tasks: usize, run: CallRange, context: Context);
    fn zp_tbb_scope(pool: *mut c_void, script: unsafe extern "C" fn(Context, *mut c_void), context: Context);
    fn zp_tbb_spawn(group: *mut c_void, run: Call, context: Context);
    fn zp_tbb_enter(pool: *mut c_void, run: Call, context: Context);
    fn zp_tbb_join(a: Call, of_a: Context, b: Call, of_b: Context);
}

pub(crate) struct OneTbb(*mut c_void);

// SAFETY: an arena may be entered by any thread.
unsafe impl Sync for OneTbb {}

impl Pool for OneTbb {
    fn start() -> Self {
        // SAFETY: the pool is ended when it is dropped.
        Self(unsafe { zp_tbb_start(THREADS as i32) })
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Arena(self.0))
    }
}

impl Drop for OneTbb {
    fn drop(&mut self) {
        // SAFETY: it was started, and sessions borrow it.
        unsafe { zp_tbb_end(self.0) };
    }
}

#[derive(Clone, Copy)]
struct Arena(*mut c_void);

// SAFETY: as for the pool.
unsafe impl Send for Arena {}

/// A script that waits for its group.
struct Waiting<F>(Option<F>);

/// Calls a script with the group of its scope.
///
/// # Safety
///
/// - `context` points to a `Waiting<F>` that nobody else uses.
unsafe extern "C" fn call_with_group<F: FnOnce(*mut c_void)>(context: Context, group: *mut c_void) {
    // SAFETY: owed by the caller.
    let place = unsafe { &mut *context.cast_mut().cast::<Waiting<F>>() };
    place.0.take().expect("it is called once")(group);
}

fn group_caller_of<F: FnOnce(*mut c_void)>(_: &Waiting<F>) -> unsafe extern "C" fn(Context, *mut c_void) {
    call_with_group::<F>
}

impl Session for Arena {
    const WORKERS: usize = THREADS - 1;
    const COUNTED: bool = false;

    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        // SAFETY: the body is `Sync` and outlives the call.
        unsafe { zp_tbb_for(self.0, tasks, call_range::<F>, address(&body)) };
        Some(())
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        let mut out = None;
        let mut run = Waiting(Some(|group| {
            // SAFETY: the task outlives the scope, which waits for it.
            out = Some(script.run(|task| unsafe { zp_tbb_spawn(group, call_task::<T>, address(task)) }));
        }));
        let call = group_caller_of(&run);
        // SAFETY: the script is `Send`, is called once, and outlives the call.
        unsafe { zp_tbb_scope(self.0, call, address_mut(&mut run)) };
        out
    }

    fn fork<R: Send>(&mut self, root: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        let mut session = *self;
        let mut out = None;
        let mut run = Some(|| out = Some(root(&mut session)));
        let call = caller_of(&run);
        // SAFETY: the closure is called once, and outlives the call.
        unsafe { zp_tbb_enter(self.0, call, address_mut(&mut run)) };
        out
    }

    fn join<RA: Send, RB: Send>(
        &mut self,
        a: impl FnOnce(&mut Self) -> RA + Send,
        b: impl FnOnce(&mut Self) -> RB + Send,
    ) -> (RA, RB) {
        let (session, mut of_a, mut of_b) = (*self, None, None);
        let mut a = Some(|| of_a = Some(a(&mut { session })));
        let mut b = Some(|| of_b = Some(b(&mut { session })));
        let (call_a, call_b) = (caller_of(&a), caller_of(&b));
        // SAFETY: both are `Send`, are called once, and outlive the call.
        unsafe { zp_tbb_join(call_a, address_mut(&mut a), call_b, address_mut(&mut b)) };
        of_a.zip(of_b).expect("both have run")
    }
}
