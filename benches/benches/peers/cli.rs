//! The command line.

use std::time::Duration;

use clap::Parser;

use crate::measure::Budget;
use crate::roster::Peer;
use crate::workload::{Row, rows};

/// Compares zero-pool with other pools. A full run takes about half an hour, `--quick` less than two minutes.
#[derive(Debug, Parser)]
#[command(name = "peers", bin_name = "cargo bench -p benches --bench peers --")]
pub(crate) struct Cli {
    /// Three rounds of short visits: figures to look at, not to quote.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only rows whose title contains this; may be given several times.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Only the peer of this name, or those whose names contain it, and `sequential`; may be given several times.
    #[arg(long, value_name = "NAME")]
    peer: Vec<String>,
    /// How many times every peer is visited for every row.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Writes the figures into docs/benchmarks.md and charts beside it.
    #[arg(long)]
    pub(crate) write_docs: bool,
    /// Prints the rows and the peers, and measures nothing.
    #[arg(long)]
    pub(crate) list: bool,
    /// Cargo passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Cli {
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 3 } else { 15 }).max(1)
    }

    pub(crate) fn budget(&self) -> Budget {
        let milliseconds = Duration::from_millis;
        if self.quick {
            let sample = Duration::from_micros(40);
            Budget { warm_up: milliseconds(3), measure: milliseconds(8), sample, submissions: 100_000 }
        } else {
            let sample = Duration::from_micros(100);
            Budget { warm_up: milliseconds(20), measure: milliseconds(100), sample, submissions: 10_000_000 }
        }
    }

    /// Returns the command of this run, as somebody would repeat it.
    pub(crate) fn command(&self) -> String {
        let given = std::env::args().skip(1).filter(|argument| argument != "--bench");
        ["cargo bench -p benches --bench peers --".to_owned()]
            .into_iter()
            .chain(given)
            .collect::<Vec<_>>()
            .join(" ")
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        let wanted =
            |row: &Row| self.filter.is_empty() || self.filter.iter().any(|text| row.title().contains(text));
        rows().into_iter().filter(wanted).collect()
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        let exact = |name: &str| Peer::ALL.iter().any(|peer| peer.name() == name);
        let is = |peer: &Peer, name: &str| peer.name() == name || !exact(name) && peer.name().contains(name);
        let named = |peer: &Peer| self.peer.iter().any(|name| is(peer, name));
        let wanted = |peer: &Peer| self.peer.is_empty() || *peer == Peer::Sequential || named(peer);
        Peer::ALL.iter().copied().filter(wanted).collect()
    }
}
