//! Brute force: every outcome of a program on a machine with views, by trying every step in every state.
//!
//! The machine is the usual one for acquire and release, as in the papers on promising semantics, without promises. Each
//! atomic has the list of all writes to it. A *view* says, for each atomic, which write is the oldest that its holder may
//! still read. A load may return any write from there on; a write goes to the end of the list and carries a view that
//! who acquires it takes over.
//!
//! | step | what happens to the views |
//! |---|---|
//! | load, relaxed | the thread's own moves to what was read; what that write carries waits for an acquire fence |
//! | load, acquire | the thread's own takes over what the write carries |
//! | store, relaxed | the write carries the view of the thread's last release fence |
//! | store, release | the write carries the thread's own view |
//! | read-modify-write | reads the last write, and carries on what that one carried: a release sequence |
//! | fence, acquire | what waited is taken over |
//! | fence, release | the own view is kept for the relaxed stores to come |
//! | fence, `SeqCst` | both, and the own view and that of all earlier such fences become their union |
//!
//! Its outcomes are those of C11 executions in which program order, reads-from and modification order together have no
//! circle: a write is never put before an older one, nothing is read before it is written, and a compare-exchange
//! that fails reads the latest write. So each of them is allowed, and the last two are what loom never shows either. A machine
//! whose loads return nothing but the last write has the sequentially consistent outcomes.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::Ordering::SeqCst;

use super::program::{Op, Program, parts};

/// What each thread has read, step by step.
pub type Outcome = Vec<Vec<u8>>;

/// What a load may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The last write.
    Sequential,
    /// Every write that the thread's view allows.
    Weak,
}

/// The most atomics that a program has.
const ATOMICS: usize = 3;

/// The oldest write of each atomic that may still be read, as its index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct View([u8; ATOMICS]);

impl View {
    fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own = (*own).max(other));
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Write {
    value: u8,
    carries: View,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Thread {
    read: Vec<u8>,
    step: usize,
    own: View,
    /// What relaxed loads found, for an acquire fence to take over.
    waits: View,
    /// The own view at the last release fence.
    released: View,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    writes: Vec<Vec<Write>>,
    threads: Vec<Thread>,
    /// The union of the views of all `SeqCst` fences so far.
    fenced: View,
}

/// Returns all outcomes of `program`.
pub fn outcomes(program: &Program, memory: Memory) -> BTreeSet<Outcome> {
    let initial = State {
        writes: vec![vec![Write { value: 0, carries: View::default() }]; program.atomics],
        threads: vec![Thread::default(); program.threads.len()],
        fenced: View::default(),
    };
    let mut seen = HashSet::from([initial.clone()]);
    let mut open = vec![initial];
    let mut outcomes = BTreeSet::new();
    while let Some(state) = open.pop() {
        let mut ended = true;
        for (at, steps) in program.threads.iter().enumerate() {
            let Some(op) = steps.get(state.threads[at].step) else { continue };
            ended = false;
            open.extend(state.after(at, op, memory).into_iter().filter(|next| seen.insert(next.clone())));
        }
        if ended {
            outcomes.insert(state.threads.into_iter().map(|thread| thread.read).collect());
        }
    }
    outcomes
}

impl State {
    /// Returns every state that thread `at` can reach by `op`.
    fn after(&self, at: usize, op: &Op, memory: Memory) -> Vec<Self> {
        let mut next = self.clone();
        next.threads[at].step += 1;
        match *op {
            Op::Load { at: atomic, order } => {
                let last = self.writes[atomic].len() - 1;
                let oldest =
                    if memory == Memory::Weak { self.threads[at].own.0[atomic].into() } else { last };
                let read = |index: usize| {
                    let mut next = next.clone();
                    next.read(at, atomic, index, parts(order).0);
                    next
                };
                return (oldest..=last).map(read).collect();
            }
            Op::Store { at: atomic, value, order } => {
                next.write(at, atomic, value, View::default(), parts(order).1);
            }
            Op::Add { at: atomic, value, order } => {
                next.update(at, atomic, |old| Some(old + value), parts(order), false);
            }
            Op::Exchange { at: atomic, from, to, success, failure } => {
                let exchange = |old| (old == from).then_some(to);
                next.update(at, atomic, exchange, parts(success), parts(failure).0);
            }
            Op::Fence { order } => {
                let (acquire, release) = parts(order);
                next.fence(at, acquire, release, order == SeqCst);
            }
        }
        vec![next]
    }

    fn read(&mut self, at: usize, atomic: usize, index: usize, acquire: bool) {
        let (thread, write) = (&mut self.threads[at], &self.writes[atomic][index]);
        thread.own.0[atomic] = index as u8;
        thread.waits.join(&write.carries);
        if acquire {
            thread.own.join(&write.carries);
        }
        thread.read.push(write.value);
    }

    fn write(&mut self, at: usize, atomic: usize, value: u8, mut carries: View, release: bool) {
        let (thread, writes) = (&mut self.threads[at], &mut self.writes[atomic]);
        thread.own.0[atomic] = writes.len() as u8;
        carries.join(if release { &thread.own } else { &thread.released });
        // Who acquires this write has seen it.
        carries.0[atomic] = writes.len() as u8;
        writes.push(Write { value, carries });
    }

    /// A read-modify-write, with the parts of its ordering, and whether it acquires if there is no new value.
    fn update(
        &mut self,
        at: usize,
        atomic: usize,
        new: impl FnOnce(u8) -> Option<u8>,
        (acquire, release): (bool, bool),
        else_acquire: bool,
    ) {
        let last = self.writes[atomic].len() - 1;
        let Write { value, carries } = self.writes[atomic][last].clone();
        let new = new(value);
        self.read(at, atomic, last, if new.is_some() { acquire } else { else_acquire });
        if let Some(new) = new {
            self.write(at, atomic, new, carries, release);
        }
    }

    fn fence(&mut self, at: usize, acquire: bool, release: bool, sequential: bool) {
        let thread = &mut self.threads[at];
        if acquire {
            thread.own.join(&thread.waits);
        }
        if sequential {
            thread.own.join(&self.fenced);
            self.fenced = thread.own;
        }
        if release {
            thread.released = thread.own;
        }
    }
}
