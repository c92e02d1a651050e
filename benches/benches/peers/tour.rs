//! A run: every peer is visited for every row in every round.
//!
//! A peer whose results are wrong is not asked that row again, and the run fails in the end; what the others have measured
//! by then is kept. A visit that does not end would disturb all that follow, so it ends the run.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::{Budget, Outcome, Sample};
use crate::results::Standing;
use crate::roster::Peer;
use crate::workload::{Ask, Row};

/// A visit that takes longer than this will not end.
const PATIENCE: Duration = Duration::from_secs(300);

/// What one peer has shown in one row.
pub(crate) struct Visits {
    pub(crate) peer: Peer,
    pub(crate) samples: Vec<Vec<Sample>>,
    /// Why it is not asked again.
    wrong: Option<String>,
}

/// The results of a run, and what was wrong.
pub(crate) struct Tour {
    pub(crate) standings: Vec<Standing>,
    pub(crate) wrong: Vec<String>,
}

/// Makes the run.
///
/// # Errors
///
/// If a visit does not end.
pub(crate) fn run(rows: &[Row], peers: &[Peer], rounds: usize, budget: Budget) -> Result<Tour, String> {
    let rounds_of = |row: &Row| if row.once { 1 } else { rounds };
    let bar = ProgressBar::new((rows.iter().map(rounds_of).sum::<usize>() * peers.len()) as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} visits, {eta} left  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let unvisited = |peer: &Peer| Visits { peer: *peer, samples: Vec::new(), wrong: None };
    let mut visits: Vec<Vec<_>> = rows.iter().map(|_| peers.iter().map(unvisited).collect()).collect();
    for round in 0..rounds {
        for (row, visits) in rows.iter().zip(&mut visits).filter(|(row, _)| round < rounds_of(row)) {
            for turn in 0..peers.len() {
                let visits = &mut visits[(turn + round) % peers.len()];
                bar.set_message(format!("{}: {}", row.title(), visits.peer.name()));
                visits.add(row, budget)?;
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    let standings: Vec<_> =
        rows.iter().zip(&visits).map(|(row, visits)| Standing::new(row.clone(), visits)).collect();
    let mut wrong: Vec<_> = visits.into_iter().flatten().filter_map(|visits| visits.wrong).collect();
    for standing in &standings {
        let too_fast =
            |peer: Peer| format!("{}: {}: less time than the work takes", standing.row.title(), peer.name());
        wrong.extend(standing.impossible().into_iter().map(too_fast));
    }
    Ok(Tour { standings, wrong })
}

impl Visits {
    /// Makes one more visit, unless one was wrong.
    fn add(&mut self, row: &Row, budget: Budget) -> Result<(), String> {
        if self.wrong.is_some() {
            return Ok(());
        }
        let title = || format!("{}: {}", row.title(), self.peer.name());
        match visit(self.peer, row, budget) {
            None => return Err(format!("{}: no end after {} s", title(), PATIENCE.as_secs())),
            Some(Ok(samples)) => self.samples.extend(samples),
            Some(Err(wrong)) => {
                self.wrong = Some(format!("{}: {wrong}", title()));
                self.samples.clear();
            }
        }
        Ok(())
    }
}

/// Makes one visit on a thread of its own, which some peers take for the life of their workers; `None` if it does not end.
fn visit(peer: Peer, row: &Row, budget: Budget) -> Option<Outcome> {
    let (send, receive) = mpsc::channel();
    let row = row.clone();
    let visitor = thread::spawn(move || {
        let outcome = peer.visit(Ask { row: &row, budget: &budget });
        // Nobody listens when patience is over.
        let _ = send.send(outcome);
    });
    let panicked = || Err("the visit panicked".to_owned());
    let outcome = match receive.recv_timeout(PATIENCE) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => return None,
        Err(RecvTimeoutError::Disconnected) => panicked(),
    };
    // Peers with workers of the thread's own end them here.
    Some(visitor.join().map_or_else(|_| panicked(), |()| outcome))
}
