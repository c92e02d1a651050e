//! What counts as a failure: the first panic that no world asks for, whoever would catch it.
//!
//! Tasks run under `catch_unwind`, where a failed assertion would be taken for a panic of the task's. So failures are taken
//! down by the panic hook. A task that is to panic uses `resume_unwind`, which comes by no hook; the panics that the crate
//! itself owes its callers are known by their texts.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::Once;

/// Panics of the crate that its documentation promises.
const PROMISED: [&str; 2] =
    ["a task panicked, and another waiter has its payload", "a task waits for the batch that it belongs to"];

/// What `Track` says of a node that is left over.
const LEAK: &str = "Allocation leaked";

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static FIRST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Puts the hook in its place.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // shuttle installs a hook of its own with its first execution, and prints a schedule at each panic. Names of
        // schedules say the same, so that hook goes.
        let tell = panic::take_hook();
        let config = shuttle::Config::new();
        shuttle::Runner::new(shuttle::scheduler::RandomScheduler::new_from_seed(0, 1), config).run(|| ());
        drop(panic::take_hook());
        panic::set_hook(Box::new(move |panic| {
            let payload = panic.payload();
            let owned = payload.downcast_ref().map(String::as_str);
            let text = owned.or_else(|| payload.downcast_ref().copied()).unwrap_or("a panic without a text");
            if !WATCHED.get() {
                tell(panic);
            } else if !PROMISED.iter().any(|promised| text.contains(promised)) {
                let place = panic.location().map(ToString::to_string).unwrap_or_default();
                FIRST.with_borrow_mut(|first| {
                    // A deadlock is told after its nodes are missed, which says less.
                    if first.as_ref().is_none_or(|first| first.contains(LEAK)) {
                        *first = Some(format!("{text} ({place})"));
                    }
                });
            }
        }));
    });
}

/// Runs `body`, whose own panic is caught; returns the first failure.
pub fn watch(body: impl FnOnce()) -> Option<String> {
    install();
    WATCHED.set(true);
    let result = panic::catch_unwind(panic::AssertUnwindSafe(body));
    WATCHED.set(false);
    let first = FIRST.take();
    first.or_else(|| result.err().map(|_| "it panicked without a word".to_owned()))
}

/// Tells whether a failure was taken down.
pub fn has_failed() -> bool {
    FIRST.with_borrow(Option::is_some)
}
