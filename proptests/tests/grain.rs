//! Properties of the chunk policy, which is pure: ranges are cut without threads, and every number is compared.
//!
//! A range is cut the way participants cut it: each chunk is a function of what remains and of the grain that is known
//! by then, which may be another one for every chunk. Ranges reach up to [`Batch::MAX_TASKS`]; only as many threads
//! share the huge ones as keeps the number of chunks (G3) below a few thousand.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use zero_pool::batch::Batch;
use zero_pool::grain::{Grain, TARGET_NANOS, chunk};

/// Grains of every size.
fn grain() -> impl Strategy<Value = Grain> {
    (0..1_u64 << Grain::BITS).prop_map(Grain::from_bits)
}

/// Numbers of every magnitude.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..u64::BITS).prop_map(|(number, shift)| number >> shift)
}

/// A number of tasks and of threads that share them, such that the tasks are cut into a few thousand chunks.
fn share() -> impl Strategy<Value = (u64, u32)> {
    let near = |limit: u64| limit - 20..=limit;
    prop_oneof![
        (0..=300_u64, any::<u32>()),
        (0..=5_000_u64, 0..=70_u32),
        (0..=Batch::MAX_TASKS, 0..=64_u32),
        (near(Batch::MAX_TASKS), 0..=64_u32),
    ]
}

/// Cuts `tasks` tasks into chunks; the grains take turns.
fn cut(tasks: u64, threads: u32, grains: &[Grain]) -> Vec<Range<u64>> {
    let mut chunks = Vec::new();
    let mut next = 0;
    for &grain in grains.iter().cycle() {
        if next == tasks {
            break;
        }
        let end = next + chunk(tasks - next, threads, grain);
        assert!(end > next, "G1: an empty chunk, of {} tasks", tasks - next);
        assert!(end <= tasks, "G1: a chunk of more than the {} tasks that remain", tasks - next);
        chunks.push(next..end);
        next = end;
    }
    chunks
}

/// The number of threads as the policy counts them.
fn counted(threads: u32) -> u64 {
    u64::from(threads).max(1)
}

proptest! {
    #![proptest_config(proptests::config!(3_000))]

    #[test]
    fn g1_chunks_partition_every_range((tasks, threads) in share(), grains in vec(grain(), 1..6)) {
        let chunks = cut(tasks, threads, &grains);
        let ends = chunks.iter().map(|chunk| chunk.end);
        let starts = chunks.iter().map(|chunk| chunk.start);
        prop_assert!(starts.eq(std::iter::once(0).chain(ends).take(chunks.len())), "{chunks:?}");
        prop_assert_eq!(chunks.last().map_or(0, |chunk| chunk.end), tasks);
    }

    #[test]
    fn g1_a_chunk_is_a_part_of_what_remains(remaining in number(), threads in number(), grain in grain()) {
        let threads = threads as u32;
        let size = chunk(remaining, threads, grain);
        prop_assert!(size <= remaining);
        prop_assert_eq!(size == 0, remaining == 0);
        prop_assert!(size >= grain.tasks().min(remaining), "less than the grain");
        prop_assert!(size <= grain.tasks().max(remaining / (2 * counted(threads))), "more than a share");
    }

    #[test]
    fn g2_costly_tasks_are_handed_out_one_by_one_at_the_end(
        (tasks, threads) in share(),
        measured in 1..=1_000_u64,
        cost in TARGET_NANOS..=1_000_000_000,
    ) {
        let grain = Grain::measured(measured, measured * cost);
        for chunk in cut(tasks, threads, &[grain]) {
            let at_the_end = tasks - chunk.start < 4 * counted(threads);
            prop_assert!(!at_the_end || chunk.end - chunk.start == 1, "{chunk:?} of {tasks}");
        }
    }

    #[test]
    fn g2_a_grain_takes_its_time_and_not_half_of_it(tasks in number(), nanos in number()) {
        let tasks = (tasks / TARGET_NANOS).max(1);
        let grain = Grain::measured(tasks, nanos);
        let takes = |count: u64| u128::from(count) * u128::from(nanos);
        let target = u128::from(tasks) * u128::from(TARGET_NANOS);
        let largest = grain.to_bits() == (1 << Grain::BITS) - 1;
        prop_assert!(grain == Grain::SINGLE || takes(grain.tasks()) <= target, "{grain:?} takes too long");
        prop_assert!(largest || takes(2 * grain.tasks()) > target, "twice {grain:?} would fit");
    }

    #[test]
    fn g3_few_chunks((tasks, threads) in share(), grains in vec(grain(), 1..6)) {
        let chunks = cut(tasks, threads, &grains).len() as f64;
        let limit = 2.0 * counted(threads) as f64 * (1.0 + (tasks.max(1) as f64).ln()) + 1.0;
        prop_assert!(chunks <= limit, "{chunks} chunks, and at most {limit} were promised");
    }

    /// What `docs/scheduling.md` says of any costs: the chunk that ends last was claimed while all threads were at work, so
    /// that what had been claimed before is shared evenly.
    #[test]
    fn g2_the_last_chunk_decides(
        costs in vec(0..1_000_u64, 1..500),
        threads in 1..20_u32,
        grain in grain(),
    ) {
        let turns = turns(&costs, threads, grain);
        let last = turns.iter().max_by_key(|turn| turn.end()).expect("there are tasks");
        let before: u64 = costs[..last.first as usize].iter().sum();
        prop_assert!(last.end() * u64::from(threads) <= before + last.nanos * u64::from(threads));
    }

    /// Equal tasks end within a grain of the ideal.
    #[test]
    fn g2_equal_tasks_end_together(tasks in 1..2_000_usize, threads in 1..40_u32, grain in grain()) {
        let end = turns(&vec![1; tasks], threads, grain).iter().map(Turn::end).max().expect("there are tasks");
        let threads = u64::from(threads);
        prop_assert!(end * threads <= tasks as u64 + threads * grain.tasks(), "{end}");
    }

    #[test]
    fn g_a_grain_is_read_from_its_own_bits_alone(bits: u64) {
        let grain = Grain::from_bits(bits);
        prop_assert_eq!(grain.to_bits(), bits & ((1 << Grain::BITS) - 1));
        prop_assert_eq!(grain.tasks(), 1 << grain.to_bits());
    }
}

