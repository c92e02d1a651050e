//! What tasks are made of: a function, and the memory that it runs on. A task is an index.

use core::ops::Range;

use crate::unwind::Payload;

/// Runs the tasks of a range on the context; returns the first panic's payload.
pub type Run = unsafe fn(context: *const (), range: Range<usize>) -> Option<Payload>;

/// What is known of each task: the function that runs it, and the memory that it runs on.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Runs a range of tasks.
    pub run: Run,
    /// Handed to `run`. Null stands for what the batch itself [stores](crate::batch::Home::storing).
    pub context: *const (),
}
