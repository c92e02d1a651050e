//! The seed's macros, which write results through raw pointers.
//!
//! They spare a task function the word `unsafe`, not the duty behind it: whoever makes the pointer answers for it. Each
//! evaluates the caller's expressions outside of its own unsafe block, which holds the write and nothing else.

/// Defines a task function for one parameter type.
///
/// `zp_define_task_fn!(name, Params, |params| body)` defines `fn name(params: &Params)`. A visibility and attributes may
/// stand before the name.
///
/// # Examples
///
/// ```
/// use zero_pool::{ZeroPool, zp_define_task_fn, zp_write};
///
/// struct Sum { up_to: u64, result: *mut u64 }
/// zp_define_task_fn!(sum, Sum, |params| {
///     zp_write!(params.result, (1..=params.up_to).sum());
/// });
///
/// let mut result = 0;
/// let params = Sum { up_to: 10, result: &mut result };
/// ZeroPool::with_workers(1).submit_task(sum, &params).wait();
/// assert_eq!(result, 55);
/// ```
#[macro_export]
macro_rules! zp_define_task_fn {
    ($(#[$meta:meta])* $vis:vis $name:ident, $params:ty, |$param:ident| $body:expr $(,)?) => {
        $(#[$meta])*
        $vis fn $name($param: &$params) {
            $body
        }
    };
}

/// Writes a value to where a raw pointer points, and drops what was there.
///
/// # Safety
///
/// The pointer must be valid for the write, point to an initialised value, and nobody else may use that value until the
/// task's future has been waited for.
///
/// # Examples
///
/// ```
/// use zero_pool::zp_write;
///
/// let mut text = String::from("before");
/// let pointer: *mut String = &mut text;
/// zp_write!(pointer, String::from("after"));
/// assert_eq!(text, "after");
/// ```
#[macro_export]
macro_rules! zp_write {
    ($pointer:expr, $value:expr $(,)?) => {{
        let value = $value;
        let pointer: *mut _ = $pointer;
        // SAFETY: owed by whoever made the pointer.
        #[allow(unused_unsafe)]
        unsafe {
            *pointer = value;
        }
    }};
}

/// Writes a value to one element of a `Vec`, an array or a slice that a raw pointer points to, and drops what was there.
///
/// # Panics
///
/// If the index is out of bounds.
///
/// # Safety
///
/// - The pointer must be valid, and the collection must not be moved, resized or dropped until the future has been waited
///   for.
/// - Nobody else may use that element until then. Other tasks may write other elements at the same time.
///
/// The length and the address of a `Vec`'s elements are read through a shared reference, so that tasks on several threads
/// never hold two `&mut` to one vector. The pointers that a `&mut` coerces to, one for each task of a batch, are sound
/// under the Tree Borrows model of aliasing only; under Stacked Borrows, make one pointer (`&raw mut results`) and copy it.
///
/// # Examples
///
/// ```
/// use zero_pool::{ZeroPool, zp_define_task_fn, zp_write_indexed};
///
/// struct Square { index: usize, results: *mut Vec<usize> }
/// zp_define_task_fn!(square, Square, |params| {
///     zp_write_indexed!(params.results, params.index, params.index * params.index);
/// });
///
/// let mut results = vec![0; 10];
/// let pointer = &raw mut results;
/// let tasks: Vec<_> = (0..10).map(|index| Square { index, results: pointer }).collect();
/// ZeroPool::with_workers(2).submit_batch_uniform(square, &tasks).wait();
/// assert_eq!(results[7], 49);
/// ```
#[macro_export]
macro_rules! zp_write_indexed {
    ($collection:expr, $index:expr, $value:expr $(,)?) => {{
        let value = $value;
        let index: usize = $index;
        let collection: *mut _ = $collection;
        // SAFETY: owed by whoever made the pointer.
        #[allow(unused_unsafe)]
        unsafe {
            $crate::__write_indexed(collection, index, value);
        }
    }};
}

/// What `zp_write_indexed!` writes into.
///
/// # Safety
///
/// - `elements` returns the address of that many initialised elements.
#[doc(hidden)]
pub unsafe trait Indexed {
    /// The type of an element.
    type Element;

    /// Returns where the elements are and how many.
    ///
    /// # Safety
    ///
    /// - `this` is valid for reads.
    unsafe fn elements(this: *mut Self) -> (*mut Self::Element, usize);
}

// SAFETY: a vector's own address and length.
unsafe impl<T> Indexed for Vec<T> {
    type Element = T;

    unsafe fn elements(this: *mut Self) -> (*mut T, usize) {
        // SAFETY: owed by the caller. A shared reference, as other threads have theirs.
        let this = unsafe { &*this };
        (this.as_ptr().cast_mut(), this.len())
    }
}

// SAFETY: an array's own address and length.
unsafe impl<T, const N: usize> Indexed for [T; N] {
    type Element = T;

    unsafe fn elements(this: *mut Self) -> (*mut T, usize) {
        (this.cast(), N)
    }
}

// SAFETY: a slice's own address and length.
unsafe impl<T> Indexed for [T] {
    type Element = T;

    unsafe fn elements(this: *mut Self) -> (*mut T, usize) {
        (this.cast(), this.len())
    }
}

/// Writes one element.
///
/// # Safety
///
/// - `collection` is valid, and nobody else uses the element.
#[doc(hidden)]
pub unsafe fn __write_indexed<C: Indexed + ?Sized>(collection: *mut C, index: usize, value: C::Element) {
    // SAFETY: owed by the caller.
    let (elements, len) = unsafe { C::elements(collection) };
    assert!(index < len, "index {index} is out of bounds: the length is {len}");
    // SAFETY: within the bounds, as just checked.
    let element = unsafe { elements.add(index) };
    // SAFETY: owed by the caller.
    unsafe { *element = value };
}
