//! One check in its process, which tells how far it is, stops in time, and leaves a checkpoint.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::report::{About, Row, State};
use super::shard::Shard;
use super::split::split;
use crate::models::{self, Check, Driver, End};

/// A check tells how far it is, and leaves a checkpoint, each so many schedules: a few seconds' worth.
const EVERY: usize = 20_000;

/// So many lines are shown of what a check that failed has to say, unless the steps of its schedule are wanted.
const LINES: usize = 30;

/// How often that is passed on.
const TELL: Duration = Duration::from_secs(10);

/// Runs checks.
pub struct Runner<'a> {
    pub driver: &'a Driver,
    pub folder: &'a Path,
    pub about: &'a About,
    pub shard: Shard,
    pub minutes: Option<u64>,
}

/// The part of a check that is to be run.
enum Part {
    /// It goes on from a checkpoint, or begins.
    Ready,
    /// It is known how it ends.
    Known(State, u64),
}

/// What a process said in a line of its output.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// So many schedules are done.
    Progress(u64),
    /// It stopped after so many.
    Stopped(u64),
    /// These were all.
    Over(u64),
    /// Something else.
    Other,
}

impl Said {
    fn parse(line: &str) -> Self {
        let number = |what: &str| line.strip_prefix(what)?.strip_prefix(' ')?.parse().ok();
        let said = number("progress").map(Self::Progress);
        let said = said.or_else(|| number("stopped").map(Self::Stopped));
        said.or_else(|| number("schedules").map(Self::Over)).unwrap_or(Self::Other)
    }
}

impl Runner<'_> {
    /// Runs a check, from its checkpoint if there is one. It took so many seconds before.
    pub fn run(&self, check: &Check, before: f64) -> Result<Row> {
        let (start, name) = (Instant::now(), check.to_string());
        let checkpoint = checkpoint_of(self.folder, &name);
        // A file of another program or bound is no checkpoint of ours.
        let goes_on = read_checkpoint(self.folder, &name, self.about)?.is_some();
        let part =
            if self.about.split && !goes_on { self.prepare(check, &checkpoint) } else { Ok(Part::Ready) };
        let (state, schedules) = match part.with_context(|| name.clone())? {
            Part::Known(state, schedules) => (state, schedules),
            Part::Ready => {
                let seconds = self.minutes.map(|minutes| 60 * minutes);
                self.watch(self.spawn(check, &checkpoint, seconds)?, check).with_context(|| name)?
            }
        };
        let is_lost = state == State::Stopped && !checkpoint.exists();
        let state = if is_lost { State::CutOff } else { state };
        Ok(Row { state, schedules, seconds: before + start.elapsed().as_secs_f64() })
    }

    /// Runs the first schedules of a check, which are the same on every machine, and leaves the checkpoint of our part.
    fn prepare(&self, check: &Check, checkpoint: &Path) -> Result<Part> {
        let whole = checkpoint.with_extension("whole");
        let ours = self.shard.index == 1;
        if whole.exists() {
            fs::remove_file(&whole).with_context(|| format!("removing {}", whole.display()))?;
        }
        let (state, done) = self.watch(self.spawn(check, &whole, Some(0))?, check)?;
        let done = if ours { done } else { 0 };
        if state != State::Stopped {
            return Ok(Part::Known(state, done));
        }
        if !whole.exists() {
            // Many programs in one check: it is not split, and falls to the first part.
            return Ok(if ours { Part::Ready } else { Part::Known(State::Complete, 0) });
        }
        let text = fs::read_to_string(&whole).with_context(|| format!("reading {}", whole.display()))?;
        let path = text.splitn(3, '\n').nth(2).context("a checkpoint has a path")?;
        let Some(path) = split(path, self.shard)? else { return Ok(Part::Known(State::Complete, 0)) };
        let first = first_line(&check.to_string(), self.about);
        fs::write(&whole, format!("{first}\n{done}\n{path}"))
            .and_then(|()| fs::rename(&whole, checkpoint))
            .with_context(|| format!("writing {}", checkpoint.display()))?;
        Ok(Part::Ready)
    }

    fn spawn(&self, check: &Check, checkpoint: &Path, seconds: Option<u64>) -> Result<Child> {
        let name = check.to_string();
        let mut command = self.driver.command(&["--child", &check.model, &check.oracle]);
        command
            .env("ZERO_POOL_EVERY", EVERY.to_string())
            .env("ZERO_POOL_CHECKPOINT", checkpoint)
            .env("ZERO_POOL_ABOUT", first_line(&name, self.about))
            .env("ZERO_POOL_EPOCH_BOUND", self.about.bound.to_string());
        for variable in ["ZERO_POOL_PROGRAMS", "ZERO_POOL_TRACE", "ZERO_POOL_SCRIPT"] {
            command.envs(std::env::var_os(variable).map(|value| (variable, value)));
        }
        command.envs(seconds.map(|seconds| ("ZERO_POOL_SECONDS", seconds.to_string())));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("it could not be started")
    }

    /// Reads what the process says to its end.
    fn watch(&self, mut child: Child, check: &Check) -> Result<(State, u64)> {
        let err = child.stderr.take().context("its errors are piped")?;
        let err = thread::spawn(move || drain(err));
        let out = BufReader::new(child.stdout.take().context("its output is piped")?);
        let (start, mut told, mut first) = (Instant::now(), Instant::now(), None);
        let (mut schedules, mut stopped, mut text) = (0, false, String::new());
        for line in out.lines() {
            let line = line.context("reading its output")?;
            match Said::parse(&line) {
                Said::Progress(done) => {
                    schedules = done;
                    // The rate is that of this run, which may have begun at a checkpoint.
                    let (from, since) = *first.get_or_insert((done, Instant::now()));
                    if told.elapsed() >= TELL {
                        told = Instant::now();
                        let rate = (done - from) as f64 / since.elapsed().as_secs_f64().max(0.001);
                        let seconds = start.elapsed().as_secs();
                        eprintln!("{check}: {done} schedules, {rate:.0} a second, {seconds} s");
                    }
                }
                Said::Stopped(done) => (schedules, stopped) = (done, true),
                Said::Over(done) => schedules = done,
                Said::Other => {}
            }
            text.push_str(&line);
            text.push('\n');
        }
        let status = child.wait().context("it was lost")?;
        let err = err.join().unwrap_or_default();
        if stopped && status.success() {
            return Ok((State::Stopped, schedules));
        }
        let state = match models::judge(status, &text, &err)? {
            End::Passed(_) => return Ok((State::Complete, schedules)),
            End::Failed { message, .. } => State::Failed(message),
            End::CutOff => State::Failed("one schedule has too many steps for loom".to_owned()),
        };
        let bound = self.about.bound;
        let lines = if std::env::var_os("ZERO_POOL_TRACE").is_some() { usize::MAX } else { LINES };
        eprintln!(
            "{check}, bound {bound}, failed\n{}\nreplay: cargo loom --bound {bound} -- --exact {check}\n\
             its steps: ZERO_POOL_TRACE=1 before it",
            tail(&err, lines)
        );
        Ok((state, schedules))
    }
}

