//! Refuses an environment in which another program would be built than the project's.
//!
//! `RUSTFLAGS` silently replaces the flags that a project or a task sets, and a profile without debug assertions checks
//! less than it claims: a green run would then mean nothing. `.ci/run` refuses the same names.

use anyhow::{Result, bail};

/// Fails if a variable of this process changes how things are compiled.
pub fn refuse_changed_builds() -> Result<()> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut changed: Vec<String> = names.filter(|name| changes_builds(name)).collect();
    changed.sort_unstable();
    if changed.is_empty() {
        return Ok(());
    }
    let unset: String = changed.iter().map(|name| format!(" -u {name}")).collect();
    bail!(
        "{} is set, so this would check another build than the project's\n\
         run it without: env{unset} cargo xtask ..",
        changed.join(", ")
    );
}

fn changes_builds(name: &str) -> bool {
    let flags = ["RUSTFLAGS", "RUSTDOCFLAGS"];
    let by_cargo = name.strip_prefix("CARGO_").is_some_and(|rest| {
        let prefixed =
            rest.starts_with("ENCODED_") || rest.starts_with("BUILD_") || rest.starts_with("TARGET_");
        prefixed && flags.iter().any(|flag| rest.ends_with(flag))
    });
    flags.contains(&name) || by_cargo || name.starts_with("CARGO_PROFILE_")
}

#[cfg(test)]
mod tests {
    use super::changes_builds;

    #[test]
    fn what_changes_a_build_is_known_by_its_name() {
        for name in [
            "RUSTFLAGS",
            "RUSTDOCFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "CARGO_PROFILE_TEST_DEBUG_ASSERTIONS",
        ] {
            assert!(changes_builds(name), "{name}");
        }
        for name in ["CARGO_TARGET_DIR", "CARGO_HOME", "RUSTUP_TOOLCHAIN", "CARGO_BUILD_JOBS", "PATH"] {
            assert!(!changes_builds(name), "{name}");
        }
    }
}
