//! OpenMP, by a shim in C++: loops are cut statically, guided where the tasks differ, and tasks are OpenMP's tasks. Each
//! host thread has a team of its own, so that threads cannot share one.

use super::shim::{Call, CallRange, Context, address, address_mut, call_range, call_task, caller_of};
use super::{Pool, Script, Session, THREADS, Task, Visitor};

// The functions of `cpp/openmp.cpp`. Each returns when everything that it was given has run, but for `task`.
unsafe extern "C" {
    fn zp_omp_static(threads: i32, tasks: usize, run: CallRange, context: Context);
    fn zp_omp_guided(threads: i32, tasks: usize, run: CallRange, context: Context);
    fn zp_omp_scope(threads: i32, script: Call, context: Context);
    fn zp_omp_task(run: Call, context: Context);
    fn zp_omp_join(a: Call, of_a: Context, b: Call, of_b: Context);
}

pub(crate) struct OpenMp;

impl Pool for OpenMp {
    const SHARED: bool = false;

    fn start() -> Self {
        Self
    }

    fn enter<V: Visitor>(&self, visitor: V) -> V::Out {
        visitor.visit(&mut Self)
    }
}

impl Session for OpenMp {
    const WORKERS: usize = THREADS - 1;
    const COUNTED: bool = false;

    fn index<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        // SAFETY: the body is `Sync` and outlives the call.
        unsafe { zp_omp_static(THREADS as i32, tasks, call_range::<F>, address(&body)) };
        Some(())
    }

    fn uneven<F: Fn(usize) + Sync>(&mut self, tasks: usize, body: F) -> Option<()> {
        // SAFETY: as above.
        unsafe { zp_omp_guided(THREADS as i32, tasks, call_range::<F>, address(&body)) };
        Some(())
    }

    fn scope<'t, T: Task + 't, S: Script<'t, T>>(&mut self, script: S) -> Option<S::Out> {
        // SAFETY: the task outlives the scope, which waits for it.
        let submit = |task: &'t T| unsafe { zp_omp_task(call_task::<T>, address(task)) };
        let mut out = None;
        let mut run = Some(|| out = Some(script.run(submit)));
        let call = caller_of(&run);
        // SAFETY: the script is `Send`, is called once, and outlives the call.
        unsafe { zp_omp_scope(THREADS as i32, call, address_mut(&mut run)) };
        out
    }

    fn fork<R: Send>(&mut self, root: impl FnOnce(&mut Self) -> R + Send) -> Option<R> {
        let mut out = None;
        let mut run = Some(|| out = Some(root(&mut Self)));
        let call = caller_of(&run);
        // SAFETY: as for a script.
        unsafe { zp_omp_scope(THREADS as i32, call, address_mut(&mut run)) };
        out
    }

    fn join<RA: Send, RB: Send>(
        &mut self,
        a: impl FnOnce(&mut Self) -> RA + Send,
        b: impl FnOnce(&mut Self) -> RB + Send,
    ) -> (RA, RB) {
        let (mut of_a, mut of_b) = (None, None);
        let mut a = Some(|| of_a = Some(a(&mut Self)));
        let mut b = Some(|| of_b = Some(b(&mut Self)));
        let (call_a, call_b) = (caller_of(&a), caller_of(&b));
        // SAFETY: both are `Send`, are called once, and outlive the call.
        unsafe { zp_omp_join(call_a, address_mut(&mut a), call_b, address_mut(&mut b)) };
        of_a.zip(of_b).expect("both have run")
    }
}
