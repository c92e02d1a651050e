//! What each ordering is weakened to, one step at a time.
//!
//! | operation | from | to |
//! |---|---|---|
//! | load, failed compare-exchange | Acquire | Relaxed |
//! | store | Release | Relaxed |
//! | read-modify-write, compare-exchange | AcqRel | Acquire; Release |
//! | | Acquire; Release | Relaxed |
//! | fence | SeqCst | AcqRel; removed |
//! | | AcqRel | Acquire; Release |
//! | | Acquire; Release | removed |
//!
//! `SeqCst` is for fences alone: loom takes a `SeqCst` access for an `AcqRel` one, so that a proof which leans on it
//! would never have been run.

use std::fmt;

use anyhow::{Result, bail};

use super::sites::{Kind, Order, Site};

/// What a mutant has in the place of an ordering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    Weaker(Order),
    /// The fence is gone.
    Removed,
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weaker(order) => order.fmt(f),
            Self::Removed => f.write_str("removed"),
        }
    }
}

/// One site with one weaker ordering.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// Counts from 1, in the order of the files and lines.
    pub number: usize,
    /// The index of its site.
    pub site: usize,
    pub to: To,
}

/// Returns the mutants of all sites.
pub fn all(sites: &[Site]) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for (site, at) in sites.iter().enumerate() {
        for &to in steps(at)? {
            mutants.push(Mutant { number: mutants.len() + 1, site, to });
        }
    }
    Ok(mutants)
}

fn steps(site: &Site) -> Result<&'static [To]> {
    use Order::{AcqRel, Acquire, Relaxed, Release, SeqCst};
    use To::{Removed, Weaker};
    Ok(match (site.kind, site.order) {
        (Kind::Fence, SeqCst) => &[Weaker(AcqRel), Removed],
        (Kind::Fence, AcqRel) => &[Weaker(Acquire), Weaker(Release)],
        (Kind::Fence, Acquire | Release) => &[Removed],
        (_, SeqCst) => bail!(
            "{}:{}: `{}` is SeqCst; loom checks it as AcqRel only, so use fence(SeqCst) on both sides",
            site.file,
            site.line,
            site.operation
        ),
        (Kind::Fence, Relaxed)
        | (Kind::Load | Kind::CasFailure, Release | AcqRel)
        | (Kind::Store, Acquire | AcqRel) => {
            bail!("{}:{}: `{}` may not be {}", site.file, site.line, site.operation, site.order)
        }
        (_, AcqRel) => &[Weaker(Acquire), Weaker(Release)],
        (_, Acquire | Release) => &[Weaker(Relaxed)],
        (_, Relaxed) => &[],
    })
}
