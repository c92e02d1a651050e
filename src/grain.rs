//! How many tasks one claim takes: pure functions of numbers.
//!
//! Guided self-scheduling (Polychronopoulos and Kuck, 1987): a claim takes a share of what remains, so that early
//! claims are few and late ones small. A share is `1 / (2 * threads)` of the rest, which leaves the others work for
//! about as long again. The *grain* keeps a claim from costing more than its tasks: it is the number of tasks, a power
//! of two, that takes about [`TARGET_NANOS`], learned from the tasks that ran.
//!
//! ```text
//!   chunk = max(remaining / (2 * threads), grain), and at most remaining
//! ```
//!
//! # Invariants
//!
//! - `G1`  *Partition.* Chunks cut one after another from a range are not empty, do not overlap, and cover it.
//! - `G2`  *Tail.* Tasks that take a grain's time or more are handed out one by one at the end.
//! - `G3`  *Few claims.* A range of `n` is cut into at most `2 * threads * (1 + ln n) + 1` chunks.
//!
//! Checked by: `proptests/tests/grain.rs`.

/// How long a claim's tasks should take at least, so that the claim (5 to 70 ns) is lost in them.
pub const TARGET_NANOS: u64 = 1_000;

/// A number of tasks, a power of two, that is worth a claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grain(u8);

impl Grain {
    /// Tasks are claimed one by one once little remains: what is right for tasks of unknown cost.
    pub const SINGLE: Self = Self(0);

    /// The number of bits that [`to_bits`](Self::to_bits) needs.
    pub const BITS: u32 = 4;

    const MAX: u8 = (1 << Self::BITS) - 1;

    /// Returns the grain for tasks of which `tasks` took `nanos` in all.
    pub const fn measured(tasks: u64, nanos: u64) -> Self {
        if tasks == 0 {
            return Self::SINGLE;
        }
        let fit = match tasks.saturating_mul(TARGET_NANOS).checked_div(nanos) {
            None => 1 << Self::MAX,
            Some(0) => 1,
            Some(fit) => fit,
        };
        let log = fit.ilog2();
        Self(if log < Self::MAX as u32 { log as u8 } else { Self::MAX })
    }

    /// Returns the number of tasks.
    pub const fn tasks(self) -> u64 {
        1 << self.0
    }

    /// Packs into the low [`BITS`](Self::BITS) bits.
    pub const fn to_bits(self) -> u64 {
        self.0 as u64
    }

    /// Unpacks what [`to_bits`](Self::to_bits) packed.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits as u8 & Self::MAX)
    }
}

/// Returns how many of `remaining` tasks the next claim takes when `threads` share them.
pub const fn chunk(remaining: u64, threads: u32, grain: Grain) -> u64 {
    let threads = if threads == 0 { 1 } else { threads as u64 };
    // G3: a share of the rest, so that the rest shrinks by a constant factor.
    let share = remaining / (2 * threads);
    // G2: near the end the grain alone decides, which is one task for costly ones.
    let wanted = if share > grain.tasks() { share } else { grain.tasks() };
    // G1: a grain is one task at least, so a chunk is empty only if nothing remains.
    if wanted < remaining { wanted } else { remaining }
}
