//! Two clocks: time on the wall, and the processor time of all threads of this process.
//!
//! A pool that spins looks good on the wall as long as nobody else wants the core. Processor time shows what it takes.

use std::time::{Duration, Instant};

/// What an interval took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// The time on the wall.
    pub wall: Duration,
    /// The processor time of all threads; zero where the system does not tell.
    pub cpu: Duration,
}

/// Runs `body` and tells what it took. The processor's clock is a system call, so it is read outside of the wall's.
pub fn took(body: impl FnOnce()) -> Took {
    let before = cpu();
    let start = Instant::now();
    body();
    let wall = start.elapsed();
    Took { wall, cpu: cpu().saturating_sub(before) }
}

/// Returns the processor time that the threads of this process have used.
#[cfg(unix)]
pub fn cpu() -> Duration {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Returns the processor time that the other threads of this process have used.
#[cfg(unix)]
pub fn cpu_of_others() -> Duration {
    let own = read(libc::CLOCK_THREAD_CPUTIME_ID);
    cpu().saturating_sub(own)
}

#[cfg(unix)]
fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both clocks exist on every Unix, and the pointer is that of a local.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if failed != 0 {
        return Duration::ZERO;
    }
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Returns zero: this system is not asked.
#[cfg(not(unix))]
pub fn cpu() -> Duration {
    Duration::ZERO
}

/// Returns zero: this system is not asked.
#[cfg(not(unix))]
pub fn cpu_of_others() -> Duration {
    Duration::ZERO
}
