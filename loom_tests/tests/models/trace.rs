//! The steps of a schedule, for whoever reads why a model failed: `ZERO_POOL_TRACE=1`.
//!
//! loom tells what it does by way of `tracing`, without the place in the sources. So each step of the schedule that runs is
//! kept with its stack, and when the process fails, the steps are printed one a line:
//!
//! ```text
//!   step thread operation            where
//!     41 1      load Acquire         src/queue.rs:171 Queue::scan
//! ```
//!
//! Values are not told, as loom does not tell them.

use std::backtrace::Backtrace;
use std::collections::HashMap;
use std::fmt::Debug;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use libtest_mimic::Trial;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Tells whether steps are to be kept.
pub fn wanted() -> bool {
    std::env::var_os("ZERO_POOL_TRACE").is_some()
}

/// What loom says before each access of an atomic or a cell, and for a fence.
const SYNCHRONIZE: &str = "synchronize";

/// A step: the thread, what it did, and its stack at that moment.
struct Step {
    thread: u64,
    operation: String,
    stack: Backtrace,
}

#[derive(Default)]
struct Schedule {
    steps: Vec<Step>,
    thread: u64,
    /// The threads of spans.
    spans: HashMap<u64, u64>,
    next_span: u64,
}

static SCHEDULE: Mutex<Option<Schedule>> = Mutex::new(None);

fn schedule() -> MutexGuard<'static, Option<Schedule>> {
    SCHEDULE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to listen, if that is wanted.
pub fn listen() {
    if wanted() {
        *schedule() = Some(Schedule::default());
        tracing::subscriber::set_global_default(Listener).expect("nobody else listens");
    }
}

/// Forgets the steps of the schedule before.
pub fn begin() {
    if let Some(schedule) = schedule().as_mut() {
        schedule.steps.clear();
        schedule.thread = 0;
    }
}

/// Prints the steps of this schedule.
pub fn explain() {
    let Some(Schedule { steps, .. }) = schedule().take() else { return };
    // Models run on small stacks, and finding the lines of a program needs a large one.
    let print = move || {
        eprintln!("  step thread operation            where");
        for (number, Step { thread, operation, stack }) in steps.iter().enumerate() {
            let stack = stack.to_string();
            let operation = if operation == SYNCHRONIZE { entered(&stack) } else { operation };
            eprintln!("{number:>6} {thread:<6} {operation:<20} {}", place(&stack));
        }
    };
    std::thread::spawn(print).join().expect("the steps are printed");
}

/// Tells what loom synchronises for, when it is no atomic access.
fn entered(stack: &str) -> &'static str {
    let all = [("::fence", "fence"), ("UnsafeCell", "cell"), ("Mutex", "lock")];
    all.iter().find(|(part, _)| stack.contains(part)).map_or("synchronise", |(_, what)| what)
}

/// Finds the innermost frame of the crate or of a model in a stack: its line, if it is known, and its function.
fn place(stack: &str) -> String {
    let mut lines = stack.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let Some((_, function)) = line.split_once(": ") else { continue };
        let path = lines.next_if(|line| line.starts_with("at ")).unwrap_or_default();
        let is_ours = function.contains("zero_pool_loom::") || function.contains("models::");
        let is_door = function.contains("::sync::") || function.contains("models::trace");
        if is_ours && !is_door {
            let file = path.rsplit_once("/src/./").map(|(_, file)| format!("src/{file}"));
            let file = file.or_else(|| path.rsplit_once("/tests/").map(|(_, file)| file.to_owned()));
            let file = file.unwrap_or_default();
            let line = file.rsplit_once(':').map_or("", |(line, _)| line);
            return format!("{line} {}", short(function)).trim_start().to_owned();
        }
    }
    String::new()
}

/// Returns the last two parts of a function's path, without what makes it generic: of `<a::B<N> as C>::d` the `B::d`.
fn short(function: &str) -> String {
    let mut path = function.trim_start_matches('<').to_owned();
    if let Some((implementor, rest)) = path.split_once(" as ")
        && let Some((_, method)) = rest.split_once(">::")
    {
        path = format!("{implementor}::{method}");
    }
    let mut plain = String::new();
    let mut depth = 0_usize;
    for c in path.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let parts: Vec<&str> =
        plain.split("::").filter(|part| !part.is_empty() && !part.starts_with('{')).collect();
    parts[parts.len().saturating_sub(2)..].join("::")
}

