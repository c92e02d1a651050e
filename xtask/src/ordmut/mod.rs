//! Ordering mutants: weakens each ordering and each fence of `src` in turn, and sees a model fail.
//!
//! A model that passes on the right code and on every weaker code shows nothing. So each ordering is weakened by one
//! step, in a copy, and the models must notice:
//!
//! ```text
//!   src ──find──▶ sites ──weaken──▶ mutants ──inject──▶ one build of a copy ──judge──▶ verdicts
//!                (finder.rs)       (weaken.rs)         (inject.rs, runtime.rs)  (judge.rs)
//! ```
//!
//! The build has all mutants in it; an environment variable chooses one for each child process. A mutant is *killed* by
//! the first check that fails on it. The others need an entry that says why none can (`entries.rs`), or they have
//! *survived*, and the run fails.

mod entries;
mod finder;
mod inject;
mod judge;
pub mod record;
mod report;
mod sites;
#[cfg(test)]
mod tests;
mod weaken;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use self::entries::ENTRIES;
use self::judge::{Court, Green, Judgement};
use self::report::{Row, Sum, Verdict};
use self::sites::Site;
use self::weaken::Mutant;
use crate::checker;
use crate::models::{Check, Driver};
use crate::tables;
use crate::tree::{self, Tree};

/// What to weaken, and what to tell.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only the mutants of this module, such as `queue`.
    #[arg(long, value_name = "MODULE")]
    file: Option<String>,
    /// Only the mutant of this number, as `--list` counts them.
    #[arg(long, value_name = "N")]
    mutant: Option<usize>,
    /// Lists the orderings and their mutants, and runs nothing.
    #[arg(long)]
    list: bool,
    /// Runs every check on every mutant, and tells all that kill it.
    #[arg(long)]
    all_killers: bool,
    /// Where the table goes in Markdown [default: table.md in target/ordmut].
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Writes the verdicts to docs/mutants.md as well, and what other pages say of them.
    #[arg(long, conflicts_with_all = ["file", "mutant", "list"])]
    write_docs: bool,
    /// How many checks run at a time [default: one on each core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
}

impl Args {
    /// All mutants, so many checks at a time.
    pub fn all(jobs: Option<u8>) -> Self {
        Self {
            file: None,
            mutant: None,
            list: false,
            all_killers: false,
            markdown: None,
            write_docs: false,
            jobs,
        }
    }

    /// Returns how many checks run at a time.
    pub fn jobs(&self) -> usize {
        self.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from)
    }

    fn selects(&self, site: &Site, mutant: &Mutant) -> bool {
        self.file.as_ref().is_none_or(|file| judge::module(&site.file) == file || site.file == *file)
            && self.mutant.is_none_or(|number| mutant.number == number)
    }
}

/// Files of `src` that are no part of the code under test: the door to loom itself, and the model's reclaimers.
fn is_outside(file: &str) -> bool {
    file.starts_with("src/sync/") || file == "src/reclaim/oracle.rs"
}

/// The orderings of the workspace, and what each is weakened to.
struct Plan {
    sources: BTreeMap<String, String>,
    sites: Vec<Site>,
    mutants: Vec<Mutant>,
}

impl Plan {
    fn new(workspace: &Path) -> Result<Self> {
        let mut sources = BTreeMap::new();
        read_sources(workspace, "src", &mut sources)?;
        let mut sites = Vec::new();
        for (file, source) in sources.iter().filter(|(file, _)| !is_outside(file)) {
            sites.extend(finder::find(file, source)?);
        }
        let mutants = weaken::all(&sites)?;
        Ok(Self { sources, sites, mutants })
    }

    fn selected(&self, args: &Args) -> Result<Vec<Mutant>> {
        let chosen = self.mutants.iter().filter(|mutant| args.selects(&self.sites[mutant.site], mutant));
        let chosen: Vec<Mutant> = chosen.cloned().collect();
        ensure!(!chosen.is_empty(), "no mutant is selected; --list shows all of them");
        Ok(chosen)
    }
}

fn read_sources(workspace: &Path, folder: &str, sources: &mut BTreeMap<String, String>) -> Result<()> {
    let absolute = workspace.join(folder);
    let entries = fs::read_dir(&absolute).with_context(|| format!("listing {}", absolute.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("listing {}", absolute.display()))?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_sources(workspace, &path, sources)?;
        } else if path.ends_with(".rs") {
            let source = fs::read_to_string(entry.path()).with_context(|| format!("reading {path}"))?;
            sources.insert(path, source);
        }
    }
    Ok(())
}

/// Runs the task.
pub fn run(args: &Args) -> Result<ExitCode> {
    crate::environment::refuse_changed_builds()?;
    let workspace = tree::workspace()?;
    let plan = Plan::new(&workspace)?;
    if args.list {
        plan.selected(args)?;
        list(args, &plan);
        return Ok(ExitCode::SUCCESS);
    }
    let scratch = tree::scratch(&workspace, "ordmut");
    let build = Build::new(plan, &workspace, scratch, None)?;
    build.examine(args)
}

/// One build of a copy with all mutants in it.
pub struct Build {
    plan: Plan,
    scratch: PathBuf,
    /// The models, and their checks.
    pub driver: Driver,
    pub checks: Vec<Check>,
    repaired: bool,
}

impl Build {
    /// Builds a copy of the workspace as it is, on the repaired checker in the folder `loom`.
    pub fn repaired(workspace: &Path, scratch: PathBuf, loom: &Path) -> Result<Self> {
        Self::new(Plan::new(workspace)?, workspace, scratch, Some(loom))
    }

