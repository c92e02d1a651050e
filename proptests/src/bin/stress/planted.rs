//! Faults that a sanitizer must report, in the places where ours would be.

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::sync::Barrier;

use zero_pool::ZeroPool;

/// Returns the fault of this name.
pub(crate) fn find(name: &str) -> Option<fn()> {
    match name {
        "race" => Some(race),
        "early-read" => Some(early_read),
        "use-after-free" => Some(use_after_free),
        "leak" => Some(leak),
        _ => None,
    }
}

struct Shared(UnsafeCell<u64>);

// SAFETY: none: two tasks write it with nothing between them, which is what must be reported.
unsafe impl Sync for Shared {}

/// Two tasks of one batch, on two threads at once, write one variable.
fn race() {
    let (shared, both) = (Shared(UnsafeCell::new(0)), Barrier::new(2));
    let pool = ZeroPool::with_workers(2);
    // A scope starts its tasks without their caller.
    pool.scope(|scope| {
        for of in 0..2 {
            let (shared, both) = (&shared, &both);
            scope.spawn(move || {
                let cell = shared.0.get();
                both.wait();
                for _ in 0..1000 {
                    // SAFETY: none: the other task does the same.
                    unsafe { cell.write_volatile(of) };
                }
            });
        }
    });
    println!("a race: the last to write was task {}", shared.0.into_inner());
}

/// A task reads what its parameter points to, and its caller has let go of it.
fn use_after_free() {
    let pool = ZeroPool::with_workers(1);
    let pointer = Box::into_raw(Box::new(7_u64)) as usize;
    let task = move || {
        // SAFETY: none: it is gone, which is what must be reported.
        unsafe { black_box(pointer as *const u64).read_volatile() }
    };
    // SAFETY: from a box, and nobody else frees it.
    drop(unsafe { Box::from_raw(pointer as *mut u64) });
    let read = pool.spawn(task).join().expect("the task does not panic");
    println!("a use after free: read {read}");
}

/// A caller reads a task's result and has not waited for the task.
fn early_read() {
    let (shared, both) = (Shared(UnsafeCell::new(0)), Barrier::new(2));
    let pool = ZeroPool::with_workers(1);
    pool.scope(|scope| {
        let (shared, both) = (&shared, &both);
        scope.spawn(move || {
            both.wait();
            // SAFETY: none: the caller reads it.
            unsafe { shared.0.get().write_volatile(7) };
        });
        both.wait();
        // SAFETY: none: the task writes it.
        println!("an early read: {}", unsafe { shared.0.get().read_volatile() });
    });
}

/// What a task returns is lost.
fn leak() {
    let pool = ZeroPool::with_workers(1);
    let boxed = pool.spawn(|| Box::new([7_u64; 100])).join().expect("the task does not panic");
    println!("a leak: {} numbers", black_box(boxed.len()));
    std::mem::forget(boxed);
}
