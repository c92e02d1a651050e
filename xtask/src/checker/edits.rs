//! What the repaired checker does differently from loom 0.7.3: three repairs, as a table of edits.
//!
//! 1. **Every thread's last load counts.** loom finds the schedules that it has yet to run by what an access *depends* on: it
//!    goes back to the last access on which this one depends, and lets the other thread run first. It keeps the
//!    last access alone, so that a thread that loads and later writes hides, by its own load, the loads of others
//!    (loom #392, #166). Here a write depends on the last write and on the last load of each thread, and a load
//!    on the last write.
//! 2. **A `SeqCst` fence is a step.** As published, a fence happens at once with the access before it, so that nobody ever sees
//!    that access before the fence. Here it is a point of its own, which depends on every other such fence. (Other
//!    fences touch only what their own thread knows, so for them the moment does not matter.)
//! 3. **An acquire fence acquires what its own thread has read.** As published, it acquires what any thread has read that happens
//!    before it.
//!
//! The litmus programs pin all three; the random programs of `loom_tests` find none of their outcomes missing.

/// The loom that the edits are for.
pub const VERSION: &str = "0.7.3";

/// One edit.
#[derive(Debug)]
pub struct Edit {
    /// What it is for, in a few words.
    pub why: &'static str,
    /// The file, by its path inside of loom.
    pub file: &'static str,
    /// Words that stand in the file once.
    pub anchor: &'static str,
    pub put: Put,
}

/// What is written, and where.
#[derive(Debug)]
pub enum Put {
    Before(&'static str),
    After(&'static str),
    Instead(&'static str),
}

const ATOMIC: &str = "src/rt/atomic.rs";
const EXECUTION: &str = "src/rt/execution.rs";
const OBJECT: &str = "src/rt/object.rs";

/// All edits; those of one file in the order in which they are applied.
pub const EDITS: &[Edit] = &[
    Edit {
        why: "an atomic keeps the last load of each thread",
        file: ATOMIC,
        anchor: "last_non_load_access: Option<Access>,",
        put: Put::After("\n    last_loads: [Option<Access>; MAX_THREADS],"),
    },
    Edit {
        why: "at first there is none",
        file: ATOMIC,
        anchor: "last_non_load_access: None,",
        put: Put::After("\n            last_loads: Default::default(),"),
    },
    Edit {
        why: "the one access that a write depends on is the last write; the loads come beside it",
        file: ATOMIC,
        anchor: "_ => self.last_access.as_ref(),",
        put: Put::Instead("_ => self.last_non_load_access.as_ref(),"),
    },
    Edit {
        why: "which loads a step depends on, and how a load is remembered",
        file: ATOMIC,
        anchor: "    /// Returns the last dependent access",
        put: Put::Before(
            r"    pub(super) fn loads_before(&self, action: Action) -> &[Option<Access>] {
        match action {
            Action::Load => &[],
            _ => &self.last_loads,
        }
    }

    pub(super) fn note_load(
        &mut self,
        action: Action,
        thread: thread::Id,
        path_id: usize,
        version: &VersionVec,
    ) {
        if action == Action::Load {
            Access::set_or_create(&mut self.last_loads[thread.as_usize()], path_id, version);
        }
    }

",
        ),
    },
    Edit {
        why: "the same for any object; only atomics have loads",
        file: OBJECT,
        anchor: "    /// Panics if any leaks were detected",
        put: Put::Before(
            r"    pub(super) fn loads_before(&self, operation: Operation) -> impl Iterator<Item = &Access> {
        let loads = match (&self.entries[operation.obj.index], operation.action) {
            (Entry::Atomic(entry), Action::Atomic(action)) => entry.loads_before(action),
            _ => &[],
        };
        loads.iter().flatten()
    }

    pub(super) fn note_load(
        &mut self,
        operation: Operation,
        thread: rt::thread::Id,
        path_id: usize,
        version: &VersionVec,
    ) {
        let entry = &mut self.entries[operation.obj.index];
        if let (Entry::Atomic(entry), Action::Atomic(action)) = (entry, operation.action) {
            entry.note_load(action, thread, path_id, version);
        }
    }

",
        ),
    },
    Edit {
        why: "a step that depends on a load may have come first: a schedule to be explored",
        file: EXECUTION,
        anchor: "None => continue,\n            };",
        put: Put::After(
            r"
            for load in self.objects.loads_before(operation) {
                if !load.happens_before(&th.dpor_vv) {
                    self.path.backtrack(load.path_id(), th_id);
                }
            }
",
        ),
    },
    Edit {
        why: "the step that is taken comes after the loads that it depends on, and may be a load itself",
        file: EXECUTION,
        anchor: "threads.active_mut().dpor_vv[th_id] += 1;",
        put: Put::Instead(
            r"for load in self.objects.loads_before(operation) {
                threads.active_mut().dpor_vv.join(load.version());
            }
            threads.active_mut().dpor_vv[th_id] += 1;
            self.objects.note_load(operation, th_id, path_id, &threads.active().dpor_vv);",
        ),
    },
    Edit {
        why: "what all `SeqCst` fences depend on: a condition variable for which nobody waits",
        file: EXECUTION,
        anchor: "pub(super) max_history: usize,",
        put: Put::After("\n\n    pub(super) fence: Option<super::Condvar>,"),
    },
    Edit {
        why: "made by the first fence",
        file: EXECUTION,
        anchor: "max_history: 7,",
        put: Put::After("\n            fence: None,"),
    },
    Edit {
        why: "and anew in each schedule",
        file: EXECUTION,
        anchor: "            lazy_statics,\n            raw_allocations,",
        put: Put::Before("            fence: None,\n"),
    },
    Edit {
        why: "a `SeqCst` fence is a step",
        file: ATOMIC,
        anchor: "    rt::synchronize(|execution| match ordering {",
        put: Put::Before(
            r"    if ordering == Ordering::SeqCst {
        let fence = rt::execution(|execution| execution.fence);
        let fence = fence.unwrap_or_else(|| {
            let fence = rt::Condvar::new();
            rt::execution(|execution| execution.fence = Some(fence));
            fence
        });
        fence.notify_all(location!());
    }
",
        ),
    },
    Edit {
        why: "an acquire fence asks what its own thread has read",
        file: ATOMIC,
        anchor: "first_seen.is_seen_by_current(&execution.threads)",
        put: Put::Instead("first_seen.is_seen_by_active(&execution.threads)"),
    },
    Edit {
        why: "that is, whatever it has seen at all",
        file: ATOMIC,
        anchor: "    fn is_seen_before_yield(",
        put: Put::Before(
            r"    fn is_seen_by_active(&self, threads: &thread::Set) -> bool {
        self.0[threads.active_id().as_usize()] != u16::MAX
    }

",
        ),
    },
];