    fn new(plan: Plan, workspace: &Path, scratch: PathBuf, loom: Option<&Path>) -> Result<Self> {
        let start = Instant::now();
        eprintln!("building a copy with {} mutants", plan.mutants.len());
        let edits = inject::edit(&plan.sources, &plan.sites, &plan.mutants);
        let executable = Tree::write(workspace, &scratch, &edits, loom)?.build_models()?;
        eprintln!("built in {} s", start.elapsed().as_secs());
        let (driver, checks) = Driver::new(&executable, loom.map(|_| checker::TOLD))?;
        Ok(Self { plan, scratch, driver, checks, repaired: loom.is_some() })
    }

    /// Runs all checks on the code as it is; all must be green.
    pub fn baseline(&self, jobs: usize) -> Result<Vec<Green>> {
        let baseline = judge::baseline(&self.driver, &self.checks, &self.scratch, jobs)?;
        ensure!(
            baseline.iter().any(|green| !green.reached.is_empty()),
            "no check reaches any mutant: the build in {} is not that of the copy; remove it",
            self.scratch.display()
        );
        tell_of_baseline(&baseline);
        Ok(baseline)
    }

    /// Runs all checks on the code as it is and then on the mutants, and tells what became of them.
    pub fn examine(&self, args: &Args) -> Result<ExitCode> {
        let plan = &self.plan;
        let mutants = plan.selected(args)?;
        refuse_faulty_entries(plan, &self.checks)?;
        let baseline = self.baseline(args.jobs())?;
        let court = Court {
            driver: &self.driver,
            baseline: &baseline,
            sites: &plan.sites,
            all_killers: args.all_killers,
        };
        let judgements = court.judge(&mutants, args.jobs(), |mutant, judgement| {
            let (verdict, _) = verdict(plan, mutant, judgement);
            format!("{}: {verdict}", report::title(&plan.sites[mutant.site], mutant))
        })?;
        let markdown = args.markdown.clone().unwrap_or_else(|| self.scratch.join("table.md"));
        self.conclude(&mutants, &judgements, &markdown, args.write_docs)
    }

    /// Prints and writes the table, and decides the exit code. An entry is for the published checker, so one whose mutant
    /// the repaired checker kills is not stale.
    fn conclude(
        &self,
        mutants: &[Mutant],
        judgements: &[Judgement],
        markdown: &Path,
        write_docs: bool,
    ) -> Result<ExitCode> {
        let plan = &self.plan;
        let mut stale = Vec::new();
        let mut rows = Vec::new();
        for (mutant, judgement) in mutants.iter().zip(judgements) {
            let (verdict, complaint) = verdict(plan, mutant, judgement);
            stale.extend(complaint.filter(|_| !self.repaired || judgement.kills.is_empty()));
            rows.push(Row { site: &plan.sites[mutant.site], mutant, verdict });
        }
        let table = report::markdown(&rows);
        fs::write(markdown, table).with_context(|| format!("writing {}", markdown.display()))?;
        print!("{}", report::text(&rows));
        println!("in Markdown: {}", markdown.display());
        if write_docs {
            let workspace = tree::workspace()?;
            record::write(&workspace, plan, &rows)?;
            tables::write(&workspace)?;
            println!("and in {}", record::PAGE);
        }
        stale.iter().for_each(|complaint| println!("stale entry, {complaint}"));
        let sum = Sum::of(&rows);
        println!("{sum}");
        Ok(if sum.survived > 0 || !stale.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

fn list(args: &Args, plan: &Plan) {
    for (index, site) in plan.sites.iter().enumerate() {
        let mutants: Vec<_> = plan.mutants.iter().filter(|mutant| mutant.site == index).collect();
        for mutant in mutants.iter().filter(|mutant| args.selects(site, mutant)) {
            println!("{:>3}  {}", mutant.number, report::title(site, mutant));
        }
        if mutants.is_empty() && args.mutant.is_none() && args.file.is_none() {
            println!(
                "  -  {}:{} {} `{}` {}",
                site.file, site.line, site.function, site.operation, site.order
            );
        }
    }
}

fn refuse_faulty_entries(plan: &Plan, checks: &[Check]) -> Result<()> {
    let litmus = checks.iter().filter(|check| check.file == "litmus").map(|check| check.model.clone());
    let faults = entries::faults(ENTRIES, &plan.sites, &plan.mutants, &litmus.collect::<Vec<_>>());
    if !faults.is_empty() {
        bail!("entries of xtask/src/ordmut/entries.rs are stale:\n{}", faults.join("\n"));
    }
    Ok(())
}

fn tell_of_baseline(baseline: &[Green]) {
    let total: f64 = baseline.iter().map(|green| green.time.as_secs_f64()).sum();
    let slowest = baseline.iter().max_by_key(|green| green.time);
    let slowest = slowest.map(|green| format!("{}, {:.1} s", green.check, green.time.as_secs_f64()));
    eprintln!(
        "{} checks are green, {total:.0} s in all; the slowest: {}",
        baseline.len(),
        slowest.unwrap_or_default()
    );
}

fn verdict(plan: &Plan, mutant: &Mutant, judgement: &Judgement) -> (Verdict, Option<String>) {
    Verdict::new(judgement, entries::of(ENTRIES, &plan.sites[mutant.site], mutant))
}
