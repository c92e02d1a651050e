//! How does cost grow: with the size of a batch, the length of the queue, the workers and the producers?
//!
//! ```text
//! cargo bench -p benches --bench growth -- [--quick] [--write-docs]
//! ```
//!
//! Each of the four questions varies one number and holds the others. For every point there are rounds, each with a fresh
//! pool, and the median stands for the point. The *slope* at the upper end is fitted through the last points on
//! logarithmic axes: 0 where the cost does not depend on the number, 1 where it is proportional to it. Costs per task, per
//! submission and per batch should have slopes near 0; a slope of 1 there means that the whole is quadratic.
//!
//! - *batch*: time per empty task, of one call: a loop by index, a batch of the seed's surface, tasks submitted one by one.
//! - *queue*: time per submission while so many lie in the queue already and all workers are held up, and time per task to
//!   drain them.
//! - *workers*: from one to a thousand, most of which sleep: a loop of a thousand tasks of 87 ns, a batch of 64 empty ones,
//!   one submission to sleeping workers, start and end of the pool per worker.
//! - *producers*: time per batch of 16 when so many threads submit and wait at once.

use core::sync::atomic::{AtomicU64, Ordering};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Barrier, OnceLock, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use benches::chart::{self, Axis, Series};
use benches::machine::Watch;
use benches::page::{self, Table};
use benches::stats::{Samples, time};
use benches::work::{chain, steps_in_a_row};
use clap::Parser;
use indicatif::ProgressBar;
use zero_pool::ZeroPool;

/// Measures how the pool's costs grow.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo bench -p benches --bench growth --")]
struct Cli {
    /// Fewer rounds and smaller sizes.
    #[arg(long)]
    quick: bool,
    /// Writes figures and charts into docs/benchmarks.md.
    #[arg(long)]
    write_docs: bool,
    /// Cargo passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One question: what varies, and several costs that may depend on it.
struct Question {
    name: &'static str,
    title: &'static str,
    varies: &'static str,
    costs: &'static [&'static str],
    sizes: Vec<usize>,
    /// Measures all costs at one size, in nanoseconds per unit.
    measure: fn(usize) -> Vec<f64>,
}

fn questions(quick: bool) -> Vec<Question> {
    let upto = |sizes: &[usize], least: usize| {
        let most = if quick { least } else { usize::MAX };
        sizes.iter().copied().filter(|size| *size <= most).collect()
    };
    let decades = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
    vec![
        Question {
            name: "batch",
            title: "An empty task, by the size of the batch",
            varies: "tasks",
            costs: &["by index", "batch of parameters", "one by one"],
            sizes: upto(&decades, 100_000),
            measure: batch,
        },
        Question {
            name: "queue",
            title: "A submission, by the length of the queue",
            varies: "batches in the queue",
            costs: &["submit", "drain"],
            sizes: upto(&decades, 100_000),
            measure: queue,
        },
        Question {
            name: "workers",
            title: "A call, by the number of workers",
            varies: "workers",
            costs: &["1000 tasks of 87 ns", "batch of 64", "submit to sleepers", "start and end, per worker"],
            sizes: upto(&[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000], 128),
            measure: workers,
        },
        Question {
            name: "producers",
            title: "A batch of 16, by the number of producers",
            varies: "producers",
            costs: &["by index", "batch of parameters"],
            sizes: upto(&[1, 2, 4, 8, 16, 32, 64], 16),
            measure: producers,
        },
    ]
}

