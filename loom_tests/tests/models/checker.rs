//! Which loom the models run on: the published one, or a copy that xtask has repaired.
//!
//! Plain `cargo test` runs on loom as published, which misses some schedules. `cargo xtask verify` builds the models once
//! more on a copy with the edits of `xtask/src/checker/edits.rs`, and says so in the environment. Whether that is true is seen
//! by the litmus programs, whose outcomes are not the same on the two.

use crate::support::Bound;

/// The environment variable in which xtask names the checker.
const VARIABLE: &str = "ZERO_POOL_CHECKER";

/// A loom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checker {
    /// As published.
    Stock,
    /// With all that it misses by mistake.
    Repaired,
}

impl Checker {
    /// Returns the checker that this process was told of.
    pub fn named() -> Result<Self, String> {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("stock") => Ok(Self::Stock),
            Ok("repaired") => Ok(Self::Repaired),
            Ok(other) => Err(format!("{VARIABLE} is {other:?}; it must be stock or repaired")),
        }
    }

    /// Returns the checker that this process was told of, as the driver has seen that it is one.
    pub fn current() -> Self {
        Self::named().unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// Returns how far a model with this bound is explored. The repaired checker has several times as many schedules, so
    /// it runs all with three preemptions, and what is tiny without a bound.
    pub fn bound(self, own: Bound, tiny: bool) -> Bound {
        match (self, own) {
            (Self::Stock, own) => own,
            (Self::Repaired, Bound::None) if tiny => Bound::None,
            (Self::Repaired, _) => Bound::Preemptions(3),
        }
    }
}
