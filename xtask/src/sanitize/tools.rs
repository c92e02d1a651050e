//! The two sanitizers: their flags, what they must report, and what they report although it is right.

/// A sanitizer.
#[derive(Debug)]
pub struct Tool {
    pub name: &'static str,
    /// How the compiler calls it.
    pub flag: &'static str,
    /// The variable with its options, and those that are always set.
    pub options: (&'static str, &'static str),
    /// Faults of the stress program, each with words that the report must have.
    pub controls: &'static [(&'static str, &'static str)],
    /// What is not to be reported.
    pub suppressions: &'static [Suppression],
    /// Tests that run under it as well.
    pub tests: &'static [&'static str],
}

/// A pattern of functions in whose frames a report counts for nothing.
#[derive(Debug)]
pub struct Suppression {
    pub pattern: &'static str,
    pub why: &'static str,
}

/// All tools.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "AddressSanitizer",
        flag: "address",
        options: ("ASAN_OPTIONS", "detect_leaks=1"),
        controls: &[
            ("use-after-free", "heap-use-after-free"),
            ("leak", "LeakSanitizer: detected memory leaks"),
        ],
        suppressions: &[],
        tests: &["pool", "front", "contract", "faults"],
    },
    Tool {
        name: "ThreadSanitizer",
        flag: "thread",
        options: ("TSAN_OPTIONS", "halt_on_error=0 history_size=4"),
        controls: &[("race", "data race"), ("early-read", "data race")],
        suppressions: &[
            Suppression {
                pattern: "race:alloc::sync::Arc<*as core::ops::drop::Drop>::drop",
                why: "The last owner of an Arc acquires what the others did by a fence, and ThreadSanitizer does not \
                      understand fences. What the drop runs is left to AddressSanitizer.",
            },
            Suppression {
                pattern: "race:crossbeam_epoch::",
                why: "Epochs are advanced by SeqCst fences, as above, and what they free is freed inside of them.",
            },
            Suppression {
                pattern: "race:zero_pool::floors::latch::Lot",
                why: "Its lists lie under a Mutex of std, whose slow path comes compiled from nightly, without the \
                      sanitizer, so that an unlock seems to order nothing. The models run the same code.",
            },
        ],
        tests: &[],
    },
];

/// The most suppressions that a tool may have.
#[cfg(test)]
const MOST: usize = 5;

/// Tests that a sanitizer cannot run, as they take from their process what it needs itself.
pub const SKIPPED: &[(&str, &str)] = &[
    (
        "a_failed_start_leaves_no_thread",
        "it limits the address space, of which the sanitizer reserves terabytes",
    ),
    ("a_stack_overflow_names_its_worker", "the sanitizer reports the overflow first, and ends the process"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suppressions_are_few_narrow_and_explained() {
        for tool in TOOLS {
            assert!(tool.suppressions.len() <= MOST, "{}", tool.name);
            assert!(tool.controls.len() >= 2, "{}", tool.name);
            for Suppression { pattern, why } in tool.suppressions {
                let (kind, functions) = pattern.split_once(':').expect("a kind and a pattern");
                assert_eq!(kind, "race");
                assert!(functions.contains("::") && !functions.starts_with('*'), "{pattern} is too wide");
                assert!(!functions.contains("std::thread") && !functions.contains("stress"), "{pattern}");
                assert!(why.len() > 40, "{pattern} is not explained");
            }
        }
    }
}
