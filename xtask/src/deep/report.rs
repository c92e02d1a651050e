//! What became of the checks of a deep run, in a file, and several such files together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::shard::Shard;

/// Names the format, so that another one is refused.
const FORMAT: &str = "zero-pool deep run 1";

/// What a run was about. Runs that differ in this have nothing to say about each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The hash of all that the models are built from.
    pub sources: String,
    /// The bound of the models.
    pub bound: usize,
    /// What the driver was told to select.
    pub filter: Vec<String>,
    /// Whether each check was split, and not their list.
    pub split: bool,
}

/// How a check stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Every schedule held.
    Complete,
    /// It was stopped, and can go on.
    Stopped,
    /// It was stopped, and has to begin anew.
    CutOff,
    /// A schedule failed, with this message.
    Failed(String),
}

/// One check.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub state: State,
    pub schedules: u64,
    /// Of all runs together.
    pub seconds: f64,
}

/// One run, or several.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub about: About,
    pub shard: Shard,
    /// By the names of the checks.
    pub rows: BTreeMap<String, Row>,
    /// The checks of this part that have no row yet.
    pub open: BTreeSet<String>,
}

impl Report {
    /// Makes the report of a run that has not begun.
    pub fn new(about: About, shard: Shard, checks: impl IntoIterator<Item = String>) -> Self {
        Self { about, shard, rows: BTreeMap::new(), open: checks.into_iter().collect() }
    }

    /// Enters how a check stands.
    pub fn enter(&mut self, check: &str, row: Row) {
        self.open.remove(check);
        self.rows.insert(check.to_owned(), row);
    }

    /// Reads a report.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file);
        let text = text.with_context(|| format!("there is no report {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("{} is no report of a deep run", file.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        ensure!(value["format"] == FORMAT, "its format is {}, and not {FORMAT:?}", value["format"]);
        let about = About {
            sources: text_of(&value["sources"])?,
            bound: value["bound"].as_u64().context("it has no bound")? as usize,
            filter: texts_of(&value["filter"])?,
            split: value["split"].as_bool().context("it does not say what was split")?,
        };
        let shard = text_of(&value["shard"])?.parse()?;
        let rows = value["checks"].as_object().context("it has no checks")?;
        let rows = rows.iter().map(|(check, row)| Ok((check.clone(), Row::parse(row)?)));
        let open = texts_of(&value["open"])?.into_iter().collect();
        Ok(Self { about, shard, rows: rows.collect::<Result<_>>()?, open })
    }

    /// Writes the report, whole or not at all.
    pub fn write(&self, file: &Path) -> Result<()> {
        let rows = self.rows.iter().map(|(check, row)| (check.clone(), row.to_json()));
        let value = json!({
            "format": FORMAT,
            "sources": self.about.sources,
            "bound": self.about.bound,
            "filter": self.about.filter,
            "split": self.about.split,
            "shard": self.shard.to_string(),
            "checks": rows.collect::<serde_json::Map<_, _>>(),
            "open": self.open,
        });
        let new = file.with_extension("new");
        let written = fs::write(&new, format!("{value:#}\n")).and_then(|()| fs::rename(&new, file));
        written.with_context(|| format!("writing {}", file.display()))
    }

    /// Puts the reports of all parts together.
    pub fn merge(files: &[PathBuf]) -> Result<Self> {
        let read = |file: &PathBuf| Ok((file.display().to_string(), Self::read(file)?));
        Self::join(files.iter().map(read).collect::<Result<_>>()?)
    }

    fn join(reports: Vec<(String, Self)>) -> Result<Self> {
        let mut seen = BTreeMap::new();
        let mut whole: Option<(String, Self)> = None;
        for (file, report) in reports {
            if let Some(other) = seen.insert(report.shard.index, file.clone()) {
                bail!("{other} and {file} are both part {}", report.shard);
            }
            let Some((first, sum)) = &mut whole else {
                whole = Some((file, report));
                continue;
            };
            ensure!(
                sum.about == report.about && sum.shard.count == report.shard.count,
                "{first} and {file} are no parts of one run: the first is of {}, the second of {}",
                sum.describe(),
                report.describe()
            );
            let twice = report.names().find(|&check| sum.names().any(|other| other == check));
            ensure!(
                sum.about.split || twice.is_none(),
                "{first} and {file} both have {}",
                twice.map_or("", String::as_str)
            );
            for (check, row) in report.rows {
                let row = sum.rows.remove(&check).map_or_else(|| row.clone(), |other| other.beside(&row));
                sum.rows.insert(check, row);
            }
            // A check of which one part was not run was not run.
            sum.open.extend(report.open);
            let Self { rows, open, .. } = sum;
            rows.retain(|check, row| !open.contains(check) || matches!(row.state, State::Failed(_)));
            open.retain(|check| !rows.contains_key(check));
        }
        let (_, mut sum) = whole.context("there is no report to merge")?;
        let missing: Vec<String> = (1..=sum.shard.count)
            .filter(|index| !seen.contains_key(index))
            .map(|index| Shard { index, ..sum.shard }.to_string())
            .collect();
        ensure!(missing.is_empty(), "the report of part {} is missing", missing.join(", of "));
        sum.shard = Shard::WHOLE;
        Ok(sum)
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.rows.keys().chain(&self.open)
    }

    fn describe(&self) -> String {
        let About { sources, bound, filter, split } = &self.about;
        let what = if *split { "each check" } else { "the list" };
        format!("sources {sources}, bound {bound}, filter {filter:?}, {} parts of {what}", self.shard.count)
    }

    /// Returns a line for each check, and a last one with the sums.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.rows.iter().map(|(check, row)| row.line(check)).collect();
        lines.extend(self.open.iter().map(|check| format!("{check:<70} not run")));
        let count = |is: fn(&State) -> bool| self.rows.values().filter(|row| is(&row.state)).count();
        lines.push(format!(
            "bound {}, checks: {}, complete: {}, stopped: {}, failed: {}, not run: {}, schedules: {}, seconds: {:.0}",
            self.about.bound,
            self.names().count(),
            count(|state| *state == State::Complete),
            count(|state| matches!(state, State::Stopped | State::CutOff)),
            count(|state| matches!(state, State::Failed(_))),
            self.open.len(),
            self.rows.values().map(|row| row.schedules).sum::<u64>(),
            self.rows.values().map(|row| row.seconds).sum::<f64>()
        ));
        lines
    }

