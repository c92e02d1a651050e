//! Tests of the finder, of what is weakened to what, of the edit, and of the entries, on planted sources.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::entries::{self, Entry, Reason};
use super::inject;
use super::judge::{Judgement, Kill};
use super::report::{Row, Sum, Verdict, title};
use super::sites::{self, Kind, Order, Site};
use super::weaken::{self, Mutant};
use crate::models::Check;

const PLANTED: &str = r#"
use crate::sync::atomic::{AtomicU32, Ordering, fence};

impl<T> Stack<T> {
    fn push(&self) {
        let top = self.top.load(Ordering::Acquire);
        // Ordering::SeqCst in a comment, and "Ordering::SeqCst" in a string, are none.
        debug_assert!(self.count.fetch_add(1, Ordering::AcqRel) < 9, "in a macro: {}", top);
        self.next()
            .compare_exchange_weak(top, top + 1, atomic::Ordering::Release, Ordering::Acquire)
            .ok();
        self.top.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
    }
}

fn free(state: &AtomicU32) {
    state.store(1, Ordering::Release);
    state.fetch_update(Ordering::Release, Ordering::Relaxed, |n| Some(n + 1)).ok();
    let unrelated = 1.cmp(&2) == std::cmp::Ordering::Less;
    config.load();
}

#[cfg(test)]
mod tests {
    fn planted() {
        X.load(Ordering::SeqCst);
    }
}
"#;

fn planted() -> (Vec<Site>, Vec<Mutant>) {
    let sites = sites::find("src/stack.rs", PLANTED).expect("the planted source is right");
    let mutants = weaken::all(&sites).expect("every ordering may stand where it is");
    (sites, mutants)
}

fn refused(body: &str) -> String {
    let source = format!("fn f() {{ {body} }}");
    let found = sites::find("src/a.rs", &source).and_then(|sites| weaken::all(&sites));
    found.expect_err(&source).to_string()
}

#[test]
fn every_ordering_is_found_in_the_order_of_the_text() {
    let (sites, _) = planted();
    let found: Vec<_> = sites
        .iter()
        .map(|site| (site.line, site.function.as_str(), site.operation.as_str(), site.kind, site.order))
        .collect();
    let push = "Stack::push";
    assert_eq!(
        found,
        [
            (6, push, "self.top.load", Kind::Load, Order::Acquire),
            (8, push, "self.count.fetch_add", Kind::Rmw, Order::AcqRel),
            (10, push, "self.next().compare_exchange_weak, success", Kind::CasSuccess, Order::Release),
            (10, push, "self.next().compare_exchange_weak, failure", Kind::CasFailure, Order::Acquire),
            (12, push, "self.top.load (2)", Kind::Load, Order::Acquire),
            (13, push, "fence", Kind::Fence, Order::SeqCst),
            (18, "free", "state.store", Kind::Store, Order::Release),
            (19, "free", "state.fetch_update, success", Kind::CasSuccess, Order::Release),
            (19, "free", "state.fetch_update, failure", Kind::CasFailure, Order::Relaxed),
        ]
    );
}

