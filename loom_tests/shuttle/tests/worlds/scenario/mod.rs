//! Scenarios: what the threads of one world do, as a tree that can be generated, printed, read again and shrunk.
//!
//! ```text
//! 3 late | submit (. ! .) clone; scope ([each (. .)] .) | spawn [join (. !)] await; locked each (. .)
//! ```
//!
//! This is a pool of three workers with two producers, who do their steps one after another. A step hands tasks to the pool,
//! and says what becomes of its handle. A task in turn has a body:
//!
//! | body | the task |
//! |---|---|
//! | `.` | does nothing but take notes |
//! | `!` | panics |
//! | `l` | takes the world's lock and gives it back |
//! | `[step; step]` | does these steps |
//! | `[step; step]!` | does these steps, and then panics |
//!
//! | step | calls | ends |
//! |---|---|---|
//! | `submit (BODIES) END` | `submit_batch_uniform` | `wait`, `drop`, `detach`, `timeout`, `clone`: another thread waits as well, `outlive` |
//! | `spawn BODY END` | `spawn` | `wait`, `drop`, `timeout`, `poll`: once, then drop, `await`, `outlive`, `outlive-await` |
//! | `each (BODIES)`, `map (BODIES)` | `for_each_index`, `map` | |
//! | `join (BODY BODY)`, `scope (BODIES)` | the same | |
//! | `locked STEP` | the step, with the world's lock held | |
//!
//! What *outlives* is waited for after its producer has given up its share of the pool. `late` says that the main thread
//! keeps the pool until all is quiet, `early` that the last of producers and spawned closures drops it.
//!
//! # What a scenario may not ask for
//!
//! A wait that no other thread is bound to end is a deadlock in any pool. So `await` and what outlives are for producers
//! alone, and under the lock there are only tasks that do not take it. The generator keeps to this.

pub mod generate;
mod text;

/// What the threads of a world do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// How many workers the pool has.
    pub workers: usize,
    /// Whether the main thread keeps the pool until all is quiet.
    pub late: bool,
    /// The steps of each producer.
    pub producers: Vec<Vec<Step>>,
}

/// Something that hands tasks to the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Submits a batch.
    Submit(Vec<Body>, End),
    /// Spawns a closure.
    Spawn(Body, End),
    /// Loops over indexes.
    Each(Vec<Body>),
    /// Loops over a slice, for results.
    Map(Vec<Body>),
    /// Runs two closures at once.
    Join([Body; 2]),
    /// Spawns closures that borrow.
    Scope(Vec<Body>),
    /// Does a step with the world's lock held.
    Locked(Box<Step>),
}

/// What becomes of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Waited for.
    Wait,
    /// Dropped.
    Drop,
    /// Dropped without a wait.
    Detach,
    /// Waited for, first with a timeout.
    Timeout,
    /// Waited for on two threads.
    Clone,
    /// Polled once and dropped.
    Poll,
    /// Awaited by a waker.
    Await,
    /// Waited for without a share of the pool.
    Outlive,
    /// Awaited without a share of the pool.
    OutliveAwait,
}

/// What a task does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Its number in the world, once [`Scenario::number`] gave it one.
    pub id: usize,
    /// Whether it takes the lock.
    pub locks: bool,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Whether it panics in the end.
    pub panics: bool,
}

impl Step {
    /// Returns the bodies of the step's own tasks.
    pub fn bodies(&self) -> &[Body] {
        match self {
            Self::Submit(bodies, _) | Self::Each(bodies) | Self::Map(bodies) | Self::Scope(bodies) => bodies,
            Self::Join(bodies) => bodies,
            Self::Spawn(body, _) => std::slice::from_ref(body),
            Self::Locked(step) => step.bodies(),
        }
    }

    fn bodies_mut(&mut self) -> &mut [Body] {
        match self {
            Self::Submit(bodies, _) | Self::Each(bodies) | Self::Map(bodies) | Self::Scope(bodies) => bodies,
            Self::Join(bodies) => bodies,
            Self::Spawn(body, _) => std::slice::from_mut(body),
            Self::Locked(step) => step.bodies_mut(),
        }
    }
}

impl Scenario {
    /// Numbers the tasks, those of one step in a row; returns how many there are.
    pub fn number(&mut self) -> usize {
        let mut next = 0;
        for steps in &mut self.producers {
            number(steps, &mut next);
        }
        next
    }
}

fn number(steps: &mut [Step], next: &mut usize) {
    for step in steps {
        let bodies = step.bodies_mut();
        for body in &mut *bodies {
            body.id = *next;
            *next += 1;
        }
        for body in bodies {
            number(&mut body.steps, next);
        }
    }
}
