//! Tests of the entries and of the verdicts.

use std::time::Duration;

use super::planted;
use crate::models::Check;
use crate::ordmut::entries::{self, Entry, Reason};
use crate::ordmut::judge::{Judgement, Kill};
use crate::ordmut::report::{Row, Sum, Verdict, title};

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
    let equivalent = Entry { reason: Reason::Equivalent, ..ENTRY };
    assert_eq!(verdict(&survived, Some(&equivalent)), ("equivalent: loom does not show it".into(), false));
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