    /// Tells whether a check failed.
    pub fn has_failed(&self) -> bool {
        self.rows.values().any(|row| matches!(row.state, State::Failed(_)))
    }
}

impl Row {
    fn parse(row: &Value) -> Result<Self> {
        let state = match text_of(&row["state"])?.as_str() {
            "complete" => State::Complete,
            "stopped" => State::Stopped,
            "cut off" => State::CutOff,
            "failed" => State::Failed(text_of(&row["why"])?),
            other => bail!("a check cannot be {other}"),
        };
        let schedules = row["schedules"].as_u64().context("a check has no number of schedules")?;
        let seconds = row["seconds"].as_f64().context("a check has no time")?;
        Ok(Self { state, schedules, seconds })
    }

    fn to_json(&self) -> Value {
        let mut row = json!({ "schedules": self.schedules, "seconds": self.seconds });
        row["state"] = match &self.state {
            State::Complete => "complete",
            State::Stopped => "stopped",
            State::CutOff => "cut off",
            State::Failed(why) => {
                row["why"] = why.as_str().into();
                "failed"
            }
        }
        .into();
        row
    }

    /// Returns how a check stands that has this part and another.
    fn beside(&self, other: &Self) -> Self {
        let rank = |row: &&Self| match row.state {
            State::Complete => 0,
            State::Stopped => 1,
            State::CutOff => 2,
            State::Failed(_) => 3,
        };
        let worst = [self, other].into_iter().max_by_key(rank).unwrap_or(self);
        Self {
            state: worst.state.clone(),
            schedules: self.schedules + other.schedules,
            seconds: self.seconds + other.seconds,
        }
    }

    /// Returns the row as a line of text.
    pub fn line(&self, check: &str) -> String {
        let state = match &self.state {
            State::Complete => "complete",
            State::Stopped => "stopped",
            State::CutOff => "cut off",
            State::Failed(why) => return format!("{check:<70} FAILED: {why}"),
        };
        format!("{check:<70} {state:<8} {:>11} schedules {:>7.0} s", self.schedules, self.seconds)
    }
}

