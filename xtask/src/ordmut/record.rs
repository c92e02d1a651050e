//! The page `docs/mutants.md`: what became of every ordering when all mutants were last judged.
//!
//! It has no line numbers, so that it grows old only with the orderings. A test compares it with the sources.

use std::path::Path;

use anyhow::Result;

use super::Plan;
use super::report::{Row, Verdict};
use crate::page;

/// Where it is.
pub const PAGE: &str = "docs/mutants.md";

/// The part that is written.
pub const PART: &str = "mutants";

const HEAD: [&str; 7] = ["file", "function", "operation", "from", "to", "killed by", "which says"];

/// What an ordering has in place of a mutant when nothing is weaker.
const NOTHING: &str = "-";

/// A mutant that was killed, as the page has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Killed {
    pub function: String,
    pub operation: String,
    pub check: String,
    pub message: String,
}

/// Writes the page.
pub(super) fn write(workspace: &Path, plan: &Plan, rows: &[Row<'_>]) -> Result<()> {
    let lines = plan.sites.iter().enumerate().flat_map(|(index, site)| {
        let names = [&site.file, &site.function, &site.operation].map(|name| format!("`{name}`"));
        let line = move |to: String, by: String, says: String| {
            let mut cells = names.to_vec();
            cells.extend([site.order.to_string(), to, by, says]);
            cells
        };
        let mutants: Vec<_> = rows.iter().filter(|row| row.mutant.site == index).collect();
        let nothing = mutants.is_empty().then(|| [NOTHING; 3].map(str::to_owned));
        let told = mutants.into_iter().map(|row| {
            let (by, says) = match &row.verdict {
                Verdict::Killed(kills) => (format!("`{}`", kills[0].check), kills[0].message.clone()),
                other => (NOTHING.to_owned(), other.to_string()),
            };
            [row.mutant.to.to_string(), by, says]
        });
        nothing.into_iter().chain(told).map(move |[to, by, says]| line(to, by, says)).collect::<Vec<_>>()
    });
    page::write(workspace, PAGE, PART, &page::table(&HEAD, lines))
}

/// Reads the mutants of the page that were killed.
pub fn read(workspace: &Path) -> Result<Vec<Killed>> {
    let rows = page::rows(&page::read(workspace, PAGE, PART)?);
    let killed = rows.into_iter().filter_map(|row| {
        let [_, function, operation, _, _, check, message] = <[String; 7]>::try_from(row).ok()?;
        let bare = |cell: String| cell.trim_matches('`').to_owned();
        (check != NOTHING).then(|| Killed {
            function: bare(function),
            operation: bare(operation),
            check: bare(check),
            message,
        })
    });
    Ok(killed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    /// Each ordering of the sources has its lines on the page, and the page no others.
    #[test]
    fn the_page_has_the_orderings_of_the_sources() {
        let workspace = tree::workspace().expect("a workspace");
        let plan = Plan::new(&workspace).expect("orderings");
        let rows = page::rows(&page::read(&workspace, PAGE, PART).expect("the page"));
        let mut listed: Vec<Vec<String>> = rows.iter().map(|row| row[..5].to_vec()).collect();
        let mut expected: Vec<Vec<String>> = Vec::new();
        for (index, site) in plan.sites.iter().enumerate() {
            let mut tos: Vec<String> = plan
                .mutants
                .iter()
                .filter(|mutant| mutant.site == index)
                .map(|mutant| mutant.to.to_string())
                .collect();
            if tos.is_empty() {
                tos.push(NOTHING.to_owned());
            }
            let names = [&site.file, &site.function, &site.operation].map(|name| format!("`{name}`"));
            expected.extend(
                tos.into_iter().map(|to| [names.to_vec(), vec![site.order.to_string(), to]].concat()),
            );
        }
        listed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(listed, expected, "{PAGE} is old: run cargo xtask ordmut --write-docs");
    }
}
