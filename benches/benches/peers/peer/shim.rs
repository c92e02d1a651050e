//! Closures and tasks as a function and an address: for the shims in C++, and for peers whose closures own what they use.

use core::ffi::c_void;

use super::Task;

/// The address of a closure's state, or of a task.
pub(super) type Context = *const c_void;
/// Makes the calls for a range of indexes.
pub(super) type CallRange = unsafe extern "C" fn(Context, usize, usize);
/// Makes one call.
#[cfg_attr(not(any(openmp, onetbb)), expect(dead_code, reason = "for the shims alone"))]
pub(super) type Call = unsafe extern "C" fn(Context);

/// Calls a closure of a range of indexes.
///
/// # Safety
///
/// - `context` points to an `F`.
pub(super) unsafe extern "C" fn call_range<F: Fn(usize)>(context: Context, begin: usize, end: usize) {
    // SAFETY: owed by the caller.
    let body = unsafe { &*context.cast::<F>() };
    (begin..end).for_each(body);
}

/// Runs a task, by the signature of a range.
///
/// # Safety
///
/// - `context` points to a `T`.
pub(super) unsafe extern "C" fn call_task_in_range<T: Task>(context: Context, _begin: usize, _end: usize) {
    // SAFETY: owed by the caller.
    let task = unsafe { &*context.cast::<T>() };
    task.run();
}

#[cfg(any(openmp, onetbb))]
pub(super) use cpp::*;

#[cfg(any(openmp, onetbb))]
mod cpp {
    use super::{Call, Context, Task};

    /// Runs a task.
    ///
    /// # Safety
    ///
    /// - `context` points to a `T`.
    pub(crate) unsafe extern "C" fn call_task<T: Task>(context: Context) {
        // SAFETY: owed by the caller.
        let task = unsafe { &*context.cast::<T>() };
        task.run();
    }

    /// Calls a closure and takes it out of its place.
    ///
    /// # Safety
    ///
    /// - `context` points to an `Option<F>` that nobody else uses.
    unsafe extern "C" fn call_once<F: FnOnce()>(context: Context) {
        // SAFETY: owed by the caller.
        let place = unsafe { &mut *context.cast_mut().cast::<Option<F>>() };
        place.take().expect("it is called once")();
    }

    /// Returns the function that calls closures of this type.
    pub(crate) fn caller_of<F: FnOnce()>(_: &Option<F>) -> Call {
        call_once::<F>
    }

    /// Returns the address of what is only read.
    pub(crate) fn address<T>(of: &T) -> Context {
        core::ptr::from_ref(of).cast()
    }

    /// Returns the address of what is changed there.
    pub(crate) fn address_mut<T>(of: &mut T) -> Context {
        core::ptr::from_mut(of).cast_const().cast()
    }
}
