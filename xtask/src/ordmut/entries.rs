//! The mutants that no model kills, each with the reason.
//!
//! - *Equivalent*: the weaker ordering is right as well, by the C11 model. Then the code should have it, so an entry of
//!   this kind does not stay here for long.
//! - *Beyond the checker*: the mutant is wrong, and loom never explores the execution that shows it. Such an entry names
//!   a litmus model, a program of the same shape, which pins what loom shows and what it misses; when loom learns to
//!   show it, the litmus fails and the entry falls.
//!
//! An entry is keyed by names and not by lines. One whose mutant is gone, or is killed, is stale, and a failure.

use super::sites::Site;
use super::weaken::Mutant;

/// Why no model kills a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The weaker ordering would be right.
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "the code has taken every weaker ordering that is right")
    )]
    Equivalent,
    /// It would be wrong, and loom misses it as it misses the outcome of this model of `litmus.rs`.
    Beyond { litmus: &'static str },
}

/// A mutant that survives, and why.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub file: &'static str,
    pub function: &'static str,
    pub operation: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub reason: Reason,
    pub argument: &'static str,
}

/// All entries.
pub const ENTRIES: &[Entry] = &[];

impl Entry {
    /// Names the mutant.
    pub fn title(&self) -> String {
        format!("{} {} `{}` {} -> {}", self.file, self.function, self.operation, self.from, self.to)
    }

    fn is_of(&self, site: &Site, mutant: &Mutant) -> bool {
        self.file == site.file
            && self.function == site.function
            && self.operation == site.operation
            && self.from == site.order.to_string()
            && self.to == mutant.to.to_string()
    }
}

/// Returns the entry of a mutant.
pub fn of<'e>(entries: &'e [Entry], site: &Site, mutant: &Mutant) -> Option<&'e Entry> {
    entries.iter().find(|entry| entry.is_of(site, mutant))
}

/// Tells what is wrong with the entries before anything runs: mutants that do not exist, entries that stand twice, and
/// litmus models that do not exist. Whether their mutants survive is seen later.
pub fn faults(entries: &[Entry], sites: &[Site], mutants: &[Mutant], litmus: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        if !mutants.iter().any(|mutant| entry.is_of(&sites[mutant.site], mutant)) {
            faults.push(format!("there is no such mutant: {}", entry.title()));
        }
        if entries[..at].iter().any(|earlier| earlier.title() == entry.title()) {
            faults.push(format!("it stands there twice: {}", entry.title()));
        }
        if entry.argument.trim().is_empty() {
            faults.push(format!("it has no argument: {}", entry.title()));
        }
        if let Reason::Beyond { litmus: wanted } = entry.reason
            && !litmus.iter().any(|known| known == wanted)
        {
            faults.push(format!("there is no litmus model `{wanted}`, which it names: {}", entry.title()));
        }
    }
    faults
}