/// Runs a closure until some time is over, and again until as much is over, of which it returns nanoseconds per run. The threads of a
/// new pool meet on one processor, and the system needs some milliseconds to part them.
fn each(mut run: impl FnMut()) -> f64 {
    const LONG: Duration = Duration::from_millis(10);
    let mut timed = || {
        let (start, mut runs) = (Instant::now(), 0);
        while start.elapsed() < LONG {
            run();
            runs += 1;
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(runs)
    };
    timed();
    timed()
}

/// Places that tasks count their runs in; no two threads have the same one at once.
struct Tally(Vec<AtomicU64>);

impl Tally {
    fn new(tasks: usize) -> Self {
        Self((0..tasks).map(|_| AtomicU64::new(0)).collect())
    }

    fn run(place: &AtomicU64) {
        place.store(place.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    fn index(&self, pool: &ZeroPool) {
        pool.for_each_index(0..self.0.len(), |index| Self::run(&self.0[index]));
    }

    fn batch(&self, pool: &ZeroPool) {
        pool.submit_batch_uniform(Self::run, &self.0).wait();
    }

    fn singles(&self, pool: &ZeroPool) {
        let futures: Vec<_> = self.0.iter().map(|place| pool.submit_task(Self::run, place)).collect();
        futures.into_iter().for_each(|future| future.wait());
    }

    /// Every task has run as often as every other, and at least once.
    fn check(&self) {
        let runs = |place: &AtomicU64| place.load(Ordering::Relaxed);
        let first = self.0.first().map_or(1, runs);
        assert!(
            first > 0 && self.0.iter().all(|place| runs(place) == first),
            "every task runs once per call"
        );
    }
}

/// Two workers, as many as the machine of the other benchmarks has cores.
fn pool() -> ZeroPool {
    ZeroPool::with_workers(2)
}

fn batch(tasks: usize) -> Vec<f64> {
    let (pool, tally) = (pool(), Tally::new(tasks));
    let calls: [&dyn Fn(); 3] = [&|| tally.index(&pool), &|| tally.batch(&pool), &|| tally.singles(&pool)];
    let costs = calls.map(|call| each(call) / tasks as f64);
    tally.check();
    costs.to_vec()
}

fn queue(length: usize) -> Vec<f64> {
    let (pool, tally) = (pool(), Tally::new(length));
    let gate = RwLock::new(());
    let closed = gate.write().expect("nobody panics in here");
    let arrived = AtomicU64::new(0);
    let pass = |_: &()| {
        arrived.fetch_add(1, Ordering::Relaxed);
        drop(gate.read());
    };
    let held: Vec<_> = (0..pool.workers()).map(|_| pool.submit_task(pass, &())).collect();
    while arrived.load(Ordering::Relaxed) < held.len() as u64 {
        thread::sleep(Duration::from_micros(50));
    }
    let start = Instant::now();
    let futures: Vec<_> = tally.0.iter().map(|place| pool.submit_task(Tally::run, place)).collect();
    let submitted = start.elapsed();
    let start = Instant::now();
    drop(closed);
    held.into_iter().chain(futures).for_each(|future| future.wait());
    let drained = start.elapsed();
    tally.check();
    [submitted, drained].map(|time| time.as_secs_f64() * 1e9 / length as f64).to_vec()
}

fn workers(workers: usize) -> Vec<f64> {
    static STEPS: OnceLock<u64> = OnceLock::new();
    let steps = *STEPS.get_or_init(|| steps_in_a_row(87.0));
    let start = Instant::now();
    let pool = ZeroPool::with_workers(workers);
    let started = start.elapsed();
    let places: Vec<_> = (0..1000).map(|_| AtomicU64::new(0)).collect();
    let expected = chain(1, steps);
    let work = each(|| {
        pool.for_each_index(0..places.len(), |index| places[index].store(chain(1, steps), Ordering::Relaxed));
    });
    assert!(
        places.iter().all(|place| place.load(Ordering::Relaxed) == expected),
        "every task has its result"
    );
    let tally = Tally::new(64);
    let small = each(|| tally.batch(&pool));
    let submit = Samples::new((0..5).map(|_| {
        thread::sleep(Duration::from_millis(2));
        let start = Instant::now();
        let future = pool.submit_task(Tally::run, &tally.0[0]);
        let took = start.elapsed();
        future.wait();
        // The others catch up, so that all have run as often.
        tally.0[1..].iter().for_each(Tally::run);
        took.as_secs_f64() * 1e9
    }));
    tally.check();
    let start = Instant::now();
    drop(pool);
    let life = (started + start.elapsed()).as_secs_f64() * 1e9 / workers as f64;
    vec![work, small, submit.median().unwrap_or(f64::NAN), life]
}

fn producers(producers: usize) -> Vec<f64> {
    /// So many batches of all producers together.
    const BATCHES: usize = 4096;
    let pool = pool();
    let ways: [fn(&Tally, &ZeroPool); 2] = [Tally::index, Tally::batch];
    let cost = |way: fn(&Tally, &ZeroPool)| {
        let (barrier, batches) = (Barrier::new(producers), BATCHES / producers);
        let produce = || {
            let tally = Tally::new(16);
            barrier.wait();
            let start = Instant::now();
            (0..batches).for_each(|_| way(&tally, &pool));
            let end = Instant::now();
            tally.check();
            (start, end)
        };
        let spans: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..producers).map(|_| scope.spawn(produce)).collect();
            threads.into_iter().map(|thread| thread.join().expect("every task runs once")).collect()
        });
        let start = spans.iter().map(|span| span.0).min().expect("there are producers");
        let end = spans.iter().map(|span| span.1).max().expect("there are producers");
        (end - start).as_secs_f64() * 1e9 / (batches * producers) as f64
    };
    ways.map(cost).to_vec()
}