#[test]
fn g_every_grain_survives_its_bits() {
    let all: Vec<_> = (0..1 << Grain::BITS).map(Grain::from_bits).collect();
    assert!(all.is_sorted_by(|a, b| a < b), "grains are ordered by their size: {all:?}");
    assert_eq!(all[0], Grain::SINGLE);
    assert_eq!(Grain::default(), Grain::SINGLE);
    for grain in all {
        assert_eq!(Grain::from_bits(grain.to_bits()), grain);
    }
}

#[test]
fn g2_measurements_at_the_edges() {
    let largest = Grain::from_bits(u64::MAX);
    assert_eq!(Grain::measured(0, 0), Grain::SINGLE, "nothing was measured");
    assert_eq!(Grain::measured(0, 5), Grain::SINGLE, "nothing was measured");
    assert_eq!(Grain::measured(1, 0), largest, "too fast for the clock");
    assert_eq!(Grain::measured(1 << 62, 1), largest, "the product does not wrap");
    assert_eq!(Grain::measured(u64::MAX, u64::MAX), Grain::SINGLE, "and errs towards small grains");
    assert_eq!(Grain::measured(1, u64::MAX), Grain::SINGLE);
    assert_eq!(Grain::measured(1, TARGET_NANOS).tasks(), 1);
    assert_eq!(Grain::measured(4, TARGET_NANOS).tasks(), 4);
    assert_eq!(Grain::measured(4, TARGET_NANOS + 1).tasks(), 2);
}

/// A claim of a thread that shares a batch with others which all came at once.
#[derive(Debug)]
struct Turn {
    thread: usize,
    /// When the thread was free.
    at: u64,
    first: u64,
    tasks: u64,
    /// How long its tasks take.
    nanos: u64,
}

impl Turn {
    fn end(&self) -> u64 {
        self.at + self.nanos
    }
}

/// Shares tasks of these costs; who is free first claims next.
fn turns(costs: &[u64], threads: u32, grain: Grain) -> Vec<Turn> {
    let mut free = vec![0; threads as usize];
    let (mut turns, mut first) = (Vec::new(), 0);
    while first < costs.len() {
        let thread = (0..free.len()).min_by_key(|thread| free[*thread]).expect("there are threads");
        let tasks = chunk((costs.len() - first) as u64, threads, grain);
        let next = first + tasks as usize;
        let nanos = costs[first..next].iter().sum();
        turns.push(Turn { thread, at: free[thread], first: first as u64, tasks, nanos });
        free[thread] += nanos;
        first = next;
    }
    turns
}

/// How many claims cut a range if all threads keep coming.
fn claims(mut tasks: u64, threads: u32, grain: Grain) -> usize {
    let mut claims = 0;
    while tasks > 0 {
        tasks -= chunk(tasks, threads, grain);
        claims += 1;
    }
    claims
}

