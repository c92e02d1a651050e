//! Who takes the next step: schedulers whose whole choice follows from a short name.
//!
//! A schedule is random, and yet its name says it all: `random-5e1f` or `pct-412-5e1f` is one schedule of one program. The
//! name is what a failure prints and what replays it, instead of a list of a thousand steps.
//!
//! | name | who is next |
//! |---|---|
//! | `random-SEED` | anybody, or the same thread again with a chance that the seed decides |
//! | `pct-STEPS-SEED` | the thread of the highest priority; at a few of the first STEPS steps it becomes the lowest (Burckhardt et al., *A randomized scheduler with probabilistic guarantees of finding bugs*, ASPLOS 2010) |
//! | either, with `@K` behind it | as before, but the victim of a [stall test](crate::stall) stops for good before its Kth step |
//!
//! Three things are said by the program and not by chance:
//!
//! - A thread that calls [`quiesce`] is not chosen before nobody else can take a step. So it looks at a state in which
//!   everybody has ended or waits.
//! - A thread that called [`arm`] is the victim of a stall test.
//! - A parked thread may wake for no reason. shuttle offers it at every step, which would leave nothing but such wake-ups;
//!   here one in [`RARE`] steps is one.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

/// One in so many steps wakes a parked thread for no reason, if there is one.
const RARE: u64 = 32;

/// So many steps of the others, with the victim stopped, are taken for a loop without end. A plain run has some hundreds.
const ENDLESS: u32 = 20_000;

/// A sequence of numbers that looks random (SplitMix64).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Begins the sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// The name of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// Of PCT: among how many steps the changes of priority are.
    pub steps: Option<u32>,
    /// Decides everything else.
    pub seed: u64,
    /// Before which step the victim stops.
    pub stop: Option<u32>,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.steps {
            None => write!(f, "random-{:x}", self.seed)?,
            Some(steps) => write!(f, "pct-{steps}-{:x}", self.seed)?,
        }
        self.stop.map_or(Ok(()), |stop| write!(f, "@{stop}"))
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (name, stop) = match text.split_once('@') {
                Some((name, stop)) => (name, Some(stop.parse().ok()?)),
                None => (text, None),
            };
            let mut parts = name.split('-');
            let steps = match parts.next()? {
                "random" => None,
                "pct" => Some(parts.next()?.parse().ok()?),
                _ => return None,
            };
            let seed = u64::from_str_radix(parts.next()?, 16).ok()?;
            parts.next().is_none().then_some(Self { steps, seed, stop })
        };
        read().ok_or_else(|| {
            format!("{text:?} is no schedule; one is called `random-5e1f` or `pct-412-5e1f@7`")
        })
    }
}

/// What has become of the victim of a stall test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// There is none, or it did not get as far as its last step.
    Running,
    /// It is on its way, with so many steps left.
    Armed(TaskId, u32),
    /// It stands, and the others have taken so many steps since.
    Stopped(TaskId, u32),
    /// The others could not end without it: they waited, or they took steps without end.
    Missed(&'static str),
}

