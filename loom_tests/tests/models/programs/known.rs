//! The machine on programs whose outcomes everybody knows: it must have all of them, or the comparison demands too little, and
//! no others, or it demands what C11 forbids.

use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release, SeqCst};

use libtest_mimic::{Failed, Trial};

use super::machine::{self, Memory};
use super::program::{Op, Program};

fn load(at: usize, order: Ordering) -> Op {
    Op::Load { at, order }
}

fn store(at: usize, order: Ordering) -> Op {
    Op::Store { at, value: 1, order }
}

/// Fails unless the machine has so many outcomes of a program, sequential and weak.
fn expect(name: &str, threads: Vec<Vec<Op>>, sequential: usize, weak: usize) -> Result<(), Failed> {
    let program = Program { atomics: 2, threads };
    let count = |memory| machine::outcomes(&program, memory).len();
    let found = (count(Memory::Sequential), count(Memory::Weak));
    if found == (sequential, weak) {
        return Ok(());
    }
    Err(format!("{name} has {found:?} outcomes on the machine, not {:?}", (sequential, weak)).into())
}

fn check() -> Result<(), Failed> {
    let fence = Op::Fence { order: SeqCst };
    let buffering = |at| vec![store(at, Relaxed), load(1 - at, Relaxed)];
    expect("store buffering", vec![buffering(0), buffering(1)], 3, 4)?;
    let fenced = |at| vec![store(at, Relaxed), fence, load(1 - at, Relaxed)];
    expect("store buffering with fences", vec![fenced(0), fenced(1)], 3, 3)?;
    let passing =
        |write, read| vec![vec![store(0, Relaxed), store(1, write)], vec![load(1, read), load(0, Relaxed)]];
    expect("message passing, relaxed", passing(Relaxed, Relaxed), 3, 4)?;
    expect("message passing, half", passing(Release, Relaxed), 3, 4)?;
    expect("message passing", passing(Release, Acquire), 3, 3)?;
    let later = |at| vec![load(at, Relaxed), store(1 - at, Relaxed)];
    expect("load buffering", vec![later(0), later(1)], 3, 3)?;
    let reads = |at| vec![load(at, Acquire), load(1 - at, Acquire)];
    let writes = [vec![store(0, Release)], vec![store(1, Release)]];
    expect("independent reads", [writes.to_vec(), vec![reads(0), reads(1)]].concat(), 15, 16)?;
    let reads = |at| vec![load(at, Acquire), fence, load(1 - at, Acquire)];
    expect("independent reads with fences", [writes.to_vec(), vec![reads(0), reads(1)]].concat(), 15, 15)?;
    let both = vec![vec![store(0, Relaxed)], vec![load(0, Relaxed), load(0, Relaxed)]];
    expect("coherence", both, 3, 3)
}

/// The test of the machine.
pub fn own_tests() -> Vec<Trial> {
    vec![Trial::test("programs::the_machine_knows_the_known", check)]
}
