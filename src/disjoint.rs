//! The elements of a slice, handed out to threads one by one, each once.
//!
//! A batch's claims partition its indexes (B1), and each index is run once. So a task may have its element to itself, and
//! the slice may be shared among threads although its elements may not: no two of them ever meet at one element.
//!
//! # Invariants
//!
//! - `D1`  *Once.* [`Disjoint::take`] is called at most once for each index, so that the references it returns do not
//!   alias.
//!
//! Checked by: `b1_*` in `loom_tests` and the properties of `proptests`, by which indexes are handed out once. No model of
//! aliasing has been run on it.

use core::marker::PhantomData;

/// A slice whose elements go to one thread each, for writing.
#[derive(Debug)]
pub(crate) struct DisjointMut<'a, T> {
    first: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: what is shared is the right to take an element, whole and once (D1), so that elements are sent.
unsafe impl<T: Send> Sync for DisjointMut<'_, T> {}

impl<'a, T> DisjointMut<'a, T> {
    /// Prepares the elements of `slice`.
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { first: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// Hands the element at `index` out.
    ///
    /// # Safety
    ///
    /// - `index` is less than the length, and was not taken before (D1).
    #[allow(clippy::mut_from_ref, reason = "the caller owes that each element is taken once")]
    pub(crate) unsafe fn take(&self, index: usize) -> &'a mut T {
        debug_assert!(index < self.len, "D1: beyond the end");
        // SAFETY: the caller owes that the index is within the slice.
        let element = unsafe { self.first.add(index) };
        // SAFETY: the slice is borrowed mutably for `'a`, and nobody else has this element (D1).
        unsafe { &mut *element }
    }
}

#[cfg(feature = "raw-tasks")]
pub(crate) use shared::Disjoint;

#[cfg(feature = "raw-tasks")]
mod shared {
    use super::PhantomData;

    /// A slice whose elements go to one thread each, for reading.
    #[derive(Debug)]
    pub(crate) struct Disjoint<'a, T> {
        first: *const T,
        len: usize,
        slice: PhantomData<&'a [T]>,
    }

    impl<T> Clone for Disjoint<'_, T> {
        fn clone(&self) -> Self {
            *self
        }
    }

    impl<T> Copy for Disjoint<'_, T> {}

    impl<'a, T> Disjoint<'a, T> {
        /// Prepares the elements of `slice`.
        pub(crate) fn new(slice: &'a [T]) -> Self {
            Self { first: slice.as_ptr(), len: slice.len(), slice: PhantomData }
        }

        /// Returns the number of elements.
        pub(crate) fn len(&self) -> usize {
            self.len
        }

        /// Hands the element at `index` out.
        ///
        /// # Safety
        ///
        /// - `index` is less than the length, and was not taken before (D1).
        /// - If `T` is not `Sync`, nobody else uses the element for as long as the reference is used.
        pub(crate) unsafe fn take(&self, index: usize) -> &'a T {
            debug_assert!(index < self.len, "D1: beyond the end");
            // SAFETY: the caller owes that the index is within the slice.
            let element = unsafe { self.first.add(index) };
            // SAFETY: the slice is borrowed for `'a`, and an element of it is initialised and aligned.
            unsafe { &*element }
        }
    }
}