/// What loom tells of an event.
#[derive(Default)]
struct Told {
    message: String,
    orderings: Vec<String>,
    id: u64,
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "ordering" | "success" | "failure" => self.orderings.push(format!("{value:?}")),
            "id" => self.id = format!("{value:?}").parse().unwrap_or_default(),
            _ => {}
        }
    }
}

impl Told {
    /// Returns the operation, if it is one that a reader wants to see.
    fn operation(&self) -> Option<String> {
        let name = match self.message.as_str() {
            "Atomic::load" => "load",
            "Atomic::store" => "store",
            "Atomic::rmw" => "rmw",
            "Condvar::wait" => "wait",
            "Condvar::notify_one" | "Condvar::notify_all" => "notify",
            "spawn" => "spawn",
            "thread_done: terminate" => "end",
            SYNCHRONIZE => SYNCHRONIZE,
            _ => return None,
        };
        Some(
            std::iter::once(name)
                .chain(self.orderings.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(" "),
        )
    }
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("loom")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut told = Told::default();
        span.record(&mut told);
        let mut guard = schedule();
        let Some(schedule) = guard.as_mut() else { return Id::from_u64(1) };
        schedule.next_span += 1;
        if span.metadata().name() == "thread" {
            schedule.spans.insert(schedule.next_span, told.id);
        }
        Id::from_u64(schedule.next_span)
    }

    fn event(&self, event: &Event<'_>) {
        let mut told = Told::default();
        event.record(&mut told);
        if let Some(operation) = told.operation()
            && let Some(schedule) = schedule().as_mut()
        {
            let stack = Backtrace::force_capture();
            let thread = schedule.thread;
            // An atomic access is announced by this, and is one step with it.
            let is_access = operation.contains(' ');
            schedule.steps.pop_if(|last| is_access && last.operation == SYNCHRONIZE && last.thread == thread);
            schedule.steps.push(Step { thread, operation, stack });
        }
    }

    fn enter(&self, span: &Id) {
        if let Some(schedule) = schedule().as_mut()
            && let Some(&thread) = schedule.spans.get(&span.into_u64())
        {
            schedule.thread = thread;
        }
    }

    fn exit(&self, _: &Id) {}

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}
}

/// What this module promises.
pub fn own_tests() -> Vec<Trial> {
    vec![
        Trial::test("trace::the_steps_of_a_race_are_told", || {
            let mut child = Command::new(std::env::current_exe()?);
            child.args(["--child", "planted_race", "never"]).env("ZERO_POOL_TRACE", "1");
            let told = String::from_utf8_lossy(&child.output()?.stderr).into_owned();
            let steps = told.lines().skip_while(|line| !line.contains("step thread"));
            let cells: Vec<&str> = steps.filter(|line| line.contains(" cell ")).collect();
            let is_told = cells.len() == 2 && cells.iter().all(|line| line.contains("models/driver.rs:"));
            if is_told { Ok(()) } else { Err(format!("two accesses were expected in:\n{told}").into()) }
        }),
        Trial::test("trace::a_stack_is_shortened_to_its_place", || {
            let stack = "0: models::trace::Listener::event\n at ./loom_tests/tests/models/trace.rs:1:2\n\
                         1: loom::rt::synchronize\n at /x/src/rt/mod.rs:1:2\n\
                         2: zero_pool_loom::floors::sync::imp::Mutex<T>::lock\n at ./loom_tests/../src/./sync/loom.rs:3:4\n\
                         3: <zero_pool_loom::floors::queue::Queue<N>>::scan::{{closure}}\n at ./loom_tests/../src/./queue.rs:9:8\n";
            assert_eq!(place(stack), "src/queue.rs:9 Queue::scan");
            assert_eq!(place("0: zero_pool_loom::floors::queue::Queue<N>::push\n1: b\n"), "Queue::push");
            assert_eq!(place("0: <zero_pool_loom::a::Guard as b::Drop<N>>::drop\n"), "Guard::drop");
            assert_eq!(place("0: std::a\n at b.rs:1:2\n"), "");
            Ok(())
        }),
    ]
}
