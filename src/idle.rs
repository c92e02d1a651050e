//! Who is parked, who is looking, and whom to wake: one word and a stack of parked workers.
//!
//! A worker is *running* (it has work, or looks for more after some), *parked*, or *looking*: woken because there
//! was work, and not yet back from its search, or on the watch for more by its own choice. At most one is looking. While one is, nobody else is woken: the
//! looking worker passes the wake-up on when it leaves that state, so a burst of submissions pays for one wake-up
//! and not for one each. This is Go's throttle (`src/runtime/proc.go`), with one bit instead of a count.
//!
//! ```text
//!   63                           23   22    21                  2    1         0
//!   ┌──────────────────────────────┬───────┬─────────────────────┬─────────┬────────┐
//!   │ tag, +1 per push and pop     │ SPARE │ top: worker + 1     │ LOOKING │ CLOSED │
//!   └──────────────────────────────┴───────┴─────────────────────┴─────────┴────────┘
//!                                             │
//!                                             ▼
//!                         worker 3 ─below─▶ worker 0 ─below─▶ none        (Treiber's stack)
//! ```
//!
//! SPARE says that somebody is below the top: for who leaves one parked, and asks so often that it must not look at the stack.
//!
//! # States
//!
//! | step | before | after | change of the word |
//! |---|---|---|---|
//! | [`announce`](Idle::announce) | running | parked | push |
//! | [`announce`](Idle::announce) | looking | parked | push and clear LOOKING at once |
//! | [`notify`](Idle::notify) | parked | looking | pop and set LOOKING at once |
//! | [`look`](Idle::look) | running | looking | set LOOKING, unless somebody looks or the pool is closed |
//! | [`leave`](Idle::leave) | looking | running | clear LOOKING |
//! | [`close`](Idle::close) | parked | running | set CLOSED and take the whole stack at once |
//!
//! A parked worker may [give way](crate::turns) for a while before it sleeps, and looks after each turn whether it was popped. Who
//! pops it meanwhile has not to wake it by a system call, which costs thirty times as much. It is parked all the same: the
//! word alone says so. How many give way, this worker or the looking one, is counted beside it, for
//! [who would wake nobody](crate::costs) but gladly has a worker that is awake.
//!
//! What follows a step (the fence, the second look) belongs to the [`injector`](crate::injector), which knows the
//! queue. This module promises only what the word says.
//!
//! # Invariants
//!
//! - `E1`  *One looker.* LOOKING is set by the step that makes a worker the looker and cleared by that worker alone.
//! - `E2`  *A wake-up belongs to one.* Each pop takes one worker, which was parked, and ends exactly one sleep.
//! - `E3`  *No sleep through a close.* After CLOSED nobody is pushed, and all who were are woken.
//! - `E4`  *No ABA.* A CAS that succeeds has seen the stack as it is: the tag differs after every push and pop. It comes
//!   around after 2^41 of them, which take days at the least, while one thread stands between a load and its CAS.
//! - `E5`  *Idle is free.* A parked worker that sleeps runs nothing until it is woken.
//! - `E6`  *A spare is known.* SPARE is set exactly while two are parked at least.
//!
//! # Orderings
//!
//! | access | ordering | why |
//! |---|---|---|
//! | push, success | Release | `[E-push]` the slot's `below`, state and parker before the worker can be popped |
//! | load and failed CAS in `notify`, `close` | Acquire | `[E-push]` other side |
//! | pop, success | Relaxed | the value was read with Acquire; the woken worker synchronises through its slot |
//! | failed push | Acquire | `[E-close]` sees what was submitted before the close |
//! | close, success | Release | `[E-close]` what was submitted before, for the workers that are refused |
//! | slot state, store | Release | `[E-wake]` what the waker did before happens before what the woken does |
//! | slot state, load | Acquire | `[E-wake]` other side |
//! | set LOOKING by `look`; clear it | Relaxed | who looks answers for what it finds when it has cleared the bit: the injector's fence |
//! | count of those who are awake | Relaxed | a hint: an old one costs a wake, or what a worker would have done |
//!
//! # Progress
//!
//! Lock-free; a failed CAS means that another step happened.
//!
//! # Alternatives turned down
//!
//! - *A bit per worker*: no more than 63 workers. *A count and a search for a sleeper*: wakes in O(workers).
//! - *Taking oneself out of the stack again*, after the second look found work: a Treiber stack cannot remove from its
//!   middle. The announcer wakes the top of the stack instead, mostly itself, and parks: one path for all.
//! - *A count of lookers*: with at most one, a bit says the same.
//! - *Giving way before the announcement* while not looking: nobody can have the worker in that time, and others are woken in its place.
//!
//! Checked by: `e1_*` to `e6_*` in `loom_tests`.

