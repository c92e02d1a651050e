fn main() {
    let start = std::time::Instant::now();
    let mut config = shuttle::Config::new();
    config.silence_warnings = true;
    config.stack_size = 256 * 1024;
    let n = 2000;
    let runner = shuttle::Runner::new(shuttle::scheduler::RandomScheduler::new_from_seed(1, n), config);
    let steps = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let s2 = steps.clone();
    runner.run(move || {
        let pool = zero_pool_shuttle::ZeroPool::with_workers(3);
        let a = pool.spawn(|| 1);
        let b = pool.spawn(|| 2);
        pool.for_each_index(0..3, |_| {});
        drop(pool);
        assert_eq!(a.join().unwrap() + b.join().unwrap(), 3);
        s2.fetch_add(shuttle::current::context_switches(), std::sync::atomic::Ordering::Relaxed);
    });
    println!("{n} schedules {:?} steps {}", start.elapsed(), steps.load(std::sync::atomic::Ordering::Relaxed) / n);
}
