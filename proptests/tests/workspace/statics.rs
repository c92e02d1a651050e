//! Nothing in `src` outlives a modelled schedule, and `SeqCst` is for fences.
//!
//! A static that can change leaks from one schedule of a model into the next. What each thread has for itself comes
//! through the door of [`sync`](zero_pool::sync), whose `each_thread!` is loom's or shuttle's in a model and begins
//! anew with each schedule. There are few such variables, and a new one is entered below.
//!
//! Loom treats `SeqCst` accesses as `AcqRel`: a proof that leans on them is a proof that was never run.

use crate::source::{Source, Token, assert_none, assert_one, closing, is, read};

/// Where the door is.
const DOORS: [&str; 3] = ["src/sync/std.rs", "src/sync/loom.rs", SHUTTLE];

/// The door that has a static which shuttle makes anew for each schedule.
const SHUTTLE: &str = "src/sync/shuttle.rs";

/// The files that have a variable for each thread.
const EACH_THREAD: [&str; 7] = [
    // The registrations with crossbeam-epoch.
    "src/reclaim/epoch.rs",
    // How often a modelled thread is pinned.
    "src/reclaim/oracle.rs",
    // The participations that a thread is inside of.
    "src/frame.rs",
    // The unused nodes that a thread has, of each pool.
    "src/batch/depot.rs",
    // The jobs that a thread keeps to itself.
    "src/pending.rs",
    // How many calls went unmeasured.
    "src/costs.rs",
    // How often a thread came between two tasks since a wake-up.
    "src/room.rs",
];

/// The one static that changes: the pool of the whole program, which a model does not have (`cfg(not(any(loom, shuttle)))`).
const NOT_MODELLED: &str = "src/global.rs";

/// What the type of a static may be made of: plain numbers, texts, functions, and arrays and references of them.
const PLAIN: &[&str] = &[
    "&", "'static", "[", "]", "(", ")", ",", ";", "-", ">", "fn", "bool", "char", "str", "u8", "u16", "u32",
    "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64",
];

fn check(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(|source| [statics(source), sequential(source)].concat()).collect()
}

fn statics(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let tokens = source.code();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        if is(rest, &["macro_rules", "!", "each_thread", "{"]) && DOORS.contains(&source.path.as_str()) {
            at += closing(rest, 3);
        } else if is(rest, &["shuttle", "::", "lazy_static", "!"]) && source.path == SHUTTLE {
            at += closing(rest, 4);
        } else if is(rest, &["thread_local", "!"]) {
            complaints.push(
                source.complain(rest[0].line, "a thread-local outlives a schedule: use `each_thread!`"),
            );
            at += closing(rest, 2);
        } else if is(rest, &["each_thread", "!"]) {
            if !EACH_THREAD.contains(&source.path.as_str()) {
                let what = "a variable for each thread: enter this file into EACH_THREAD with what it is";
                complaints.push(source.complain(rest[0].line, what));
            }
            at += closing(rest, 2);
        } else if is(rest, &["static", "mut"]) {
            complaints.push(source.complain(rest[0].line, "a mutable static"));
        } else if rest[0].text == "static" && !has_plain_type(rest) && source.path != NOT_MODELLED {
            let what = "a static whose type is not plain data may change, and would outlive a schedule";
            complaints.push(source.complain(rest[0].line, what));
        }
        at += 1;
    }
    complaints
}

/// Tells whether the type of the static that begins here cannot change.
fn has_plain_type(tokens: &[Token]) -> bool {
    let value = tokens.iter().position(|token| token.text == "=").unwrap_or(tokens.len());
    let number = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    // After the keyword, the name and the colon.
    tokens[..value].iter().skip(3).all(|token| PLAIN.contains(&token.text.as_str()) || number(&token.text))
}

