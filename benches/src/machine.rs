//! What the figures were measured on, and what speaks against them.

use std::fs;
use std::process::Command;
use std::thread;

/// Returns lines that say what makes the figures of this run doubtful; none is best.
pub fn doubts() -> Vec<String> {
    let mut doubts = Vec::new();
    if cfg!(debug_assertions) {
        doubts.push("this is a debug build: its figures mean little, run `cargo bench`".to_owned());
    }
    if cores() == 1 {
        doubts.push("only one core is there: threads take turns, so the figures mean little".to_owned());
    }
    if let Some(load) = load().filter(|load| *load > 0.5) {
        let what = "others are running here, so the figures mean little";
        doubts.push(format!("the machine is busy (load {load:.1} before the start): {what}"));
    }
    doubts
}

/// Returns how many threads can run at once here.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Returns how many threads wanted to run, on average over the last minute.
fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
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

/// The processor time that all processes of the machine have used, in clock ticks, to tell how busy others were.
#[derive(Clone, Copy, Debug)]
pub struct Busy {
    ticks: u64,
    own: std::time::Duration,
    start: std::time::Instant,
}

impl Busy {
    /// Notes where the counters stand, if the system shows them.
    pub fn now() -> Option<Self> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let fields = text.lines().next()?.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(0));
        // user, nice, system, idle, iowait, irq, softirq, steal; the guest's are within the first two.
        let fields: Vec<u64> = fields.take(8).collect();
        let idle: u64 = fields.iter().skip(3).take(2).sum();
        let ticks = fields.iter().sum::<u64>() - idle;
        Some(Self { ticks, own: crate::clock::cpu(), start: std::time::Instant::now() })
    }

    /// Returns which share of the machine others used since then, between 0 and 1.
    pub fn others_since(&self) -> Option<f64> {
        /// Ticks are hundredths of a second on every Linux that shows them.
        const TICK: f64 = 0.01;
        let now = Self::now()?;
        let all = (now.ticks - self.ticks) as f64 * TICK;
        let own = (now.own - self.own).as_secs_f64();
        let capacity = (now.start - self.start).as_secs_f64() * cores() as f64;
        Some(((all - own) / capacity).clamp(0.0, 1.0))
    }
}