use core::fmt;

use crossbeam_utils::CachePadded;

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Parker, Unparker, UnsafeCell};

const CLOSED: u64 = 1;
const LOOKING: u64 = 1 << 1;
const TOP_SHIFT: u32 = 2;
const TOP_BITS: u32 = 20;
const TOP: u64 = ((1 << TOP_BITS) - 1) << TOP_SHIFT;
const SPARE: u64 = 1 << (TOP_SHIFT + TOP_BITS);
const TAG: u64 = SPARE << 1;

/// What a parked worker is to do.
const SLEEP: u32 = 0;
const LOOK: u32 = 1;
const LEAVE: u32 = 2;

/// The word of [`Idle`], unpacked by its methods.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word(u64);

impl Word {
    fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    fn has_looker(self) -> bool {
        self.0 & LOOKING != 0
    }

    /// The worker on top, plus one; zero when nobody is parked.
    fn top(self) -> u32 {
        ((self.0 & TOP) >> TOP_SHIFT) as u32
    }

    /// Returns the word after a push or a pop, which leaves `top` with `below` it.
    fn with_top(self, top: u32, below: u32) -> Self {
        let spare = if below == 0 { 0 } else { SPARE };
        Self((self.0 & !(TOP | SPARE) | u64::from(top) << TOP_SHIFT | spare).wrapping_add(TAG))
    }

    fn with_looker(self, looker: bool) -> Self {
        Self(self.0 & !LOOKING | if looker { LOOKING } else { 0 })
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(word) = self;
        f.debug_struct("Word")
            .field("closed", &self.is_closed())
            .field("looking", &self.has_looker())
            .field("top", &self.top())
            .field("spare", &(word & SPARE != 0))
            .field("tag", &(word / TAG))
            .finish()
    }
}

/// A worker's place: its link in the stack, and how to end its sleep.
#[derive(Debug)]
struct Slot {
    /// The worker below in the stack, plus one. Written by the owner before its push.
    below: AtomicU32,
    /// `SLEEP` until the one who popped the worker says otherwise.
    state: AtomicU32,
    /// Written by the owner before its first push, read by who popped it.
    unparker: UnsafeCell<Option<Unparker>>,
}

/// The parked and the looking workers of one pool.
#[derive(Debug)]
pub struct Idle {
    word: CachePadded<AtomicU64>,
    /// How many without work are awake.
    awake: CachePadded<AtomicU32>,
    slots: Box<[CachePadded<Slot>]>,
}

// SAFETY: the unparker's cell is written once, by the slot's owner before its first push, and only read by those who pop
// the worker, which the word orders after the write [E-push].
unsafe impl Sync for Idle {}

/// A worker's seat: there is one for each slot, and it stays on the worker's thread. A worker parks with it, and has
/// it back when it wakes; when the pool is closed the seat is gone.
#[must_use = "a worker without its seat cannot park"]
#[derive(Debug)]
pub struct Seat {
    worker: u32,
    parker: Parker,
}

/// The duty of a looking worker: to leave that state, or to park out of it.
///
/// It cannot be copied, and whoever drops it silently stops every further wake-up.
#[must_use = "a looking worker leaves that state, or nobody is woken any more"]
#[derive(Debug)]
pub struct Looking(());

/// A worker that is in the stack of the parked, or was popped since. It must [`sleep`](Idle::sleep).
#[must_use = "the worker is announced as parked and must sleep"]
#[derive(Debug)]
pub struct Announced {
    seat: Seat,
}

/// Why a sleep ended.
#[must_use]
#[derive(Debug)]
pub enum Woken {
    /// There may be work.
    Look(Seat, Looking),
    /// The pool was closed.
    Closed,
}

impl Idle {
    /// The largest number of workers.
    pub const MAX_WORKERS: usize = (1 << TOP_BITS) - 2;

    /// Makes the places of `workers` running workers.
    pub fn new(workers: usize) -> Self {
        assert!(workers <= Self::MAX_WORKERS, "at most {} workers", Self::MAX_WORKERS);
        let slot = || Slot {
            below: AtomicU32::new(0),
            state: AtomicU32::new(SLEEP),
            unparker: UnsafeCell::new(None),
        };
        Self {
            word: CachePadded::new(AtomicU64::new(0)),
            awake: CachePadded::new(AtomicU32::new(0)),
            slots: (0..workers).map(|_| CachePadded::new(slot())).collect(),
        }
    }

