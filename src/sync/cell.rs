//! The cell of those sides of the door that have none of their own: `std`'s and `shuttle`'s.

#![allow(clippy::disallowed_types, reason = "this is the door they come through")]

/// A cell entered by closure, so that the other side can see each access.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Hands `f` a pointer for reading; whoever reads through it must exclude writers for as long.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Hands `f` a pointer for writing; whoever writes through it must exclude everybody else for as long.
    #[inline(always)]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
