//! What was measured: per row and peer the samples of all visits, and what they say.

use benches::stats::Samples;

use crate::measure::Sample;
use crate::peer::THREADS;
use crate::roster::Peer;
use crate::tour::Visits;
use crate::workload::Row;

/// A difference is called one when it is more than this share of the lesser figure.
const TIE: f64 = 0.05;

/// All samples of one peer in one row.
pub(crate) struct Cell {
    pub(crate) peer: Peer,
    pub(crate) wall: Samples,
    /// Its mean is the figure: see the essay in `main.rs`.
    pub(crate) cpu: Samples,
    /// The least and the greatest median of a visit.
    pub(crate) spread: (f64, f64),
}

impl Cell {
    fn new(peer: Peer, visits: &[Vec<Sample>]) -> Self {
        let medians = Samples::new(
            visits.iter().filter_map(|visit| Samples::new(visit.iter().map(|sample| sample.wall)).median()),
        );
        let all = || visits.iter().flatten();
        Self {
            peer,
            wall: Samples::new(all().map(|sample| sample.wall)),
            cpu: Samples::new(all().map(|sample| sample.cpu).filter(|cpu| cpu.is_finite())),
            spread: (medians.at(0.0).unwrap_or(f64::NAN), medians.at(1.0).unwrap_or(f64::NAN)),
        }
    }

    pub(crate) fn median(&self) -> f64 {
        self.wall.median().unwrap_or(f64::NAN)
    }
}

/// All peers of one row, the best first.
pub(crate) struct Standing {
    pub(crate) row: Row,
    pub(crate) cells: Vec<Cell>,
}

/// How we compare with the best of the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    Ahead,
    Level,
    Behind,
}

impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Level => "level",
            Self::Behind => "BEHIND",
        }
    }
}

impl Standing {
    pub(crate) fn new(row: Row, visits: &[Visits]) -> Self {
        let answered = visits.iter().filter(|visits| !visits.samples.is_empty());
        let mut cells: Vec<_> = answered.map(|visits| Cell::new(visits.peer, &visits.samples)).collect();
        cells.sort_by(|a, b| a.median().total_cmp(&b.median()));
        Self { row, cells }
    }

    pub(crate) fn cell(&self, peer: Peer) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.peer == peer)
    }

    /// Returns the best pool that is not ours; one thread that does everything is none.
    pub(crate) fn rival(&self) -> Option<&Cell> {
        self.cells.iter().find(|cell| !matches!(cell.peer, Peer::Ours | Peer::Sequential))
    }

    /// Returns what two threads could reach if nothing but the work cost anything.
    pub(crate) fn ideal(&self) -> Option<f64> {
        let sequential = self.cell(Peer::Sequential).filter(|_| self.row.real_work)?;
        Some(sequential.median() / THREADS as f64)
    }

    /// Returns our figure, the best of the others, and who is ahead.
    pub(crate) fn verdict(&self) -> Option<(&Cell, &Cell, Verdict)> {
        let (ours, rival) = (self.cell(Peer::Ours)?, self.rival()?);
        let margin = self.row.unit.margin();
        let verdict = match (ours.median(), rival.median()) {
            (a, b) if a > b * (1.0 + TIE) + margin => Verdict::Behind,
            (a, b) if a * (1.0 + TIE) + margin < b => Verdict::Ahead,
            _ => Verdict::Level,
        };
        Some((ours, rival, verdict))
    }

    /// Returns the peers whose time is less than the work takes: it must have been removed or skipped.
    pub(crate) fn impossible(&self) -> Vec<Peer> {
        let Some(ideal) = self.ideal() else { return Vec::new() };
        let others = self.cells.iter().filter(|cell| cell.peer != Peer::Sequential);
        others.filter(|cell| cell.median() < 0.9 * ideal).map(|cell| cell.peer).collect()
    }

    pub(crate) fn write(&self, value: f64) -> String {
        self.row.unit.write(value)
    }
}