thread_local! {
    /// The schedule that runs on this thread of the system.
    static NAME: Cell<Option<Name>> = const { Cell::new(None) };
    static OBSERVER: Cell<Option<TaskId>> = const { Cell::new(None) };
    static VICTIM: Cell<Victim> = const { Cell::new(Victim::Running) };
    /// The steps of the longest schedule of this run.
    static LONGEST: Cell<u32> = const { Cell::new(1) };
    /// The steps of all schedules of this run.
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Returns how many steps the schedules of this thread took, all of them and the longest.
pub fn steps() -> (u64, u32) {
    (STEPS.get(), LONGEST.get())
}

/// Returns when nobody else can take a step: all others have ended or wait.
pub fn quiesce() {
    OBSERVER.set(Some(shuttle::current::me()));
    shuttle::thread::yield_now();
    assert_eq!(OBSERVER.get(), None, "the observer was chosen too early");
}

/// Makes the current thread the victim, which stops before the step that the schedule's name says, counted from here.
pub fn arm() {
    if let Some(stop) = NAME.get().and_then(|name| name.stop) {
        VICTIM.set(Victim::Armed(shuttle::current::me(), stop));
    }
}

/// The victim is through with what was to be interrupted.
pub fn disarm() {
    if let Victim::Armed(..) = VICTIM.get() {
        VICTIM.set(Victim::Running);
    }
}

/// Lets the victim go on; returns what had become of it.
pub fn release_victim() -> Victim {
    VICTIM.replace(Victim::Running)
}

/// Runs the schedules that `names` yields; it is told the steps of the longest one so far.
pub struct Dealer<F> {
    names: F,
    numbers: Numbers,
    /// For shuttle's own random numbers, so that they do not depend on the steps.
    data: Numbers,
    how: How,
    steps: u32,
    ready: Vec<TaskId>,
    parked: Vec<TaskId>,
}

enum How {
    /// The chance, in eighths, that a thread goes on.
    Random(u64),
    Pct {
        /// By thread; the highest is next.
        priorities: Vec<u64>,
        /// Before which steps the current thread becomes the lowest.
        changes: Vec<u32>,
        /// The next lowest priority.
        lowest: u64,
    },
}

impl How {
    fn of(name: Name, numbers: &mut Numbers) -> Self {
        match name.steps {
            None => Self::Random([0, 4, 6, 7][numbers.below(4) as usize]),
            Some(steps) => Self::Pct {
                priorities: Vec::new(),
                changes: (0..numbers.below(5)).map(|_| numbers.below(steps.into()) as u32).collect(),
                lowest: 1 << 32,
            },
        }
    }

    fn choose(
        &mut self,
        ready: &[TaskId],
        current: Option<TaskId>,
        yields: bool,
        step: u32,
        numbers: &mut Numbers,
    ) -> TaskId {
        match self {
            Self::Random(stay) => match current {
                Some(current) if !yields && ready.contains(&current) && numbers.below(8) < *stay => current,
                _ => ready[numbers.below(ready.len() as u64) as usize],
            },
            Self::Pct { priorities, changes, lowest } => {
                let last = ready.iter().copied().chain(current).map(usize::from).max().unwrap_or(0);
                while priorities.len() <= last {
                    priorities.push(numbers.next() | 1 << 33);
                }
                if let Some(current) = current
                    && (yields || changes.contains(&step))
                {
                    *lowest -= 1;
                    priorities[usize::from(current)] = *lowest;
                }
                *ready
                    .iter()
                    .max_by_key(|thread| priorities[usize::from(**thread)])
                    .expect("somebody is ready")
            }
        }
    }
}

impl<F: FnMut(u32) -> Option<Name>> Dealer<F> {
    /// Makes the scheduler of a run.
    pub fn new(names: F) -> Self {
        LONGEST.set(1);
        Self {
            names,
            numbers: Numbers::new(0),
            data: Numbers::new(0),
            how: How::Random(0),
            steps: 0,
            ready: Vec::new(),
            parked: Vec::new(),
        }
    }

    /// Sorts the threads that shuttle offers.
    fn sort(&mut self, offered: &[&Task]) {
        let stopped = match VICTIM.get() {
            Victim::Stopped(victim, _) => Some(victim),
            _ => None,
        };
        let hidden = [OBSERVER.get(), stopped];
        self.ready.clear();
        self.parked.clear();
        for task in offered.iter().filter(|task| !hidden.contains(&Some(task.id()))) {
            if task.runnable() { &mut self.ready } else { &mut self.parked }.push(task.id());
        }
    }

    /// Chooses among the sorted threads; `None` if nobody is ready.
    fn choose(&mut self, current: Option<TaskId>, yields: bool) -> Option<TaskId> {
        if self.ready.is_empty() {
            return None;
        }
        if !self.parked.is_empty() && self.numbers.below(RARE) == 0 {
            return Some(self.parked[self.numbers.below(self.parked.len() as u64) as usize]);
        }
        if let Victim::Missed(_) = VICTIM.get() {
            // Whoever takes steps without end may be the one that always goes first.
            return Some(self.ready[self.numbers.below(self.ready.len() as u64) as usize]);
        }
        Some(self.how.choose(&self.ready, current, yields, self.steps, &mut self.numbers))
    }
}

/// Counts a step of `chosen`; tells whether the victim is to stop instead of it.
fn stops(chosen: TaskId) -> bool {
    match VICTIM.get() {
        Victim::Armed(victim, 0) if victim == chosen => VICTIM.set(Victim::Stopped(victim, 0)),
        Victim::Armed(victim, left) if victim == chosen => VICTIM.set(Victim::Armed(victim, left - 1)),
        Victim::Stopped(_, ENDLESS) => VICTIM.set(Victim::Missed("the others take steps without end")),
        Victim::Stopped(victim, steps) => VICTIM.set(Victim::Stopped(victim, steps + 1)),
        Victim::Armed(..) | Victim::Running | Victim::Missed(_) => {}
    }
    matches!(VICTIM.get(), Victim::Stopped(victim, _) if victim == chosen)
}

impl<F: FnMut(u32) -> Option<Name>> Scheduler for Dealer<F> {
    fn new_execution(&mut self) -> Option<Schedule> {
        let name = (self.names)(LONGEST.get());
        NAME.set(name);
        let name = name?;
        OBSERVER.set(None);
        VICTIM.set(Victim::Running);
        self.numbers = Numbers::new(name.seed);
        self.data = Numbers::new(self.numbers.next());
        self.how = How::of(name, &mut self.numbers);
        self.steps = 0;
        Some(Schedule::new(name.seed))
    }

    fn next_task(&mut self, offered: &[&Task], current: Option<TaskId>, yields: bool) -> Option<TaskId> {
        self.steps += 1;
        STEPS.set(STEPS.get() + 1);
        LONGEST.set(LONGEST.get().max(self.steps));
        loop {
            self.sort(offered);
            if let Some(chosen) = self.choose(current, yields) {
                if !stops(chosen) {
                    return Some(chosen);
                }
            } else if let Victim::Stopped(..) = VICTIM.get() {
                VICTIM.set(Victim::Missed("the others wait for it"));
            } else {
                // Nobody else: shuttle offers nothing unless somebody is ready.
                return OBSERVER.take();
            }
        }
    }

    fn next_u64(&mut self) -> u64 {
        self.data.next()
    }
}

impl<F> fmt::Debug for Dealer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dealer").field("name", &NAME.get()).finish_non_exhaustive()
    }
}
