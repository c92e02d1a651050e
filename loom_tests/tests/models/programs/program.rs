//! A program of a few accesses to a few atomics, drawn from a number.

use std::fmt;
use std::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};

use crate::random::Random;

/// One step of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Load { at: usize, order: Ordering },
    Store { at: usize, value: u8, order: Ordering },
    Add { at: usize, value: u8, order: Ordering },
    Exchange { at: usize, from: u8, to: u8, success: Ordering, failure: Ordering },
    Fence { order: Ordering },
}

/// How large the programs of a family are, and what they are made of.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The first seed; families do not share any.
    pub seed: u64,
    pub threads: usize,
    /// The least and the most steps of a thread.
    pub steps: (usize, usize),
    /// The most steps of all threads together: what loom can explore in a moment.
    pub total: usize,
    pub atomics: usize,
    pub fences: bool,
}

/// What each thread does, step by step. All atomics begin as 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program {
    pub atomics: usize,
    pub threads: Vec<Vec<Op>>,
}

impl Program {
    /// Draws the program of this number.
    pub fn draw(family: &Family, number: usize) -> Self {
        let mut random = Random::new(family.seed + number as u64);
        let (least, most) = family.steps;
        let thread = |random: &mut Random| {
            let steps = random.between(least, most);
            (0..steps).map(|_| Op::draw(random, family)).collect()
        };
        let mut threads: Vec<Vec<Op>> = (0..family.threads).map(|_| thread(&mut random)).collect();
        while threads.iter().map(Vec::len).sum::<usize>() > family.total {
            threads.iter_mut().max_by_key(|steps| steps.len()).and_then(Vec::pop);
        }
        Self { atomics: family.atomics, threads }
    }
}

impl Op {
    /// `SeqCst` is drawn for fences alone, as in the crate: loom takes such an access for a weaker one.
    fn draw(random: &mut Random, family: &Family) -> Self {
        let at = random.below(family.atomics);
        let value = random.between(1, 3) as u8;
        match random.below(if family.fences { 9 } else { 7 }) {
            0..=2 => Self::Load { at, order: random.one_of(&[Relaxed, Acquire]) },
            3 | 4 => Self::Store { at, value, order: random.one_of(&[Relaxed, Release]) },
            5 => Self::Add { at, value, order: random.one_of(&[Relaxed, Acquire, Release, AcqRel]) },
            6 => Self::Exchange {
                at,
                from: random.below(3) as u8,
                to: value,
                success: random.one_of(&[Relaxed, Acquire, Release, AcqRel]),
                failure: random.one_of(&[Relaxed, Acquire]),
            },
            _ => Self::Fence { order: random.one_of(&[Acquire, Release, AcqRel, SeqCst, SeqCst, SeqCst]) },
        }
    }
}

/// Whether an ordering has an acquire in it, and whether it has a release.
pub fn parts(order: Ordering) -> (bool, bool) {
    (matches!(order, Acquire | AcqRel | SeqCst), matches!(order, Release | AcqRel | SeqCst))
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |at: &usize| ["x", "y", "z"][*at];
        match self {
            Self::Load { at, order } => write!(f, "{}.load({order:?})", name(at)),
            Self::Store { at, value, order } => write!(f, "{}.store({value}, {order:?})", name(at)),
            Self::Add { at, value, order } => write!(f, "{}.fetch_add({value}, {order:?})", name(at)),
            Self::Exchange { at, from, to, success, failure } => {
                write!(f, "{}.compare_exchange({from}, {to}, {success:?}, {failure:?})", name(at))
            }
            Self::Fence { order } => write!(f, "fence({order:?})"),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, thread) in self.threads.iter().enumerate() {
            let steps: Vec<String> = thread.iter().map(Op::to_string).collect();
            writeln!(f, "  thread {at}: {}", steps.join("; "))?;
        }
        Ok(())
    }
}
