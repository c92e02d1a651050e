//! Spawned closures: whatever becomes of the handle and of the pool, each runs once, and its result has one end.

use std::task::{Poll, Waker};
use std::time::Instant;

use proptest::collection::vec;
use proptests::watchdog::watch;
use zero_pool::JoinHandle;

use super::awaits::{Bell, block_on, poll};
use super::*;

/// What a closure does.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Return,
    Panic,
    /// Captures and returns more than a node has room for.
    ReturnMuch,
}

/// What becomes of a handle.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Dropped,
    DroppedAfterPolls,
    Joined,
    JoinedAfterPolls,
    JoinedInTime,
    JoinedElsewhere,
    WatchedAndJoined,
    Awaited,
    AwaitedElsewhere,
}

fn fates() -> impl Strategy<Value = Fate> {
    use Fate::*;
    prop::sample::select(vec![
        Dropped,
        DroppedAfterPolls,
        Joined,
        JoinedAfterPolls,
        JoinedInTime,
        JoinedElsewhere,
        WatchedAndJoined,
        Awaited,
        AwaitedElsewhere,
    ])
}

fn deeds() -> impl Strategy<Value = Deed> {
    prop::sample::select(vec![Deed::Return, Deed::Panic, Deed::ReturnMuch])
}

/// The number of a closure, in a result of any size.
type Numbered = Box<dyn Number>;

trait Number: Send {
    fn number(&self) -> usize;
}

impl<T: Send> Number for Entered<Arc<Ledger>, T> {
    fn number(&self) -> usize {
        self.number
    }
}

/// Lets a closure do its deed, and counts its runs.
fn start(
    pool: &ZeroPool,
    deed: Deed,
    number: usize,
    ledger: &Arc<Ledger>,
    runs: &Arc<Vec<AtomicUsize>>,
) -> JoinHandle<Numbered> {
    let (ledger, runs) = (Arc::clone(ledger), Arc::clone(runs));
    let run = move || {
        thread::yield_now();
        runs[number].fetch_add(1, Ordering::Relaxed);
    };
    match deed {
        Deed::Return => pool.spawn(move || {
            run();
            Box::new(ledger.enter_shared(number, ())) as Numbered
        }),
        Deed::Panic => pool.spawn(move || {
            run();
            resume_unwind(Box::new(ledger.enter_shared(number, ())))
        }),
        Deed::ReturnMuch => {
            let load = [number; 64];
            pool.spawn(move || {
                run();
                Box::new(ledger.enter_shared(number, load)) as Numbered
            })
        }
    }
}

fn assert_result(result: thread::Result<Numbered>, deed: Deed, number: usize) {
    match result {
        Ok(result) => assert!(result.number() == number && !matches!(deed, Deed::Panic)),
        Err(payload) => {
            let entered = payload.downcast_ref::<Entered<Arc<Ledger>>>().expect("the payload is whole");
            assert!(entered.number == number && matches!(deed, Deed::Panic));
        }
    }
}

/// Waits with a time limit, again and again.
fn join_in_time(mut handle: JoinHandle<Numbered>) -> thread::Result<Numbered> {
    const LIMIT: Duration = Duration::from_micros(100);
    loop {
        let start = Instant::now();
        match handle.join_timeout(LIMIT) {
            Ok(result) => return result,
            Err(again) => handle = again,
        }
        assert!(start.elapsed() >= LIMIT, "the time was not over");
    }
}

/// Polls twice, each time with another waker.
fn poll_twice(handle: &mut JoinHandle<Numbered>) -> Option<thread::Result<Numbered>> {
    for _ in 0..2 {
        if let Poll::Ready(result) = poll(handle, &Waker::from(Bell::new())) {
            return Some(result);
        }
    }
    None
}

