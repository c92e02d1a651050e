//! The design notes of the repository's `docs` folder, mounted here so that their code is compiled and run.
//!
#![doc = include_str!("../docs/rustdoc/docs.links")]
#![doc = include_str!("../docs/README.md")]

// A page's links have labels, whose definitions stand at its end and are files. Those that stand before it here count
// first, and are modules, sources and pictures. `cargo xtask links` writes both, and `cargo xtask doc` follows them.
macro_rules! pages {
    ($($name:ident = $file:literal)*) => { $(
        #[doc = include_str!(concat!("../docs/rustdoc/", stringify!($name), ".links"))]
        #[doc = include_str!(concat!("../docs/", $file))]
        pub mod $name {}
    )* };
}

pages! {
    readme = "../README.md"
    overview = "overview.md"
    queue = "queue.md"
    reclamation = "reclamation.md"
    wake_ups = "wake-ups.md"
    completion = "completion.md"
    scheduling = "scheduling.md"
    scaling = "scaling.md"
    soundness = "soundness.md"
    verification = "verification.md"
    seed = "seed.md"
    contract = "contract.md"
    coming_from = "coming-from.md"
    backends = "backends.md"
    invariants = "invariants.md"
    mutants = "mutants.md"
    benchmarks = "benchmarks.md"
    reproduce = "reproduce.md"
    contributing = "../CONTRIBUTING.md"
    security = "../SECURITY.md"
    changelog = "../CHANGELOG.md"
    decision_0001_claimed_head = "decisions/0001-claimed-head.md"
    decision_0002_pinning = "decisions/0002-pinning.md"
    decision_0003_one_word = "decisions/0003-one-word.md"
    decision_0004_leave_then_look = "decisions/0004-leave-then-look.md"
    decision_0005_parking_lot = "decisions/0005-parking-lot.md"
    decision_0006_claims = "decisions/0006-claims.md"
    decision_0007_model_reclaimers = "decisions/0007-model-reclaimers.md"
    decision_0008_model_parker = "decisions/0008-model-parker.md"
    decision_0009_magazines = "decisions/0009-magazines.md"
    decision_0010_short_loops = "decisions/0010-short-loops.md"
    decision_0011_lazy_joins = "decisions/0011-lazy-joins.md"
    decision_0012_giving_way = "decisions/0012-giving-way.md"
    decision_0013_short_tasks = "decisions/0013-short-tasks.md"
    decision_0014_homes = "decisions/0014-homes.md"
    decision_0015_making_room = "decisions/0015-making-room.md"
    decision_0016_sitting_out = "decisions/0016-sitting-out.md"
}
