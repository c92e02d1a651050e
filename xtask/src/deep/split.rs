//! One check on several machines: each goes on from one checkpoint, with a part of what is open there.
//!
//! loom explores depth first, and its path says at each branch which threads and values are still to be tried. So the path
//! of a checkpoint is a list of open branches, and a part of the list is a path again:
//!
//! ```text
//!   path      ● ── ● ── ● ── ● ── ▶ next        part 1  ● ── ● ── ● ── ● ── ▶
//!             │    │         │                                        │
//!             a    b         c                          │             c
//!                                                part 2  ● ── ● ── b ▶          with a: tried after b
//!                                                        a
//! ```
//!
//! What falls to others is marked as visited. **Nothing is lost:** when a part finds out, below its own branches, that
//! another thread must be tried further up, and nobody was given that, it enters it and tries it itself. For loom never asks
//! who found a branch; and below a branch everything is explored by the one who tries it. What two parts find out is
//! explored twice, so the sum of their schedules is larger than that of one run.
//!
//! Every part comes by the checkpoint by itself, as the first schedules are the same on each machine.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::shard::Shard;

/// Something that is still to be tried: at which branch, and which thread if it is one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    at: usize,
    thread: Option<usize>,
}

/// Returns the path of one part, or `None` if nothing falls to it.
pub fn split(path: &str, shard: Shard) -> Result<Option<String>> {
    let mut path: Value = serde_json::from_str(path).context("the path of a checkpoint is damaged")?;
    let branches = path["branches"]["entries"].as_array_mut().context("the path has no branches")?;
    let open = all_open(branches)?;
    let mut last = None;
    for (number, &open) in open.iter().enumerate() {
        // The ones at the top, which are the largest, go to different parts. The first has what the path leads to.
        if (number + 1) % shard.count == shard.index - 1 {
            last = Some(open);
        } else {
            give_up(branches, open);
        }
    }
    if shard.index > 1 {
        let Some(last) = last else { return Ok(None) };
        branches.truncate(last.at + 1);
        enter(branches, last);
    }
    Ok(Some(path.to_string()))
}

fn all_open(branches: &[Value]) -> Result<Vec<Open>> {
    let mut open = Vec::new();
    for (at, branch) in branches.iter().enumerate() {
        if let Some(schedule) = branch.get("Schedule") {
            let threads = schedule["threads"].as_array().context("a branch has no threads")?;
            let pending = threads.iter().enumerate().filter(|(_, state)| *state == "Pending");
            open.extend(pending.map(|(thread, _)| Open { at, thread: Some(thread) }));
        } else if let Some(load) = branch.get("Load") {
            if load["pos"].as_u64().zip(load["len"].as_u64()).is_some_and(|(pos, len)| pos + 1 < len) {
                open.push(Open { at, thread: None });
            }
        } else if let Some(spurious) = branch.get("Spurious") {
            if spurious["spur"] == false && spurious["exploring"] == true {
                open.push(Open { at, thread: None });
            }
        } else {
            bail!("a branch is of a kind that this loom does not have: {branch}");
        }
    }
    Ok(open)
}

/// Leaves a branch to others.
fn give_up(branches: &mut [Value], open: Open) {
    let branch = &mut branches[open.at];
    if let Some(thread) = open.thread {
        branch["Schedule"]["threads"][thread] = "Visited".into();
    } else if let Some(load) = branch.get_mut("Load") {
        load["len"] = (load["pos"].as_u64().unwrap_or(0) + 1).into();
    } else {
        branch["Spurious"]["exploring"] = false.into();
    }
}

/// Makes a branch the next to be tried. The one before it, below which the path went on, is another part's.
fn enter(branches: &mut [Value], open: Open) {
    let branch = &mut branches[open.at];
    if let Some(thread) = open.thread {
        let threads = branch["Schedule"]["threads"].as_array_mut();
        for state in threads.into_iter().flatten().filter(|state| **state == "Active") {
            *state = "Visited".into();
        }
        branch["Schedule"]["threads"][thread] = "Active".into();
    } else if let Some(load) = branch.get_mut("Load") {
        load["pos"] = (load["pos"].as_u64().unwrap_or(0) + 1).into();
    } else {
        branch["Spurious"]["spur"] = true.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schedule(threads: [&str; 3]) -> Value {
        json!({ "Schedule": { "threads": threads, "exploring": true } })
    }

    fn load(pos: u64, len: u64) -> Value {
        json!({ "Load": { "pos": pos, "len": len, "exploring": true } })
    }

    fn path(branches: &[Value]) -> String {
        json!({ "pos": 0, "branches": { "entries": branches } }).to_string()
    }

    fn part(branches: &[Value], index: usize, count: usize) -> Option<Vec<Value>> {
        let path = split(&path(branches), Shard { index, count }).expect("a path")?;
        let path: Value = serde_json::from_str(&path).expect("it is one again");
        path["branches"]["entries"].as_array().cloned()
    }

    #[test]
    fn what_is_open_falls_to_one_part_each() {
        let all = [
            schedule(["Active", "Pending", "Skip"]),
            load(0, 3),
            schedule(["Visited", "Active", "Pending"]),
            load(1, 2),
        ];
        let first = part(&all, 1, 2).expect("the path itself");
        let left = load(0, 3);
        let rest =
            [schedule(["Active", "Visited", "Skip"]), left, schedule(["Visited", "Active", "Visited"])];
        assert_eq!(first, [&rest[..], &[load(1, 2)]].concat());
        let second = part(&all, 2, 2).expect("a part");
        let rest =
            [schedule(["Active", "Pending", "Skip"]), load(0, 1), schedule(["Visited", "Visited", "Active"])];
        assert_eq!(second, rest, "the deepest is next, and what lies below is another's");
    }

    #[test]
    fn the_rest_of_a_load_is_one_thing() {
        let all = [schedule(["Active", "Skip", "Skip"]), load(0, 3), load(0, 1)];
        assert_eq!(part(&all, 1, 2).expect("the path itself")[1], load(0, 1));
        assert_eq!(part(&all, 2, 2).expect("a part"), [schedule(["Active", "Skip", "Skip"]), load(1, 3)]);
        assert_eq!(part(&all, 3, 3), None, "nothing is left for a third");
    }

    #[test]
    fn a_spurious_branch_is_split_too() {
        let spurious =
            |spur: bool, exploring: bool| json!({ "Spurious": { "spur": spur, "exploring": exploring } });
        assert_eq!(part(&[spurious(false, true)], 1, 2), Some(vec![spurious(false, false)]));
        assert_eq!(part(&[spurious(false, true)], 2, 2), Some(vec![spurious(true, true)]));
    }

    #[test]
    fn one_part_is_the_path_itself() {
        let all = [schedule(["Active", "Pending", "Pending"]), load(0, 3)];
        assert_eq!(part(&all, 1, 1), Some(all.to_vec()));
    }

    #[test]
    fn a_damaged_path_is_refused() {
        for text in ["", "{}", "{\"branches\": {\"entries\": [{\"Other\": {}}]}}"] {
            assert!(split(text, Shard::WHOLE).is_err(), "{text}");
        }
    }
}