/// The medians of one question: a line per cost, a point per size.
fn ask(question: &Question, rounds: usize, bar: &ProgressBar) -> Vec<Series> {
    let mut samples = vec![vec![Vec::new(); question.sizes.len()]; question.costs.len()];
    for _ in 0..rounds {
        for (at, size) in question.sizes.iter().enumerate() {
            bar.set_message(format!("{}: {size}", question.name));
            for (cost, figure) in (question.measure)(*size).into_iter().enumerate() {
                samples[cost][at].push(figure);
            }
            bar.inc(1);
        }
    }
    let line = |(name, figures): (&&str, Vec<Vec<f64>>)| {
        let medians = figures.into_iter().map(|figures| Samples::new(figures).median().unwrap_or(f64::NAN));
        let points = question.sizes.iter().map(|size| *size as f64).zip(medians).collect();
        Series { name: (*name).to_owned(), points }
    };
    question.costs.iter().zip(samples).map(line).collect()
}

/// Fits a straight line through the upper half of the points on logarithmic axes and returns its slope.
fn slope(points: &[(f64, f64)]) -> f64 {
    let upper = &points[points.len() / 2..];
    let logs: Vec<_> = upper.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let (x, y) = logs.iter().fold((0.0, 0.0), |(x, y), log| (x + log.0 / count, y + log.1 / count));
    let covariance: f64 = logs.iter().map(|log| (log.0 - x) * (log.1 - y)).sum();
    covariance / logs.iter().map(|log| (log.0 - x).powi(2)).sum::<f64>()
}

fn describe(question: &Question, series: &[Series]) -> String {
    let mut table = Table::new([question.varies].into_iter().chain(question.costs.iter().copied()));
    for (at, size) in question.sizes.iter().enumerate() {
        let cells = series.iter().map(|line| time(line.points[at].1));
        table.row([size.to_string()].into_iter().chain(cells));
    }
    let slopes = series.iter().map(|line| format!("{:.2}", slope(&line.points)));
    table.row(["*slope*".to_owned()].into_iter().chain(slopes));
    format!("### {}\n\n{}", question.title, table.finish())
}

fn draw(folder: &Path, question: &Question, series: &[Series]) -> Result<String, chart::Error> {
    let file = format!("growth-{}.svg", question.name);
    chart::lines(
        &folder.join(&file),
        question.title,
        Axis::Number(question.varies),
        Axis::Time("time"),
        series,
    )?;
    Ok(format!("![{}](benchmarks/{file})\n\n", question.title))
}

fn run(cli: &Cli) -> Result<(), chart::Error> {
    let rounds = if cli.quick { 3 } else { 11 };
    let questions = questions(cli.quick);
    let points = questions.iter().map(|question| question.sizes.len()).sum::<usize>();
    let bar = ProgressBar::new((rounds * points) as u64);
    let watch = Watch::begin();
    let answers: Vec<_> = questions.iter().map(|question| ask(question, rounds, &bar)).collect();
    bar.finish_and_clear();
    let command = if cli.quick { "-- --quick --write-docs" } else { "-- --write-docs" };
    let command = format!("cargo bench -p benches --bench growth {command}");
    let mut text = page::provenance(&command, &watch);
    text.push_str("\n\n");
    for (question, series) in questions.iter().zip(&answers) {
        let described = describe(question, series);
        println!("{described}");
        if cli.write_docs {
            text.push_str(&described);
            text.push('\n');
            text.push_str(&draw(&page::charts()?, question, series)?);
        }
    }
    if cli.write_docs {
        page::write("growth", &text)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
