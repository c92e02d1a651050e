//! The judge of histories is judged, and then real threads are.
use proptest::collection::vec;
use proptest::prelude::*;
use proptests::history::check::End;
use proptests::history::generate::{self, Bend, Choice};
use proptests::history::{Kind, Op, judge, search};

fn small() -> impl Strategy<Value = Vec<Op>> {
    let choices = vec(any::<Choice>(), 1..=7);
    let bends = vec(any::<Bend>(), 0..=4);
    (choices, 0..12_u64, bends).prop_map(|(choices, reach, bends)| {
        let mut history = generate::valid(&choices, reach, false);
        generate::bend(&mut history, &bends);
        history
    })
}

proptest! {
    #![proptest_config(proptests::config!(20_000))]

    #[test]
    fn h_the_judge_agrees_with_the_search(history in small()) {
        let judged = judge(&history, End::Open);
        prop_assert_eq!(judged.is_ok(), search::is_linearizable(&history), "{:?}", judged);
    }
}
