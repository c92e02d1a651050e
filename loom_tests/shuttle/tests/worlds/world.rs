//! One execution of a scenario, and what must be true of it.
//!
//! | checked | when |
//! |---|---|
//! | B1 each task runs once; R4 on no pinned thread | a task begins |
//! | P4, S2, S3 whoever waits finds its tasks ended, and none of them runs afterwards | a wait returns, a task begins |
//! | B5, J1 a panic reaches one waiter, whole, and a result its owner; none is lost, none is given out twice | a wait returns, the end |
//! | P7 all accepted tasks have ended | the pool's drop returns on a thread outside of its tasks |
//! | W1 at rest, with the pool still open, all accepted tasks have ended and all producers are through | the main thread looks, in a `late` world |
//!
//! The rest is for shuttle and the oracle of the reclaimer: a deadlock, a touch of a dead node, a node that is left over.
//! The notes that tasks take are of `std`, so that they are no steps; where a task is to be interrupted, it takes a step on
//! purpose.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zero_pool_shuttle::reclaim::assert_unpinned;
use zero_pool_shuttle::{JoinHandle, TaskFuture, ZeroPool};

use crate::awaiting;
use crate::scenario::{Body, End, Scenario, Step};
use crate::scheduler::quiesce;

/// What a panic throws and a closure returns: something that must reach somebody or be dropped.
pub struct Parcel {
    id: usize,
    world: &'static World,
}

