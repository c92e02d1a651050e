//! A random program on the queue, and its text, by which it comes back.

use std::fmt;
use std::str::FromStr;

use crate::random::Random;

/// One step of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Pushes a batch of so many tasks.
    Push(u8),
    /// Takes from the oldest batch that has something.
    Take,
    /// Takes from the newest batch of the thread's own; nothing if it has none.
    Own,
    /// Publishes how many steps this thread has done.
    Tell,
    /// Learns what the others have published: their steps up to there come before all that follow here.
    Look,
}

/// What each thread does. All threads begin at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Script {
    /// The sizes of batches that are pushed before.
    pub before: Vec<u8>,
    pub threads: Vec<Vec<Step>>,
}

/// How large the programs of a family are.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The first seed; families do not share any.
    pub seed: u64,
    pub threads: usize,
    /// The least and the most steps of all threads together.
    pub steps: (usize, usize),
}

impl Script {
    /// Draws the program of this number.
    pub fn draw(family: &Family, number: usize) -> Self {
        let mut random = Random::new(family.seed + number as u64);
        let before = (0..random.below(2)).map(|_| random.between(1, 3) as u8).collect();
        let mut threads = vec![Vec::new(); family.threads];
        let (least, most) = family.steps;
        for at in 0..random.between(least.max(family.threads), most) {
            // Each thread has a step before one has two.
            let thread = if at < family.threads { at } else { random.below(family.threads) };
            threads[thread].push(Step::draw(&mut random));
        }
        Self { before, threads }
    }

    /// Returns every program that is smaller by one thing.
    pub fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for thread in 0..self.threads.len() {
            let mut without = self.clone();
            without.threads.remove(thread);
            all.push(without);
        }
        for batch in 0..self.before.len() {
            let mut without = self.clone();
            without.before.remove(batch);
            all.push(without);
        }
        for (thread, steps) in self.threads.iter().enumerate() {
            for (at, step) in steps.iter().enumerate() {
                let mut without = self.clone();
                without.threads[thread].remove(at);
                all.push(without);
                if let Step::Push(2..) = step {
                    let mut less = self.clone();
                    less.threads[thread][at] = Step::Push(1);
                    all.push(less);
                }
            }
        }
        for (at, &size) in self.before.iter().enumerate().filter(|(_, size)| **size > 1) {
            let mut less = self.clone();
            less.before[at] = size - 1;
            all.push(less);
        }
        all.retain(|script| !script.threads.is_empty());
        all
    }
}

impl Step {
    fn draw(random: &mut Random) -> Self {
        match random.below(10) {
            0..=3 => Self::Push(random.between(1, 3) as u8),
            4..=6 => Self::Take,
            7 => Self::Own,
            8 => Self::Tell,
            _ => Self::Look,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push(size) => write!(f, "push{size}"),
            Self::Take => f.write_str("take"),
            Self::Own => f.write_str("own"),
            Self::Tell => f.write_str("tell"),
            Self::Look => f.write_str("look"),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = text.strip_prefix("push").and_then(|size| size.parse().ok());
        match (text, size) {
            (_, Some(size @ 1..=9)) => Ok(Self::Push(size)),
            ("take", _) => Ok(Self::Take),
            ("own", _) => Ok(Self::Own),
            ("tell", _) => Ok(Self::Tell),
            ("look", _) => Ok(Self::Look),
            _ => Err(format!("there is no step {text:?}")),
        }
    }
}

/// `push2 | push1 take | look take`: what was before, and each thread after a bar.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before: Vec<String> = self.before.iter().map(|&size| Step::Push(size).to_string()).collect();
        write!(f, "{}", before.join(" "))?;
        for steps in &self.threads {
            let steps: Vec<String> = steps.iter().map(Step::to_string).collect();
            write!(f, " | {}", steps.join(" "))?;
        }
        Ok(())
    }
}

impl FromStr for Script {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |part: &str| part.split_whitespace().map(str::parse).collect::<Result<Vec<Step>, _>>();
        let mut parts = text.split('|').map(parse);
        let size = |step: Step| match step {
            Step::Push(size) => Ok(size),
            other => Err(format!("{other} cannot come before the threads")),
        };
        let before = parts.next().unwrap_or_else(|| Ok(Vec::new()))?;
        let script = Self {
            before: before.into_iter().map(size).collect::<Result<_, _>>()?,
            threads: parts.collect::<Result<_, _>>()?,
        };
        if script.threads.is_empty() { Err("it has no thread".into()) } else { Ok(script) }
    }
}
