//! Runs the checks: all of them once on the code as it is, then on each mutant until one fails.
//!
//! A check that never reaches the mutated site explores on the mutant exactly what it explored before, so it is left
//! out. Of the others, those of the mutated module come first, then the quick ones.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::inject::{self, MUTANT, REACHED};
use super::sites::Site;
use super::weaken::Mutant;
use crate::models::{Check, Driver, End};
use crate::progress::Progress;
use crate::share::share;

/// How long a check may take on the code as it is.
const BASELINE_DEADLINE: Duration = Duration::from_secs(240);

/// A check that was green, with what it took and which sites it reached.
#[derive(Clone, Debug)]
pub struct Green {
    pub check: Check,
    pub time: Duration,
    pub reached: HashSet<usize>,
}

impl Green {
    /// A mutant may have more schedules than the code, so it gets ten times the time and a little more.
    fn deadline(&self) -> Duration {
        self.time * 10 + Duration::from_secs(10)
    }
}

/// A check that failed on a mutant.
#[derive(Clone, Debug)]
pub struct Kill {
    pub check: Check,
    pub time: Duration,
    pub message: String,
}

/// What the checks had to say about a mutant.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// The checks that failed; the first alone unless all were asked for.
    pub kills: Vec<Kill>,
    /// The checks that had no end on this mutant.
    pub cut_off: Vec<Check>,
    /// How many checks were run.
    pub asked: usize,
}

/// Runs every check on the code as it is; all must be green.
pub fn baseline(driver: &Driver, checks: &[Check], scratch: &Path, jobs: usize) -> Result<Vec<Green>> {
    let progress = Progress::new("baseline", checks.len());
    share(jobs, checks.len(), |at| {
        let check = &checks[at];
        let file = scratch.join(format!("reached.{at}"));
        _ = fs::remove_file(&file);
        let path = file.to_str().context("the target folder's name is text")?;
        let (end, time) = driver.run(check, &[(REACHED, path)], BASELINE_DEADLINE)?;
        match end {
            End::Passed(_) => {}
            End::Failed { message, .. } => bail!("without any mutant, {check} fails: {message}"),
            End::CutOff => bail!("without any mutant, {check} is cut off after {} s", time.as_secs()),
        }
        // A check that reaches no site makes no file.
        let reached = fs::read_to_string(&file).unwrap_or_default();
        _ = fs::remove_file(&file);
        let reached =
            reached.lines().map(str::parse).collect::<Result<_, _>>().context("the sites reached")?;
        progress.step(&format!("{check}: green, {:.2} s", time.as_secs_f64()));
        Ok(Green { check: check.clone(), time, reached })
    })
}

/// Judges the mutants, some at a time.
pub struct Court<'a> {
    pub driver: &'a Driver,
    pub baseline: &'a [Green],
    pub sites: &'a [Site],
    /// Whether every check is run, although one has failed already.
    pub all_killers: bool,
}

impl Court<'_> {
    /// Judges all `mutants` on `jobs` threads; `decided` describes a judgement for the progress line.
    pub fn judge(
        &self,
        mutants: &[Mutant],
        jobs: usize,
        decided: impl Fn(&Mutant, &Judgement) -> String + Sync,
    ) -> Result<Vec<Judgement>> {
        let progress = Progress::new("mutants", mutants.len());
        share(jobs, mutants.len(), |at| {
            let judgement = self.try_one(&mutants[at])?;
            progress.step(&decided(&mutants[at], &judgement));
            Ok(judgement)
        })
    }

    fn try_one(&self, mutant: &Mutant) -> Result<Judgement> {
        let choice = inject::choice(mutant);
        let mut judgement = Judgement::default();
        for green in self.order(mutant) {
            let (end, time) = self.driver.run(&green.check, &[(MUTANT, &choice)], green.deadline())?;
            judgement.asked += 1;
            match end {
                End::Passed(_) => {}
                End::CutOff => judgement.cut_off.push(green.check.clone()),
                End::Failed { message, .. } => {
                    judgement.kills.push(Kill { check: green.check.clone(), time, message })
                }
            }
            if !judgement.kills.is_empty() && !self.all_killers {
                break;
            }
        }
        Ok(judgement)
    }

    /// Returns the checks that reach the mutant's site, the likeliest and quickest first.
    fn order(&self, mutant: &Mutant) -> Vec<&Green> {
        let file = &self.sites[mutant.site].file;
        let mut order: Vec<&Green> =
            self.baseline.iter().filter(|green| green.reached.contains(&mutant.site)).collect();
        order.sort_by_key(|green| (module(file) != green.check.file, green.time));
        order
    }
}

/// Returns the module of a file of `src`, as the models name it: `queue` for `src/queue.rs`, `pool` for what lies below
/// `src/pool`.
pub fn module(file: &str) -> &str {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    let first = inside.split('/').next().unwrap_or(inside);
    first.strip_suffix(".rs").unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named_as_the_models_name_it() {
        assert_eq!(module("src/queue.rs"), "queue");
        assert_eq!(module("src/reclaim/epoch.rs"), "reclaim");
    }
}