/// The numbers that `docs/scaling.md` calls exact are those of the policy.
#[test]
fn g3_the_claims_of_the_scaling_page() {
    let page = include_str!("../../docs/scaling.md");
    for (tasks, nanos, threads, expected) in [
        (1_000, 87, 2, 17),
        (1_000, 87, 16, 77),
        (1_000, 87, 64, 125),
        (100_000, 87, 16, 222),
        (100_000, 87, 64, 720),
        (100_000, 87, 128, 1_266),
        (10_000, 1_000, 64, 756),
        (10_000, 1_000, 128, 1_336),
        (1_000, 50_000, 128, 716),
    ] {
        assert_eq!(claims(tasks, threads, Grain::measured(1, nanos)), expected, "{tasks} of {nanos} ns");
        assert!(
            page.contains(&format!("| {threads} | {expected} |")),
            "{threads} threads, {expected} claims"
        );
    }
}

/// Tells which rows a page lacks, whatever its line breaks are.
fn assert_says(page: &str, rows: &[String]) {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = words(page);
    let missing: Vec<_> = rows.iter().filter(|row| !page.contains(&words(row))).collect();
    assert!(
        missing.is_empty(),
        "the page lacks\n{}",
        missing.iter().map(|row| format!("{row}\n")).collect::<String>()
    );
}

/// Writes the least and the most of something.
fn span(values: impl Iterator<Item = u64> + Clone) -> String {
    let (least, most) = (values.clone().min().unwrap_or(0), values.max().unwrap_or(0));
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}

/// The table of who takes what in `docs/scheduling.md`, and the picture beside it, are what the policy makes of equal tasks.
#[test]
fn g3_the_claims_of_the_scheduling_page() {
    let page = include_str!("../../docs/scheduling.md");
    let mut rows = Vec::new();
    for (tasks, threads) in [(1_000, 2), (1_000, 16), (10_000, 2), (10_000, 16)] {
        for (cost, nanos) in [("unknown, or a microsecond", TARGET_NANOS), ("87 ns", 87), ("1 ns", 1)] {
            let grain = Grain::measured(1, nanos);
            let turns = turns(&vec![1; tasks], threads, grain);
            let of = |thread: u32| turns.iter().filter(move |turn| turn.thread == thread as usize);
            let each = span((0..threads).map(|thread| of(thread).count() as u64));
            let ends = span((0..threads).map(|thread| of(thread).map(Turn::end).max().unwrap_or(0)));
            let (grain, first, claims) = (grain.tasks(), turns[0].tasks, turns.len());
            rows.push(format!(
                "| {tasks} | {threads} | {cost} | {grain} | {first} | {claims} | {each} | {ends} |"
            ));
        }
    }
    assert_says(page, &rows);
    let picture = include_str!("../../docs/pictures/chunks.lanes");
    let turns = turns(&[1; 1_000], 2, Grain::measured(1, 87));
    let steps = picture.lines().filter(|line| line.contains(": takes "));
    let steps: Vec<_> = steps.map(|line| line.split(" [").next().unwrap_or(line)).collect();
    for (step, turn) in steps.iter().zip(&turns) {
        let (who, next) = (["caller", "worker"][turn.thread], turn.first + turn.tasks);
        let words = format!("> words: next {next}, rest {}", 1_000 - next);
        assert!(
            step.starts_with(&format!("{who}: at {}: takes {}", turn.at, turn.tasks)),
            "{step}: {turn:?}"
        );
        assert!(picture.contains(&words), "{words}");
    }
    assert_eq!(steps.len(), turns.len());
}

/// The table of uneven batches in `docs/scheduling.md` is what the policy makes of their costs.
#[test]
fn g3_the_worst_cases_of_the_scheduling_page() {
    let page = include_str!("../../docs/scheduling.md");
    type Cost = fn(u64, u32) -> u64;
    let cases: [(&str, Cost); 6] = [
        ("the first", |index, _| if index == 0 { 1_000 } else { 1 }),
        ("the one in the middle", |index, _| if index == 500 { 1_000 } else { 1 }),
        ("the last", |index, _| if index == 999 { 1_000 } else { 1 }),
        ("as many as the first chunk takes", |index, threads| {
            if index < 1_000 / (2 * u64::from(threads)) { 1_000 } else { 1 }
        }),
        ("each dearer than the next, in even steps", |index, _| 1_000 - index),
        ("each dearer than the one before, in even steps", |index, _| index + 1),
    ];
    let mut rows = Vec::new();
    for (name, cost) in cases {
        let ends = [2, 16].map(|threads| {
            let costs: Vec<_> = (0..1_000).map(|index| cost(index, threads)).collect();
            let end =
                turns(&costs, threads, Grain::SINGLE).iter().map(Turn::end).max().expect("there are tasks");
            let dearest = costs.iter().copied().max().expect("there are tasks");
            let ideal = costs.iter().sum::<u64>().div_ceil(u64::from(threads)).max(dearest);
            format!("{end} | {ideal} | {:.2}", end as f64 / ideal as f64)
        });
        rows.push(format!("| {name} | {} |", ends.join(" | ")));
    }
    assert_says(page, &rows);
}