    /// Takes the seat of `worker`, on that worker's thread.
    ///
    /// # Safety
    ///
    /// - Each worker's seat is taken once, and used with this `Idle` alone.
    pub unsafe fn seat(&self, worker: usize) -> Seat {
        let parker = Parker::new();
        let unparker = parker.unparker();
        self.slots[worker].unparker.with_mut(|slot| {
            // SAFETY: the worker was never pushed, so nobody else looks at its slot.
            unsafe { *slot = Some(unparker) };
        });
        Seat { worker: worker as u32, parker }
    }

    /// Tells whether somebody is parked, two for a caller who `leaves_one`, and nobody is looking, so that [`notify`](Self::notify) would wake.
    #[inline(always)]
    pub fn may_wake(&self, leaves_one: bool) -> bool {
        // ORDERING: Relaxed; a hint.
        let word = self.word.load(Ordering::Relaxed);
        word & LOOKING == 0 && word & if leaves_one { SPARE } else { TOP } != 0
    }

    /// Tells whether a worker without work is awake: it gives way, as the looking one or before its sleep. The answer may be old.
    pub fn has_awake(&self) -> bool {
        // ORDERING: Relaxed; a hint.
        self.awake.load(Ordering::Relaxed) > 0
    }

    /// Calls what a worker without work does while it is awake.
    pub fn awake<R>(&self, f: impl FnOnce() -> R) -> R {
        // ORDERING: Relaxed; a hint.
        self.awake.fetch_add(1, Ordering::Relaxed);
        let result = f();
        // ORDERING: Relaxed; as above.
        self.awake.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Tells whether all of several workers are there: none is parked, or was woken but for the caller, if it has that duty. The answer may be old.
    pub fn is_full(&self, has_duty: bool) -> bool {
        // ORDERING: Relaxed; a hint.
        let word = Word(self.word.load(Ordering::Relaxed));
        self.slots.len() > 1 && word.top() == 0 && (has_duty || !word.has_looker()) && !word.is_closed()
    }

    /// Wakes one parked worker to look for work, unless one is looking already or none is parked.
    ///
    /// The caller has made the work visible and then fenced: see [`injector`](crate::injector).
    pub fn notify(&self) {
        // ORDERING: Acquire; pairs with the push [E-push], as `below` is read next.
        let mut word = Word(self.word.load(Ordering::Acquire));
        while !word.has_looker() && word.top() != 0 {
            let slot = &self.slots[word.top() as usize - 1];
            // E6: what is below the new top goes into the word.
            let top = slot.below();
            let below = if top == 0 { 0 } else { self.slots[top as usize - 1].below() };
            let popped = word.with_top(top, below).with_looker(true);
            // ORDERING: Relaxed on success: the word we acquired is the word we replace. Acquire on failure, as for
            // the load [E-push].
            match self.word.compare_exchange_weak(word.0, popped.0, Ordering::Relaxed, Ordering::Acquire) {
                // E2: the pop took this worker, so its sleep is ours to end.
                Ok(_) => return slot.wake(LOOK),
                Err(now) => word = Word(now),
            }
        }
    }

    /// Makes a running worker the looking one, if there is none: nobody is woken from now on. `None` as well when the pool is
    /// closed.
    pub fn look(&self) -> Option<Looking> {
        // ORDERING: Relaxed; only compared.
        let mut word = Word(self.word.load(Ordering::Relaxed));
        while !word.has_looker() && !word.is_closed() {
            let looked = word.with_looker(true);
            // ORDERING: Relaxed; what the looker has to see it looks for after it has cleared the bit: [W-fence] of the `injector`.
            match self.word.compare_exchange_weak(word.0, looked.0, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(Looking(())),
                Err(now) => word = Word(now),
            }
        }
        None
    }

    /// Ends the state of looking, to work or to sit out. The caller then fences and looks again.
    pub fn leave(&self, looking: Looking) {
        let Looking(()) = looking;
        // ORDERING: Relaxed; what it must be ordered against is the caller's second look, by a fence: [W-fence] of the `injector`.
        let before = Word(self.word.fetch_and(!LOOKING, Ordering::Relaxed));
        debug_assert!(before.has_looker(), "E1: only the looking worker leaves");
    }

    /// Enters the stack of the parked, out of looking or running. The caller then fences, looks again, and sleeps.
    ///
    /// `None`: the pool is closed, and everything submitted before it was is visible.
    pub fn announce(&self, seat: Seat, looking: Option<Looking>) -> Option<Announced> {
        let slot = &self.slots[seat.worker as usize];
        // ORDERING: Relaxed; published by the push below [E-push].
        slot.state.store(SLEEP, Ordering::Relaxed);
        // ORDERING: Acquire; for a closed word [E-close].
        let mut word = Word(self.word.load(Ordering::Acquire));
        while !word.is_closed() {
            // ORDERING: Relaxed; published by the push below [E-push].
            slot.below.store(word.top(), Ordering::Relaxed);
            let mut pushed = word.with_top(seat.worker + 1, word.top());
            if looking.is_some() {
                debug_assert!(word.has_looker(), "E1: only the looking worker stops looking");
                pushed = pushed.with_looker(false);
            }
            // ORDERING: Release on success; pairs with the Acquire of who pops us [E-push]. Acquire on failure; for
            // a closed word [E-close].
            match self.word.compare_exchange_weak(word.0, pushed.0, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return Some(Announced { seat }),
                Err(now) => word = Word(now),
            }
        }
        // E1: a closed pool wakes nobody, so the bit of a looker may stay as it is.
        None
    }

    /// Tells whether the announced worker was popped, so that a sleep would end at once.
    pub fn is_popped(&self, announced: &Announced) -> bool {
        // ORDERING: Relaxed; a hint, and `sleep` looks itself.
        self.slots[announced.seat.worker as usize].state.load(Ordering::Relaxed) != SLEEP
    }

    /// Sleeps until the announced worker is popped.
    pub fn sleep(&self, announced: Announced) -> Woken {
        let Announced { seat } = announced;
        let slot = &self.slots[seat.worker as usize];
        loop {
            // ORDERING: Acquire; pairs with the Release in `Slot::wake` [E-wake].
            match slot.state.load(Ordering::Acquire) {
                // E5: the system takes us off the processor.
                SLEEP => seat.parker.park(),
                LOOK => return Woken::Look(seat, Looking(())),
                _ => return Woken::Closed,
            }
        }
    }

    /// Closes: nobody parks any more, and all who are parked are woken to leave.
    pub fn close(&self) {
        // ORDERING: Acquire; pairs with the pushes [E-push].
        let mut word = Word(self.word.load(Ordering::Acquire));
        loop {
            let closed = Word(word.with_top(0, 0).0 | CLOSED);
            // ORDERING: Release on success; pairs with the refused `announce` [E-close]. Acquire on failure, as for
            // the load.
            match self.word.compare_exchange_weak(word.0, closed.0, Ordering::Release, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => word = Word(now),
            }
        }
        // E3: the stack is ours, and no push succeeds any more.
        let mut top = word.top();
        while top != 0 {
            let slot = &self.slots[top as usize - 1];
            // Read before the wake-up, after which the slot is its owner's.
            top = slot.below();
            slot.wake(LEAVE);
        }
    }
}

impl Slot {
    /// Returns the worker below in the stack, plus one; zero if there is none.
    fn below(&self) -> u32 {
        // ORDERING: Relaxed; written before the push that the caller acquired. In `close` the stack is the caller's. In `notify` it is
        // rubbish if the worker was popped and pushed since, and then the tag fails the CAS (E4). A CAS that succeeds writes what depends
        // on this, and comes before the pop without which the owner writes no more.
        self.below.load(Ordering::Relaxed)
    }

