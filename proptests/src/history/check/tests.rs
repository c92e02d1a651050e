//! Small histories, each beside one that differs in a stamp and is linearizable; the search agrees on all of them.

use super::super::search::is_linearizable;
use super::super::{BatchId, Range};
use super::*;

fn push(batch: BatchId, tasks: u32, called: Stamp, answered: Stamp) -> Op {
    Op { event: Event::Push { batch, tasks }, called, answered }
}

fn take(batch: BatchId, task: u32, called: Stamp, answered: Stamp) -> Op {
    Op { event: Event::Take(Range { batch, start: task, end: task + 1 }), called, answered }
}

fn empty(called: Stamp, answered: Stamp) -> Op {
    Op { event: Event::Empty, called, answered }
}

/// Returns the kind that the judge reports, after asking the search whether it may report one.
fn kind(history: &[Op]) -> Option<Kind> {
    let kind = judge(history, End::Open).err().map(|violation| violation.kind);
    assert_eq!(kind.is_none(), is_linearizable(history), "the search disagrees about {history:?}");
    kind
}

#[test]
fn h_overtaking_is_seen_only_where_it_is_certain() {
    let overtaken = [push(1, 1, 0, 1), push(2, 1, 2, 3), take(2, 0, 4, 5), take(1, 0, 6, 7)];
    assert_eq!(kind(&overtaken), Some(Kind::Overtaken));
    let pushed_together = [push(1, 1, 0, 2), push(2, 1, 2, 3), take(2, 0, 4, 5), take(1, 0, 6, 7)];
    assert_eq!(kind(&pushed_together), None);
    let taken_together = [push(1, 1, 0, 1), push(2, 1, 2, 3), take(2, 0, 4, 6), take(1, 0, 6, 7)];
    assert_eq!(kind(&taken_together), None);
}

#[test]
fn h_a_batch_in_service_keeps_others_out() {
    let one = [push(1, 2, 0, 1), take(1, 0, 2, 3), take(1, 1, 8, 9), push(2, 1, 0, 1)];
    assert_eq!(kind(&[&one[..], &[take(2, 0, 5, 6)]].concat()), Some(Kind::Interleaved));
    assert_eq!(kind(&[&one[..], &[take(2, 0, 5, 8)]].concat()), None, "after the last claim");
    assert_eq!(kind(&[&one[..], &[take(2, 0, 1, 6)]].concat()), None, "before the first");
}

#[test]
fn h_settling_finds_what_pairs_do_not() {
    // Batch 2 is in service from 10 to 20, so 1 was taken before 10 and 3 after 20; but 3 was pushed before 1.
    let service = [push(2, 2, 0, 9), take(2, 0, 9, 10), take(2, 1, 20, 21)];
    let others = [push(3, 1, 0, 1), push(1, 1, 2, 3), take(1, 0, 4, 15), take(3, 0, 12, 25)];
    assert_eq!(kind(&[&service[..], &others].concat()), Some(Kind::Overtaken));
    let pushed_together = [push(3, 1, 0, 2), push(1, 1, 2, 3), take(1, 0, 4, 15), take(3, 0, 12, 25)];
    assert_eq!(kind(&[&service[..], &pushed_together].concat()), None);
}

#[test]
fn h_an_empty_answer_needs_one_instant_without_tasks() {
    let chain = [push(1, 1, 0, 1), push(2, 1, 2, 3), take(1, 0, 4, 5), push(3, 1, 6, 7), take(2, 0, 8, 9)];
    assert_eq!(
        kind(&[&chain[..], &[empty(2, 20)]].concat()),
        Some(Kind::FalseEmpty),
        "batch 3 is still there"
    );
    let taken = [&chain[..], &[take(3, 0, 15, 16)]].concat();
    assert_eq!(kind(&[&taken[..], &[empty(2, 14)]].concat()), Some(Kind::FalseEmpty));
    assert_eq!(kind(&[&taken[..], &[empty(2, 15)]].concat()), None, "after all");
    assert_eq!(kind(&[&taken[..], &[empty(1, 14)]].concat()), None, "before all");
}

#[test]
fn h_violations_are_explained() {
    let history = [push(1, 1, 0, 1), empty(2, 3)];
    let violation = judge(&history, End::Open).expect_err("the queue is not empty");
    assert_eq!(violation, Violation::new(Kind::FalseEmpty, [1]));
    assert!(violation.explain(&history).contains("#1: Op { event: Empty"), "{}", violation.explain(&history));
    assert_eq!(judge(&history[..1], End::Drained).map_err(|violation| violation.kind), Err(Kind::Lost));
}