fn text_of(value: &Value) -> Result<String> {
    Ok(value.as_str().context("a text is missing in it")?.to_owned())
}

fn texts_of(value: &Value) -> Result<Vec<String>> {
    value.as_array().context("a list is missing in it")?.iter().map(text_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(sources: &str) -> About {
        About { sources: sources.to_owned(), bound: 3, filter: vec!["q1_".to_owned()], split: false }
    }

    fn part(shard: &str, checks: &[&str]) -> (String, Report) {
        let shard: Shard = shard.parse().expect("a part");
        let mut report = Report::new(about("a1"), shard, checks.iter().map(|&check| check.to_owned()));
        report.enter(checks[0], Row { state: State::Complete, schedules: 7, seconds: 0.5 });
        (format!("{}.json", shard.index), report)
    }

    fn refusal(parts: Vec<(String, Report)>) -> String {
        Report::join(parts).expect_err("it is refused").to_string()
    }

    #[test]
    fn a_report_comes_back_as_it_was_written() {
        let (_, mut report) = part("2/3", &["a", "b", "c"]);
        report.enter("b", Row { state: State::Failed("Q1: \"no\"".to_owned()), schedules: 9, seconds: 1.25 });
        report.enter("c", Row { state: State::Stopped, schedules: 5, seconds: 2.0 });
        let file = std::env::temp_dir().join(format!("xtask-report-{}.json", std::process::id()));
        report.write(&file).expect("writable");
        assert_eq!(Report::read(&file).expect("readable"), report);
        fs::remove_file(&file).expect("removable");
        assert!(report.has_failed());
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let error = Report::read(Path::new("/no/such/report.json")).expect_err("it is missing").to_string();
        assert!(error.contains("there is no report /no/such/report.json"), "{error}");
        for text in ["", "{}", "{\"format\": \"another\"}", &format!("{{\"format\": {FORMAT:?}}}")] {
            assert!(Report::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn all_parts_together_have_every_check_once() {
        let merged =
            Report::join(vec![part("2/2", &["b", "d"]), part("1/2", &["a", "c"])]).expect("two parts");
        assert_eq!(merged.rows.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(merged.open.iter().collect::<Vec<_>>(), ["c", "d"]);
        let last = merged.lines().pop().expect("a sum");
        assert!(last.contains("checks: 4, complete: 2") && last.contains("schedules: 14"), "{last}");
    }

    #[test]
    fn a_check_that_was_split_is_as_good_as_its_worst_part() {
        let split = |shard: &str, checks: &[&str], state: State| {
            let (file, mut report) = part(shard, checks);
            report.about.split = true;
            report.enter(checks[0], Row { state, schedules: 7, seconds: 0.5 });
            (file, report)
        };
        let parts =
            vec![split("1/2", &["a", "b"], State::Complete), split("2/2", &["a", "b"], State::Stopped)];
        let merged = Report::join(parts).expect("two parts");
        assert_eq!(merged.rows["a"], Row { state: State::Stopped, schedules: 14, seconds: 1.0 });
        let parts =
            vec![split("1/2", &["a", "b"], State::Complete), split("2/2", &["b", "a"], State::Complete)];
        let merged = Report::join(parts).expect("two parts");
        assert!(merged.rows.is_empty() && merged.open.len() == 2, "of both a part was not run: {merged:?}");
        let failed = State::Failed("Q1".to_owned());
        let parts = vec![split("1/2", &["a", "b"], failed), split("2/2", &["b", "a"], State::Complete)];
        assert!(Report::join(parts).expect("two parts").has_failed());
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert!(refusal(vec![]).contains("no report to merge"));
        assert!(refusal(vec![part("1/3", &["a"]), part("2/3", &["b"])]).contains("part 3/3 is missing"));
        assert!(refusal(vec![part("1/2", &["a"]), part("1/2", &["b"])]).contains("both part 1/2"));
        assert!(refusal(vec![part("1/2", &["a"]), part("2/2", &["a"])]).contains("both have a"));
        assert!(refusal(vec![part("1/2", &["a"]), part("2/3", &["b"])]).contains("no parts of one run"));
        let mut other = part("2/2", &["b"]);
        other.1.about = about("b2");
        let error = refusal(vec![part("1/2", &["a"]), other]);
        assert!(error.contains("sources a1") && error.contains("sources b2"), "{error}");
    }
}
