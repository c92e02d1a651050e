//! Chooses a mutant at run time: added to a copy of `src` by `cargo xtask ordmut`, and no part of the crate.
//!
//! Nothing here is a schedule point: it uses `std` where the crate uses loom. Nor does anything here panic, since a panic
//! would look like a model that has found something.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The site, and its ordering in the mutant; `None` removes a fence.
type Choice = (usize, Option<Ordering>);

fn chosen(site: usize) -> Option<Option<Ordering>> {
    static CHOICE: OnceLock<Option<Choice>> = OnceLock::new();
    let choice = *CHOICE.get_or_init(|| std::env::var("ZERO_POOL_MUTANT").ok().map(|text| parse(&text)));
    choice.and_then(|(chosen, to)| (chosen == site).then_some(to))
}

fn parse(text: &str) -> Choice {
    let (site, to) = text.split_once(' ').unwrap_or_else(|| fault("no site and ordering"));
    let to = match to {
        "Relaxed" => Some(Ordering::Relaxed),
        "Acquire" => Some(Ordering::Acquire),
        "Release" => Some(Ordering::Release),
        "AcqRel" => Some(Ordering::AcqRel),
        "removed" => None,
        _ => fault("no ordering"),
    };
    (site.parse().unwrap_or_else(|_| fault("no site")), to)
}

fn fault(why: &str) -> ! {
    eprintln!("error: ordmut: {why}");
    std::process::exit(1)
}

/// Notes in a file, if one is asked for, that the site was reached.
fn reached(site: usize) {
    static SEEN: [AtomicBool; 1024] = [const { AtomicBool::new(false) }; 1024];
    static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    if SEEN[site].load(Ordering::Relaxed) || SEEN[site].swap(true, Ordering::Relaxed) {
        return;
    }
    let file = FILE.get_or_init(|| {
        let path = std::env::var_os("ZERO_POOL_REACHED")?;
        Some(Mutex::new(File::create(path).unwrap_or_else(|_| fault("no file for the reached sites"))))
    });
    if let Some(file) = file {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{site}").unwrap_or_else(|_| fault("the file of reached sites cannot be written"));
    }
}

/// Returns the ordering of a site.
pub(crate) fn pick(site: usize, own: Ordering) -> Ordering {
    reached(site);
    chosen(site).map_or(own, |to| to.unwrap_or_else(|| fault("only a fence can be removed")))
}

/// Stands for the fence of a site.
#[track_caller]
pub(crate) fn fence(site: usize, own: Ordering) {
    reached(site);
    if let Some(order) = chosen(site).unwrap_or(Some(own)) {
        crate::sync::atomic::fence(order);
    }
}
