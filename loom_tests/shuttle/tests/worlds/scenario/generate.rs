//! Random scenarios, by proptest, whose trees also shrink the ones that fail.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{Body, End, Scenario, Step};

/// Returns the scenario of a number, as a tree that shrinks.
pub fn tree(seed: u64) -> impl ValueTree<Value = Scenario> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let numbers = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), numbers);
    scenario().new_tree(&mut runner).expect("nothing is rejected")
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let producers = prop_oneof![1 => Just(1_usize), 4 => Just(2)]
        .prop_flat_map(|producers| vec(vec(step(2, true), 1..=4), producers));
    let workers = prop_oneof![1 => Just(1_usize), 1 => Just(2), 2 => Just(3)];
    (workers, any::<bool>(), producers).prop_map(|(workers, late, producers)| Scenario {
        workers,
        late,
        producers,
    })
}

/// A step, of a producer or of a task, with so many levels of tasks below its own.
fn step(depth: u32, producer: bool) -> BoxedStrategy<Step> {
    let bodies = move || vec(body(depth), 1..=3);
    prop_oneof![
        4 => (bodies(), submit_end(producer)).prop_map(|(bodies, end)| Step::Submit(bodies, end)),
        4 => (body(depth), spawn_end(producer)).prop_map(|(body, end)| Step::Spawn(body, end)),
        2 => bodies().prop_map(Step::Each),
        1 => bodies().prop_map(Step::Map),
        2 => (body(depth), body(depth)).prop_map(|(a, b)| Step::Join([a, b])),
        3 => bodies().prop_map(Step::Scope),
        1 => plain().prop_map(|step| Step::Locked(Box::new(step))),
    ]
    .boxed()
}

/// A step that may be done with the lock held: it waits, and its tasks do not lock.
fn plain() -> impl Strategy<Value = Step> {
    let body = || any::<bool>().prop_map(|panics| Body { panics, ..Body::default() });
    let bodies = move || vec(body(), 1..=3);
    prop_oneof![
        bodies().prop_map(|bodies| Step::Submit(bodies, End::Wait)),
        bodies().prop_map(Step::Each),
        bodies().prop_map(Step::Scope),
        (body(), body()).prop_map(|(a, b)| Step::Join([a, b])),
    ]
}

fn body(depth: u32) -> BoxedStrategy<Body> {
    let leaf = prop_oneof![
        6 => Just(Body::default()),
        1 => Just(Body { panics: true, ..Body::default() }),
        1 => Just(Body { locks: true, ..Body::default() }),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = (vec(step(depth - 1, false), 1..=2), prop::bool::weighted(0.2))
        .prop_map(|(steps, panics)| Body { steps, panics, ..Body::default() });
    prop_oneof![5 => leaf, 1 => inner].boxed()
}

fn submit_end(producer: bool) -> impl Strategy<Value = End> {
    let anywhere = [End::Wait, End::Drop, End::Detach, End::Timeout, End::Clone];
    let outside = [End::Outlive].into_iter().filter(move |_| producer);
    prop::sample::select(anywhere.into_iter().chain(outside).collect::<Vec<_>>())
}

fn spawn_end(producer: bool) -> impl Strategy<Value = End> {
    let anywhere = [End::Wait, End::Drop, End::Timeout, End::Poll];
    let outside = [End::Await, End::Outlive, End::OutliveAwait].into_iter().filter(move |_| producer);
    prop::sample::select(anywhere.into_iter().chain(outside).collect::<Vec<_>>())
}
