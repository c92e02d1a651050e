//! The table of mutants and verdicts, for people and in Markdown, and the line that sums it up.

use std::fmt;
use std::fmt::Write as _;

use super::entries::{Entry, Reason};
use super::judge::{Judgement, Kill};
use super::sites::Site;
use super::weaken::Mutant;

/// What became of a mutant.
#[derive(Clone, Debug)]
pub enum Verdict {
    Killed(Vec<Kill>),
    Entered(Entry),
    /// With the number of checks that were run, and of those that were cut off.
    Survived {
        asked: usize,
        cut_off: usize,
    },
}

impl Verdict {
    /// Joins what the checks said with the mutant's entry. The second value tells why the entry is stale.
    pub fn new(judgement: &Judgement, entry: Option<&Entry>) -> (Self, Option<String>) {
        let survived = Self::Survived { asked: judgement.asked, cut_off: judgement.cut_off.len() };
        match (judgement.kills.first(), entry) {
            (None, None) => (survived, None),
            (None, Some(entry)) if judgement.cut_off.is_empty() => (Self::Entered(*entry), None),
            (None, Some(entry)) => (survived, Some(format!("a check was cut off on: {}", entry.title()))),
            (Some(_), None) => (Self::Killed(judgement.kills.clone()), None),
            (Some(kill), Some(entry)) => {
                let stale = format!("killed by {}: {}", kill.check, entry.title());
                (Self::Killed(judgement.kills.clone()), Some(stale))
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(kills) => {
                for (at, Kill { check, time, message }) in kills.iter().enumerate() {
                    let lead = if at == 0 { "killed by" } else { ", and" };
                    write!(f, "{lead} {check} in {:.2} s: {message}", time.as_secs_f64())?;
                }
                Ok(())
            }
            Self::Entered(Entry { reason: Reason::Equivalent, argument, .. }) => {
                write!(f, "equivalent: {argument}")
            }
            Self::Entered(Entry { reason: Reason::Beyond { litmus }, argument, .. }) => {
                write!(f, "beyond the checker, see {litmus}: {argument}")
            }
            Self::Survived { asked: 0, .. } => f.write_str("SURVIVED: no check reaches it"),
            Self::Survived { asked, cut_off: 0 } => write!(f, "SURVIVED {asked} checks"),
            Self::Survived { asked, cut_off } => {
                write!(f, "SURVIVED {asked} checks, of which {cut_off} were cut off")
            }
        }
    }
}

/// A mutant with its site and its verdict.
#[derive(Debug)]
pub struct Row<'a> {
    pub site: &'a Site,
    pub mutant: &'a Mutant,
    pub verdict: Verdict,
}

/// Names a mutant in one line.
pub fn title(site: &Site, mutant: &Mutant) -> String {
    let Site { file, line, function, operation, order, .. } = site;
    format!("{file}:{line} {function} `{operation}` {order} -> {}", mutant.to)
}

/// Returns the table as plain text: two lines for each mutant.
pub fn text(rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for Row { site, mutant, verdict } in rows {
        _ = writeln!(text, "{:>3}  {}\n     {verdict}", mutant.number, title(site, mutant));
    }
    text
}

/// Returns the table in Markdown.
pub fn markdown(rows: &[Row<'_>]) -> String {
    let mut text =
        String::from("| site | function | operation | from | to | verdict |\n|---|---|---|---|---|---|\n");
    for Row { site, mutant, verdict } in rows {
        let Site { file, line, function, operation, order, .. } = site;
        let verdict = verdict.to_string().replace('|', "\\|");
        let to = mutant.to;
        _ = writeln!(text, "| {file}:{line} | `{function}` | `{operation}` | {order} | {to} | {verdict} |");
    }
    _ = writeln!(text, "\n{}", Sum::of(rows));
    text
}

/// How many mutants have which verdict.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub killed: usize,
    pub equivalent: usize,
    pub beyond: usize,
    pub survived: usize,
}

impl Sum {
    pub fn of(rows: &[Row<'_>]) -> Self {
        let mut sum = Self::default();
        for row in rows {
            let count = match &row.verdict {
                Verdict::Killed(_) => &mut sum.killed,
                Verdict::Entered(Entry { reason: Reason::Equivalent, .. }) => &mut sum.equivalent,
                Verdict::Entered(Entry { reason: Reason::Beyond { .. }, .. }) => &mut sum.beyond,
                Verdict::Survived { .. } => &mut sum.survived,
            };
            *count += 1;
        }
        sum
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { killed, equivalent, beyond, survived } = self;
        let mutants = killed + equivalent + beyond + survived;
        write!(
            f,
            "ordmut: {mutants} mutants, {killed} killed, {equivalent} equivalent, {beyond} beyond the checker, \
             {survived} survived"
        )
    }
}