fn meet(fate: Fate, mut handle: JoinHandle<Numbered>, deed: Deed, number: usize) {
    let result = match fate {
        Fate::Dropped => return drop(handle),
        Fate::DroppedAfterPolls => match poll_twice(&mut handle) {
            None => return,
            Some(result) => result,
        },
        Fate::JoinedAfterPolls => match poll_twice(&mut handle) {
            None => handle.join(),
            Some(result) => result,
        },
        Fate::Joined => handle.join(),
        Fate::JoinedInTime => join_in_time(handle),
        Fate::JoinedElsewhere => thread::spawn(|| handle.join()).join().expect("no panic"),
        Fate::WatchedAndJoined => {
            while !handle.is_finished() {
                thread::yield_now();
            }
            handle.join()
        }
        Fate::Awaited => block_on(handle),
        Fate::AwaitedElsewhere => {
            // The first wakers are of this thread, and must not be needed.
            let ready = poll_twice(&mut handle);
            ready.unwrap_or_else(|| thread::spawn(|| block_on(handle)).join().expect("no panic"))
        }
    };
    assert_result(result, deed, number);
}

proptest! {
    #![proptest_config(proptests::config!(800))]

    /// The handles meet their fates in order, and the pool goes before one of them. Results that were taken are whole, and
    /// in the end each was dropped once.
    #[test]
    fn j1_each_result_has_one_end(
        workers in workers(),
        closures in vec((deeds(), fates()), 0..25),
        pool_goes_before in 0..40_usize,
    ) {
        let _watchdog = watch("spawn::j1_each_result_has_one_end", DEADLINE);
        let ledger = Arc::new(Ledger::new(closures.len()));
        let runs: Arc<Vec<_>> = Arc::new(closures.iter().map(|_| AtomicUsize::new(0)).collect());
        let all_ran = || runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1);
        let mut pool = Some(ZeroPool::with_workers(workers));
        let spawn = |(number, &(deed, _))| start(pool.as_ref().expect("it is there"), deed, number, &ledger, &runs);
        let handles: Vec<_> = closures.iter().enumerate().map(spawn).collect();
        for ((number, handle), &(deed, fate)) in handles.into_iter().enumerate().zip(&closures) {
            if number == pool_goes_before {
                pool = None;
                prop_assert!(all_ran(), "P7: {:?}", runs);
            }
            meet(fate, handle, deed, number);
        }
        drop(pool);
        prop_assert!(all_ran(), "P7: {:?}", runs);
        for (number, (_, fate)) in closures.into_iter().enumerate() {
            prop_assert_eq!(ledger.made_and_dropped(number), 1, "J1: {:?}", fate);
        }
    }

    /// Closures that spawn and wait in turn, on few workers; what they wait with runs what it waits for.
    #[test]
    fn j1_closures_join_what_they_spawn(workers in 1..=4_usize, depth in 0..7_u32, from_threads in 1..4_usize) {
        fn count(pool: &Arc<ZeroPool>, depth: u32) -> usize {
            if depth == 0 {
                return 1;
            }
            let below = || {
                let own = Arc::clone(pool);
                pool.spawn(move || count(&own, depth - 1))
            };
            let handles = [below(), below()];
            handles.into_iter().map(|handle| handle.join().expect("no panic")).sum()
        }
        let _watchdog = watch("spawn::j1_closures_join_what_they_spawn", DEADLINE);
        let pool = Arc::new(ZeroPool::with_workers(workers));
        thread::scope(|threads| {
            for _ in 0..from_threads {
                threads.spawn(|| assert_eq!(count(&pool, depth), 1 << depth));
            }
        });
    }
}

/// It leaks a result, and neither runs nor drops one twice.
#[test]
fn j1_forgotten_handles_keep_their_results() {
    let _watchdog = watch("spawn::j1_forgotten_handles_keep_their_results", DEADLINE);
    let ledger = Arc::new(Ledger::new(100));
    let pool = ZeroPool::with_workers(2);
    for number in 0..100 {
        let ledger = Arc::clone(&ledger);
        std::mem::forget(pool.spawn(move || ledger.enter_shared(number, ())));
    }
    drop(pool);
    let counts =
        |[made, dropped]: &[AtomicUsize; 2]| (made.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed));
    assert!(ledger.0.iter().map(counts).all(|counts| counts == (1, 0)), "{ledger:?}");
}