#[test]
fn each_ordering_is_weakened_by_one_step() {
    let (sites, mutants) = planted();
    let steps: Vec<_> = mutants
        .iter()
        .map(|mutant| (mutant.number, format!("{} -> {}", sites[mutant.site].order, mutant.to)))
        .collect();
    let expected = [
        "Acquire -> Relaxed",
        "AcqRel -> Acquire",
        "AcqRel -> Release",
        "Release -> Relaxed",
        "Acquire -> Relaxed",
        "Acquire -> Relaxed",
        "SeqCst -> AcqRel",
        "SeqCst -> removed",
        "Release -> Relaxed",
        "Release -> Relaxed",
    ];
    assert_eq!(steps, (1..).zip(expected.map(str::to_owned)).collect::<Vec<_>>());
    let fences = |order: &str| {
        let sites =
            sites::find("src/a.rs", &format!("fn f() {{ fence(Ordering::{order}) }}")).expect("a fence");
        let mutants = weaken::all(&sites).expect("a fence");
        mutants.iter().map(|mutant| mutant.to.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(fences("AcqRel"), ["Acquire", "Release"]);
    assert_eq!(fences("Acquire"), ["removed"]);
}

#[test]
fn a_seqcst_access_is_refused() {
    for access in ["x.load(Ordering::SeqCst);", "x.swap(1, Ordering::SeqCst);"] {
        let why = refused(access);
        assert!(why.contains("src/a.rs:1") && why.contains("use fence(SeqCst)"), "{why}");
    }
    assert!(refused("x.load(Ordering::Release);").contains("may not be Release"));
}

#[test]
fn an_ordering_that_is_not_written_in_place_is_refused() {
    let not_in_place = "not written in place";
    for (body, reason) in [
        ("x.load(order);", not_in_place),
        ("x.store(1, self.order());", not_in_place),
        ("x.swap(1, if y { Ordering::Acquire } else { Ordering::AcqRel });", not_in_place),
        ("const ORDER: Ordering = Ordering::Acquire; x.load(ORDER);", not_in_place),
        ("let order = Ordering::Acquire;", not_in_place),
        ("f(Ordering::Acquire);", not_in_place),
        ("AtomicU32::load(x, Ordering::Acquire);", not_in_place),
        ("match order { Ordering::Acquire => 1, _ => 2 };", not_in_place),
        ("x.load(Acquire);", not_in_place),
        ("use core::sync::atomic::Ordering::Acquire;", "an import of orderings"),
        ("use core::sync::atomic::Ordering::*;", "an import of orderings"),
        ("odd! { x => Ordering::Acquire };", "inside a macro"),
    ] {
        let why = refused(body);
        assert!(why.contains(reason), "{body}: {why}");
    }
}

#[test]
fn the_edit_leaves_all_else_as_it_was() {
    let (sites, mutants) = planted();
    let sources = BTreeMap::from([
        ("src/lib.rs".to_owned(), "mod stack;".to_owned()),
        ("src/stack.rs".to_owned(), PLANTED.to_owned()),
    ]);
    let edited = inject::edit(&sources, &sites, &mutants);
    let stack = &edited[Path::new("src/stack.rs")];
    for call in [
        "self.top.load(crate::ordmut::pick(0, Ordering::Acquire))",
        "crate::ordmut::pick(2, atomic::Ordering::Release), crate::ordmut::pick(3, Ordering::Acquire)",
        "        crate::ordmut::fence(5, Ordering::SeqCst);",
        "state.fetch_update(crate::ordmut::pick(7, Ordering::Release), Ordering::Relaxed",
    ] {
        assert!(stack.contains(call), "{call} is missing in {stack}");
    }
    assert_eq!(stack.matches("crate::ordmut::").count(), 8);
    assert_eq!(stack.lines().count(), PLANTED.lines().count());
    assert!(edited[Path::new("src/lib.rs")].contains("mod ordmut;"));
    assert!(edited.contains_key(Path::new("src/ordmut.rs")));
    assert_eq!(inject::choice(&mutants[7]), "5 removed");
}

const ENTRY: Entry = Entry {
    file: "src/stack.rs",
    function: "Stack::push",
    operation: "self.top.load (2)",
    from: "Acquire",
    to: "Relaxed",
    reason: Reason::Beyond { litmus: "litmus_planted" },
    argument: "loom does not show it",
};

fn faults(entries: &[Entry]) -> Vec<String> {
    let (sites, mutants) = planted();
    entries::faults(entries, &sites, &mutants, &["litmus_planted".to_owned()])
}

#[test]
fn an_entry_must_have_a_mutant_an_argument_and_a_litmus() {
    assert_eq!(faults(&[ENTRY]), [""; 0]);
    for (entry, fault) in [
        (Entry { function: "Stack::pop", ..ENTRY }, "no such mutant"),
        (Entry { operation: "self.top.load (3)", ..ENTRY }, "no such mutant"),
        (Entry { to: "removed", ..ENTRY }, "no such mutant"),
        (Entry { argument: " ", ..ENTRY }, "no argument"),
        (Entry { reason: Reason::Beyond { litmus: "litmus_gone" }, ..ENTRY }, "no litmus model"),
    ] {
        let faults = faults(&[entry]);
        assert!(faults.len() == 1 && faults[0].contains(fault), "{faults:?}");
    }
    assert!(faults(&[ENTRY, ENTRY])[0].contains("twice"));
}

#[test]
fn an_entry_is_stale_once_its_mutant_is_killed() {
    let check = Check { file: "stack".into(), model: "s1_order".into(), oracle: "never".into() };
    let kill = Kill { check: check.clone(), time: Duration::from_secs(1), message: "S1: no".into() };
    let survived = Judgement { asked: 3, ..Judgement::default() };
    let killed = Judgement { kills: vec![kill], ..survived.clone() };
    let unsure = Judgement { cut_off: vec![check], ..survived.clone() };
    let verdict = |judgement, entry| {
        let (verdict, stale) = Verdict::new(judgement, entry);
        (verdict.to_string(), stale.is_some())
    };
    let by = "killed by stack::s1_order/never in 1.00 s: S1: no".to_owned();
    assert_eq!(verdict(&killed, None), (by.clone(), false));
    assert_eq!(verdict(&killed, Some(&ENTRY)), (by, true));
    assert_eq!(verdict(&survived, None), ("SURVIVED 3 checks".into(), false));
    assert!(verdict(&survived, Some(&ENTRY)).0.starts_with("beyond the checker, see litmus_planted"));
    assert_eq!(verdict(&unsure, Some(&ENTRY)), ("SURVIVED 3 checks, of which 1 were cut off".into(), true));
}

#[test]
fn the_last_line_counts_the_verdicts() {
    let (sites, mutants) = planted();
    let row = |verdict| Row { site: &sites[0], mutant: &mutants[0], verdict };
    let survived = Verdict::Survived { asked: 1, cut_off: 0 };
    let rows = [row(Verdict::Killed(Vec::new())), row(Verdict::Entered(ENTRY)), row(survived)];
    assert_eq!(
        Sum::of(&rows).to_string(),
        "ordmut: 3 mutants, 1 killed, 0 equivalent, 1 beyond the checker, 1 survived"
    );
    assert_eq!(
        title(&sites[0], &mutants[0]),
        "src/stack.rs:6 Stack::push `self.top.load` Acquire -> Relaxed"
    );
}

#[test]
fn the_crate_itself_can_be_read() {
    let workspace = crate::tree::workspace().expect("a workspace");
    let plan = super::Plan::new(&workspace).expect("every ordering of src is written in place");
    assert!(plan.mutants.len() > 20, "{} mutants", plan.mutants.len());
    let mut names: Vec<_> = plan.sites.iter().map(|s| (&s.file, &s.function, &s.operation)).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), plan.sites.len(), "two sites have one name");
}
