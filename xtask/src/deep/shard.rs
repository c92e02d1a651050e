//! A part of the checks, for one machine of several.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};

/// The `index`th of `count` parts, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    pub index: usize,
    pub count: usize,
}

impl Shard {
    /// All checks.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Returns what falls to this part: every `count`th, so that neighbours, which are alike, go to different machines.
    pub fn of<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.index - 1).step_by(self.count).collect()
    }
}

impl FromStr for Shard {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = || {
            let (index, count) = text.split_once('/')?;
            Some(Self { index: index.parse().ok()?, count: count.parse().ok()? })
        };
        let shard =
            parsed().with_context(|| format!("{text:?} is no part such as 2/3, the second of three"))?;
        ensure!(
            (1..=shard.count).contains(&shard.index),
            "there is no part {} of {}: parts are counted from 1 to their number",
            shard.index,
            shard.count
        );
        Ok(shard)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_disjoint_and_cover_all() {
        for count in 1..6 {
            let mut all: Vec<usize> =
                (1..=count).flat_map(|index| Shard { index, count }.of((0..17).collect())).collect();
            all.sort_unstable();
            assert_eq!(all, (0..17).collect::<Vec<_>>(), "{count} parts");
        }
    }

    #[test]
    fn what_is_no_part_is_refused_with_a_reason() {
        assert_eq!("2/3".parse::<Shard>().expect("a part").to_string(), "2/3");
        for text in ["3/2", "0/2", "1/0"] {
            let error = text.parse::<Shard>().expect_err(text).to_string();
            assert!(error.contains("counted from 1"), "{text}: {error}");
        }
        for text in ["", "2", "1/2/3", "-1/2", "one/two", "1/"] {
            let error = text.parse::<Shard>().expect_err(text).to_string();
            assert!(error.contains("second of three"), "{text}: {error}");
        }
    }
}