impl Parcel {
    fn new(id: usize, world: &'static World) -> Self {
        world.parcels.fetch_add(1, Ordering::Relaxed);
        Self { id, world }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        // While somebody unwinds, a second panic would end the process.
        if !std::thread::panicking() {
            assert_unpinned();
        }
        self.world.parcels.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A task and its notes.
struct Task {
    body: Body,
    runs: shuttle::sync::atomic::AtomicUsize,
    ended: AtomicBool,
    /// Somebody has waited for it, so that what it borrows may be gone.
    over: AtomicBool,
    /// Its share of the pool, if it has steps to do.
    pool: Mutex<Option<Arc<ZeroPool>>>,
}

/// What the threads of one execution share.
pub struct World {
    producers: Vec<Vec<Step>>,
    tasks: Vec<Task>,
    lock: shuttle::sync::Mutex<()>,
    accepted: AtomicUsize,
    ended: AtomicUsize,
    /// Producers that are through.
    through: AtomicUsize,
    parcels: AtomicUsize,
}

/// A handle that outlives its producer's share of the pool.
enum Kept {
    Future(&'static [Task], TaskFuture<'static>),
    Handle(&'static Task, JoinHandle<Parcel>),
    Awaited(&'static Task, JoinHandle<Parcel>),
}

type Caught<T> = Result<T, Box<dyn Any + Send>>;

fn catch<T>(foreign: impl FnOnce() -> T) -> Caught<T> {
    catch_unwind(AssertUnwindSafe(foreign))
}

/// Runs a scenario once, as the main thread of an execution.
pub fn run(scenario: &Scenario) {
    // What a failed execution leaves behind may still point here, so the world goes only after a good end.
    let leaked: *mut World = Box::into_raw(Box::new(World::new(scenario.clone())));
    // SAFETY: just made, and freed below, when all other threads have ended.
    let world: &'static World = unsafe { &*leaked };
    let pool = Arc::new(ZeroPool::with_workers(scenario.workers));
    let start = |steps: &'static Vec<Step>| {
        let pool = Arc::clone(&pool);
        shuttle::thread::spawn(move || world.produce(pool, steps))
    };
    let threads: Vec<_> = world.producers.iter().map(start).collect();
    if scenario.late {
        quiesce();
        let through = world.through.load(Ordering::Relaxed);
        assert_eq!(through, threads.len(), "W1: at rest, a producer waits");
        assert_eq!(world.unfinished(), 0, "W1: at rest, accepted tasks have not run");
    }
    world.give_up(pool, false);
    threads.into_iter().for_each(|thread| thread.join().expect("the producer ends"));
    // Workers of a pool that was dropped by a task end by themselves.
    quiesce();
    world.conclude();
    // SAFETY: made by the box above; producers and tasks have ended, and workers have nothing more to run.
    drop(unsafe { Box::from_raw(leaked) });
}

impl World {
    fn new(mut scenario: Scenario) -> Self {
        let mut tasks: Vec<Option<Body>> = vec![None; scenario.number()];
        scenario.producers.iter().for_each(|steps| collect(steps, &mut tasks));
        let task = |body: Option<Body>| Task {
            body: body.expect("numbered in a row"),
            runs: shuttle::sync::atomic::AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            over: AtomicBool::new(false),
            pool: Mutex::new(None),
        };
        Self {
            producers: scenario.producers,
            tasks: tasks.into_iter().map(task).collect(),
            lock: shuttle::sync::Mutex::new(()),
            accepted: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            through: AtomicUsize::new(0),
            parcels: AtomicUsize::new(0),
        }
    }

    /// The life of a producer.
    fn produce(&'static self, pool: Arc<ZeroPool>, steps: &'static [Step]) {
        let mut kept = Vec::new();
        self.steps(&pool, steps, &mut kept);
        self.give_up(pool, false);
        for kept in kept {
            match kept {
                Kept::Future(tasks, future) => self.judge(tasks, catch(|| future.wait())),
                Kept::Handle(task, handle) => self.receive(task, handle.join()),
                Kept::Awaited(task, handle) => self.receive(task, awaiting::block_on(handle)),
            }
        }
        self.through.fetch_add(1, Ordering::Relaxed);
    }

    fn unfinished(&self) -> usize {
        self.accepted.load(Ordering::Relaxed) - self.ended.load(Ordering::Relaxed)
    }

    /// Gives a share of the pool up, which may be the last.
    fn give_up(&self, pool: Arc<ZeroPool>, inside: bool) {
        if let Some(pool) = Arc::into_inner(pool) {
            drop(pool);
            // Nobody else can submit any more, and only a task's own drop returns early.
            assert!(
                inside || self.unfinished() == 0,
                "P7: the pool is gone, and accepted tasks have not run"
            );
        }
    }

    /// The end: everybody else has ended or, as a worker, is about to.
    fn conclude(&self) {
        for task in &self.tasks {
            let id = task.body.id;
            assert_eq!(task.runs.load(Ordering::Relaxed), 1, "B1: task {id} ran not once");
            assert!(task.ended.load(Ordering::Relaxed), "P7: task {id} has not ended");
        }
        let parcels = self.parcels.load(Ordering::Relaxed);
        assert_eq!(parcels, 0, "J1: results and payloads are left over");
    }

    /// Runs a task.
    fn run(&'static self, task: &Task) -> Parcel {
        assert_unpinned();
        let id = task.body.id;
        let pool = task.pool.lock().unwrap_or_else(PoisonError::into_inner).take();
        let before = task.runs.fetch_add(1, Ordering::Relaxed);
        assert_eq!(before, 0, "B1: task {id} runs again");
        assert!(!task.over.load(Ordering::Relaxed), "P4: task {id} runs after the wait for it has returned");
        if task.body.locks {
            let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            task.runs.load(Ordering::Relaxed);
            drop(guard);
        }
        if let Some(pool) = pool {
            let steps: *const [Step] = &raw const *task.body.steps;
            // SAFETY: the tasks live as long as the world, which is `'static` here.
            self.steps(&pool, unsafe { &*steps }, &mut Vec::new());
            self.give_up(pool, true);
        }
        let over = task.over.load(Ordering::Relaxed);
        assert!(!over, "P4: task {id} still runs after the wait for it has returned");
        task.ended.store(true, Ordering::Relaxed);
        self.ended.fetch_add(1, Ordering::Relaxed);
        if task.body.panics {
            resume_unwind(Box::new(Parcel::new(id, self)));
        }
        Parcel::new(id, self)
    }

    fn steps(&'static self, pool: &Arc<ZeroPool>, steps: &'static [Step], kept: &mut Vec<Kept>) {
        steps.iter().for_each(|step| self.step(pool, step, kept));
    }

    /// Hands the tasks of a step over.
    fn accept(&'static self, pool: &Arc<ZeroPool>, bodies: &[Body]) -> &'static [Task] {
        let first = bodies[0].id;
        let tasks = &self.tasks[first..first + bodies.len()];
        for task in tasks.iter().filter(|task| !task.body.steps.is_empty()) {
            *task.pool.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(pool));
        }
        self.accepted.fetch_add(tasks.len(), Ordering::Relaxed);
        tasks
    }

    fn step(&'static self, pool: &Arc<ZeroPool>, step: &'static Step, kept: &mut Vec<Kept>) {
        if let Step::Locked(step) = step {
            let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.step(pool, step, kept);
            return drop(guard);
        }
        let tasks = self.accept(pool, step.bodies());
        match step {
            Step::Submit(_, end) => self.submit(pool, tasks, *end, kept),
            Step::Spawn(_, end) => self.spawn(pool, &tasks[0], *end, kept),
            Step::Each(_) => {
                let each = || pool.for_each_index(0..tasks.len(), |index| drop(self.run(&tasks[index])));
                self.judge(tasks, catch(each));
            }
            Step::Map(_) => {
                let results = catch(|| pool.map(tasks, |task| self.run(task)));
                let in_order = |results: &Vec<Parcel>| {
                    results.iter().zip(tasks).all(|(result, task)| result.id == task.body.id)
                };
                assert!(results.as_ref().map_or(true, in_order), "S1: results are out of order");
                self.judge(tasks, results.map(drop));
            }
            Step::Join(_) => {
                let results = catch(|| pool.join(|| self.run(&tasks[0]), || self.run(&tasks[1])));
                if let Ok((a, b)) = &results {
                    assert_eq!((a.id, b.id), (tasks[0].body.id, tasks[1].body.id), "S2: results are swapped");
                }
                self.judge(tasks, results.map(drop));
            }
            Step::Scope(_) => self.judge(tasks, catch(|| self.scope(pool, tasks))),
            Step::Locked(_) => unreachable!("done above"),
        }
    }

    /// Spawns the tasks in a scope, and each second one in the task before it.
    fn scope(&'static self, pool: &ZeroPool, tasks: &'static [Task]) {
        pool.scope(|scope| {
            for pair in tasks.chunks(2) {
                scope.spawn(move || {
                    if let Some(second) = pair.get(1) {
                        scope.spawn(move || drop(self.run(second)));
                    }
                    drop(self.run(&pair[0]));
                });
            }
        });
    }

    fn submit(&'static self, pool: &ZeroPool, tasks: &'static [Task], end: End, kept: &mut Vec<Kept>) {
        let future = pool.submit_batch_uniform(move |task: &Task| drop(self.run(task)), tasks);
        match end {
            End::Drop => {
                drop(future);
                self.over(tasks);
            }
            End::Detach => future.detach(),
            End::Outlive => kept.push(Kept::Future(tasks, future)),
            End::Clone => {
                let other = future.clone();
                let theirs = shuttle::thread::spawn(move || catch(|| other.wait()));
                let ours = catch(|| future.wait());
                self.over(tasks);
                let theirs = theirs.join().expect("the waiter ends");
                let panics = tasks.iter().any(|task| task.body.panics);
                match (ours, theirs) {
                    (Ok(()), Ok(())) => assert!(!panics, "B5: a panic reached nobody"),
                    (Err(one), Err(other)) => {
                        let (one, other) = if one.is::<Parcel>() { (one, other) } else { (other, one) };
                        self.judge(tasks, Err(one));
                        assert!(!other.is::<Parcel>(), "B5: two waiters have a payload");
                    }
                    _ => panic!("B5: one of two waiters was told of a panic"),
                }
            }
            _ => {
                if end == End::Timeout && future.wait_timeout(Duration::from_millis(1)) {
                    self.over(tasks);
                }
                self.judge(tasks, catch(|| future.wait()));
            }
        }
    }

    fn spawn(&'static self, pool: &ZeroPool, task: &'static Task, end: End, kept: &mut Vec<Kept>) {
        let handle = pool.spawn(move || self.run(task));
        match end {
            End::Drop => drop(handle),
            End::Outlive => kept.push(Kept::Handle(task, handle)),
            End::OutliveAwait => kept.push(Kept::Awaited(task, handle)),
            End::Await => self.receive(task, awaiting::block_on(handle)),
            End::Poll => {
                if let Some(result) = awaiting::poll_once(handle) {
                    self.receive(task, result);
                }
            }
            End::Timeout => match handle.join_timeout(Duration::from_millis(1)) {
                Ok(result) => self.receive(task, result),
                Err(handle) => self.receive(task, handle.join()),
            },
            _ => self.receive(task, handle.join()),
        }
    }

    /// A wait for these tasks has returned.
    fn over(&self, tasks: &[Task]) {
        for task in tasks {
            assert!(task.ended.load(Ordering::Relaxed), "P4: task {} has not ended", task.body.id);
            task.over.store(true, Ordering::Relaxed);
        }
    }

    /// A wait for these tasks has returned, or thrown.
    fn judge(&self, tasks: &[Task], result: Caught<()>) {
        self.over(tasks);
        let thrown = result.err().map(|payload| {
            payload.downcast_ref::<Parcel>().expect("B5: the waiter has the payload, whole").id
        });
        let panics = |id| tasks.iter().any(|task| task.body.panics && id == Some(task.body.id));
        let expected = match thrown {
            None => !tasks.iter().any(|task| task.body.panics),
            thrown => panics(thrown),
        };
        assert!(expected, "B5: the waiter was thrown {thrown:?}");
    }

    /// The result of a spawned task has come.
    fn receive(&self, task: &Task, result: Caught<Parcel>) {
        self.over(std::slice::from_ref(task));
        let ours = |parcel: &Parcel| parcel.id == task.body.id;
        match result {
            Ok(parcel) => assert!(!task.body.panics && ours(&parcel), "J1: a result is not its task's"),
            Err(payload) => {
                let parcel = payload.downcast_ref::<Parcel>().expect("J1: the payload arrives whole");
                assert!(task.body.panics && ours(parcel), "J1: a panic is not its task's");
            }
        }
    }
}

/// Puts each body in the place of its number.
fn collect(steps: &[Step], tasks: &mut [Option<Body>]) {
    for body in steps.iter().flat_map(Step::bodies) {
        tasks[body.id] = Some(body.clone());
        collect(&body.steps, tasks);
    }
}
