//! Edits the sources so that one build serves all mutants, and the environment chooses one at run time.
//!
//! Each ordering that can be weakened becomes a call, `crate::ordmut::pick(17, Ordering::Acquire)`, of a module that
//! is added to the copy (`runtime.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::sites::{Kind, Site};
use super::weaken::{Mutant, To};

/// The module that the copy gets.
const RUNTIME: &str = include_str!("runtime.rs");

/// The variable that names the mutant, to be read by the module.
pub const MUTANT: &str = "ZERO_POOL_MUTANT";

/// The variable that names a file to which the module writes the sites that were reached.
pub const REACHED: &str = "ZERO_POOL_REACHED";

/// Returns the edited files, of `sources` with their contents by path.
pub fn edit(
    sources: &BTreeMap<String, String>,
    sites: &[Site],
    mutants: &[Mutant],
) -> BTreeMap<PathBuf, String> {
    let mut edited = sources.clone();
    let weakened: BTreeSet<usize> = mutants.iter().map(|mutant| mutant.site).collect();
    // From the end of each file to its beginning, so that the places before stay where they are.
    for &index in weakened.iter().rev() {
        let site = &sites[index];
        let function = if site.kind == Kind::Fence { "fence" } else { "pick" };
        let call = format!("crate::ordmut::{function}({index}, {})", site.written);
        if let Some(text) = edited.get_mut(&site.file) {
            text.replace_range(site.span.clone(), &call);
        }
    }
    if let Some(lib) = edited.get_mut("src/lib.rs") {
        lib.push_str("\nmod ordmut;\n");
    }
    edited.insert("src/ordmut.rs".into(), RUNTIME.into());
    edited.into_iter().map(|(path, text)| (path.into(), text)).collect()
}

/// Returns the value of [`MUTANT`] that chooses `mutant`.
pub fn choice(mutant: &Mutant) -> String {
    match mutant.to {
        To::Weaker(order) => format!("{} {order}", mutant.site),
        To::Removed => format!("{} removed", mutant.site),
    }
}