fn sequential(source: &Source) -> Vec<String> {
    let code = source.code();
    let all = (0..code.len()).filter(|&at| code[at].text == "SeqCst");
    let outside = all.filter(|&at| {
        let begin = at.saturating_sub(4);
        !is(&code[begin..], &["fence", "(", "Ordering", "::", "SeqCst", ")"])
    });
    outside
        .map(|at| source.complain(code[at].line, "SeqCst is for `fence(Ordering::SeqCst)` alone"))
        .collect()
}

#[test]
fn nothing_outlives_a_schedule() {
    assert_none(&check(&Source::tree("src")));
}

/// What is exempt as not modelled is not compiled for models.
#[test]
fn the_global_pool_is_no_part_of_a_model() {
    let root = Source::new("src/lib.rs", &read("src/lib.rs")).tokens;
    let models = ["any", "(", "loom", ",", "shuttle", ")"];
    let guarded =
        [&["#", "[", "cfg", "(", "not", "("][..], &models, &[")", ")", "]", "mod", "global", ";"]].concat();
    let found = (0..root.len()).any(|at| is(&root[at..], &guarded));
    assert!(found, "src/lib.rs: `mod global` must stand right behind `#[cfg(not(any(loom, shuttle)))]`");
}

#[test]
fn planted_statics_are_found() {
    let planted = |path: &str, text: &str| check(&[Source::new(path, text)]);
    assert_none(&planted("src/idle.rs", "static NAME: &'static str = \"x\"; fn f(x: &'static Mutex<u8>) {}"));
    assert_none(&planted("src/idle.rs", "static ALL: [(u8, fn(u8) -> u64); 3] = [];"));
    assert_none(&planted("src/idle.rs", "#[cfg(test)] mod tests { static N: AtomicU8 = AtomicU8::new(0); }"));
    let (local, each) =
        ("thread_local! { static X: Cell<u8> = x(); }", "each_thread! { static X: Cell<u8> = x() }");
    let door = "macro_rules! each_thread { () => { ::std::thread_local! { static X: Y = x() } } }";
    assert_none(&planted("src/sync/std.rs", door));
    let anew = "shuttle::lazy_static! { static ref X: Alive = x(); }";
    assert_none(&planted("src/sync/shuttle.rs", anew));
    assert_one(&planted("src/pool.rs", anew), &["src/pool.rs:1", "not plain"]);
    assert_one(&planted("src/pool.rs", door), &["src/pool.rs:1", "thread-local"]);
    assert_one(&planted("src/sync/std.rs", local), &["src/sync/std.rs:1", "thread-local"]);
    assert_none(&planted("src/frame.rs", each));
    assert_one(&planted("src/pool.rs", each), &["src/pool.rs:1", "EACH_THREAD"]);
    assert_one(&planted("src/pool.rs", "fn f() {\n static mut N: u8 = 0; }"), &["src/pool.rs:2", "mutable"]);
    for kind in ["AtomicU8", "Mutex<u8>", "OnceLock<u8>", "&'static Cell<u8>", "Own"] {
        assert_one(&planted("src/pool.rs", &format!("pub static X: {kind} = x();")), &["not plain"]);
    }
    let inside = "macro_rules! m { () => { static X: AtomicU8 = AtomicU8::new(0); } }";
    assert_one(&planted("src/frame.rs", inside), &["not plain"]);
}

#[test]
fn planted_orderings_are_found() {
    let planted = |text: &str| check(&[Source::new("src/idle.rs", text)]);
    assert_none(&planted(
        "/// Not `SeqCst`.\nfn f() { atomic::fence(Ordering::SeqCst); x.load(Ordering::Acquire); }",
    ));
    assert_one(&planted("fn f() {\n x.load(Ordering::SeqCst); }"), &["src/idle.rs:2", "SeqCst"]);
    assert_one(&planted("use Ordering::SeqCst;"), &["SeqCst"]);
    assert_one(&planted("fn f() { debug_assert!(x.load(SeqCst)) }"), &["SeqCst"]);
}