    /// Ends the sleep of the worker whom the caller popped.
    fn wake(&self, state: u32) {
        // ORDERING: Release; pairs with the Acquire in `sleep` [E-wake].
        self.state.store(state, Ordering::Release);
        self.unparker.with(|unparker| {
            // SAFETY: the owner wrote the cell once, before its first push, which we acquired [E-push].
            let unparker = unsafe { &*unparker };
            if let Some(unparker) = unparker {
                unparker.unpark();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k5_who_gives_way_is_awake() {
        let idle = Idle::new(1);
        assert!(!idle.has_awake());
        idle.awake(|| {
            assert!(idle.has_awake(), "it gives way");
            idle.awake(|| ());
            assert!(idle.has_awake(), "one of two gives way");
        });
        assert!(!idle.has_awake(), "nobody does");
    }

    #[test]
    fn t7_a_pool_is_full_when_nobody_is_missing() {
        let idle = Idle::new(2);
        // SAFETY: each seat is taken once, on the one thread.
        let seat = unsafe { idle.seat(0) };
        let looking = idle.look().expect("nobody else looks");
        assert!(idle.is_full(true) && !idle.is_full(false), "but for one who was woken, perhaps");
        idle.leave(looking);
        assert!(idle.is_full(false));
        let announced = idle.announce(seat, None).expect("the pool is open");
        assert!(!idle.is_full(false), "one is parked");
        idle.notify();
        let Woken::Look(seat, looking) = idle.sleep(announced) else { unreachable!("the pool is open") };
        idle.leave(looking);
        assert!(idle.is_full(false));
        idle.close();
        assert!(!idle.is_full(false) && idle.announce(seat, None).is_none(), "it is closed");
        assert!(!Idle::new(1).is_full(false), "a sole worker never sits out");
    }
}