/// Returns the last lines of a text.
fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| format!("  {line}\n")).collect()
}

fn drain(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // A pipe that breaks ends the text; the exit status tells the rest.
    _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns where the checkpoint of a check lies.
pub fn checkpoint_of(folder: &Path, check: &str) -> PathBuf {
    folder.join(format!("{}.checkpoint", check.replace("::", ".").replace('/', ".")))
}

/// Returns the first line of a checkpoint, which says what it belongs to.
pub fn first_line(check: &str, about: &About) -> String {
    format!("{check}, bound {}, sources {}", about.bound, about.sources)
}

/// Returns how many schedules are done by the checkpoint of a check, if it has one.
pub fn read_checkpoint(folder: &Path, check: &str, about: &About) -> Result<Option<u64>> {
    let file = checkpoint_of(folder, check);
    if !file.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let mut lines = text.lines();
    let (first, own) = (lines.next().unwrap_or_default(), first_line(check, about));
    ensure!(first == own, "the checkpoint {} belongs to {first:?}, and not to {own:?}", file.display());
    let done = lines.next().and_then(|done| done.parse().ok());
    done.with_context(|| format!("the checkpoint {} is damaged; remove it", file.display())).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the only check of a driver that stands in for the real one, and returns how it stands.
    fn run_part(name: &str, index: usize, count: usize, split: bool, minutes: Option<u64>) -> Row {
        let folder = std::env::temp_dir().join(format!("xtask-run-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("writable");
        let executable = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/deep/driver_for_tests.sh");
        let (driver, checks) = Driver::new(&executable, []).expect("it starts");
        let about = About { sources: "a1".to_owned(), bound: 3, filter: Vec::new(), split };
        let shard = Shard { index, count };
        let runner = Runner { driver: &driver, folder: &folder, about: &about, shard, minutes };
        let row = runner.run(&checks[0], 0.0).expect("it runs");
        fs::remove_dir_all(&folder).expect("removable");
        row
    }

    #[test]
    fn a_check_runs_to_its_end() {
        let row = run_part("whole", 1, 1, false, None);
        assert_eq!((row.state, row.schedules), (State::Complete, 10_000));
    }

    #[test]
    fn the_first_part_counts_the_common_begin() {
        let row = run_part("first", 1, 2, true, None);
        assert_eq!((row.state, row.schedules), (State::Complete, 29_999));
        let row = run_part("second", 2, 2, true, None);
        assert_eq!((row.state, row.schedules), (State::Complete, 10_000));
        let row = run_part("third", 3, 3, true, None);
        assert_eq!((row.state, row.schedules), (State::Complete, 0), "nothing is left for it");
    }

    #[test]
    fn what_stops_without_a_checkpoint_is_cut_off() {
        let row = run_part("cut", 1, 1, false, Some(1));
        assert_eq!((row.state, row.schedules), (State::CutOff, 7));
    }

    #[test]
    fn what_a_process_says_is_understood() {
        assert_eq!(Said::parse("progress 19999"), Said::Progress(19_999));
        assert_eq!(Said::parse("stopped 7"), Said::Stopped(7));
        assert_eq!(Said::parse("schedules 12"), Said::Over(12));
        for line in ["", "progress", "progress x", "schedules12", "note: 3 programs, 12 schedules"] {
            assert_eq!(Said::parse(line), Said::Other, "{line}");
        }
    }

    #[test]
    fn a_tail_is_what_comes_last() {
        assert_eq!(tail("a\nb\nc", 2), "  b\n  c\n");
        assert_eq!(tail("a", 2) + &tail("a", 0), "  a\n");
    }

    #[test]
    fn every_check_has_a_checkpoint_of_its_own() {
        let file = checkpoint_of(Path::new("here"), "queue::q1_order/epoch");
        assert_eq!(file, Path::new("here/queue.q1_order.epoch.checkpoint"));
    }
}
