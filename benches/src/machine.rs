//! What the figures were measured on, and what speaks against them.

use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::clock;

/// Above this share of the machine, what others do shows in the figures.
const MUCH: f64 = 0.05;

/// Watches the machine during a run.
#[derive(Debug)]
pub struct Watch {
    before: Vec<String>,
    start: Option<Use>,
}

impl Watch {
    /// Looks for what makes the figures doubtful before they are measured, prints it, and begins to watch.
    pub fn begin() -> Self {
        let mut before = Vec::new();
        if cfg!(debug_assertions) {
            before.push("this is a debug build: its figures mean little, run `cargo bench`".to_owned());
        }
        if cores() == 1 {
            before.push("only one core is there: threads take turns, so the figures mean little".to_owned());
        }
        let first = Use::now();
        thread::sleep(Duration::from_millis(400));
        let busy = first.and_then(|first| first.others());
        if let Some(others) = busy.filter(|others| *others > MUCH) {
            let percent = others * 100.0;
            before.push(format!("the machine is busy (others use {percent:.0} %): the figures mean little"));
        }
        before.iter().for_each(|doubt| println!("note: {doubt}"));
        Self { before, start: Use::now() }
    }

    /// Tells which share of the machine others have used since then, between 0 and 1, if the system shows it.
    pub fn others(&self) -> Option<f64> {
        self.start.as_ref().and_then(Use::others)
    }

    /// Returns lines that say what makes the figures doubtful, up to now; none is best.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = self.before.clone();
        if let Some(others) = self.others() {
            let verdict = if others > MUCH { ": the figures mean little" } else { "" };
            doubts.push(format!("other processes used {:.1} % of the machine{verdict}", others * 100.0));
        }
        doubts
    }
}

/// The processor time that all processes have used, to tell how busy others were.
#[derive(Clone, Copy, Debug)]
struct Use {
    /// Of all processes, in clock ticks.
    ticks: u64,
    own: Duration,
    at: Instant,
}

impl Use {
    /// Notes where the counters stand, if the system shows them.
    fn now() -> Option<Self> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let fields = text.lines().next()?.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0));
        // user, nice, system, idle, iowait, irq, softirq, steal; the guest's are within the first two.
        let fields: Vec<u64> = fields.take(8).collect();
        let idle: u64 = fields.iter().skip(3).take(2).sum();
        let ticks = fields.iter().sum::<u64>() - idle;
        Some(Self { ticks, own: clock::cpu(), at: Instant::now() })
    }

    fn others(&self) -> Option<f64> {
        /// Ticks are hundredths of a second on every Linux that shows them.
        const TICK: f64 = 0.01;
        let now = Self::now()?;
        let all = now.ticks.saturating_sub(self.ticks) as f64 * TICK;
        let own = now.own.saturating_sub(self.own).as_secs_f64();
        // A process may be kept to some of the cores, and the counters are those of all.
        let cores = fs::read_to_string("/proc/cpuinfo").ok()?.matches("processor\t").count().max(1);
        let capacity = (now.at - self.at).as_secs_f64() * cores as f64;
        Some(((all - own) / capacity).clamp(0.0, 1.0))
    }
}

/// Returns how many threads can run at once here.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Names processor, cores, system and compiler in one line.
pub fn description() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok();
    let model = cpu.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("model name")));
    let model = model.map_or("unknown processor", |line| line.trim_start_matches([' ', '\t', ':']));
    let system = first_line("uname", &["-sr"]).unwrap_or_else(|| std::env::consts::OS.to_owned());
    format!("{model}, {} cores, {system}, {}", cores(), compiler())
}

/// Names the compiler.
pub fn compiler() -> String {
    first_line("rustc", &["--version"]).unwrap_or_else(|| "unknown rustc".to_owned())
}

/// Returns the day, if the system tells.
pub fn today() -> String {
    first_line("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(|| "unknown date".to_owned())
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}
