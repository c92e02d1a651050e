//! The nightly toolchain, which alone has sanitizers.

use std::io;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

/// What to do when there is none.
const HOW: &str = "cargo xtask sanitize needs a nightly toolchain, as stable Rust has no sanitizers\n\
                   run: rustup toolchain install nightly --profile minimal";

/// A nightly toolchain, by what it compiles for.
#[derive(Debug)]
pub struct Nightly {
    /// The target of this machine. It is named in each build, or the flags would go into build scripts and macros.
    pub host: String,
}

impl Nightly {
    /// Looks for it.
    pub fn find() -> Result<Self> {
        Self::read(Command::new("rustup").args(["run", "nightly", "rustc", "-vV"]).output())
    }

    fn read(told: io::Result<Output>) -> Result<Self> {
        let Ok(output) = told else { bail!("rustup was not found, and so neither was nightly\n{HOW}") };
        ensure!(output.status.success(), "{}\n{HOW}", String::from_utf8_lossy(&output.stderr).trim());
        let text = String::from_utf8_lossy(&output.stdout);
        let host = text.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(Self { host: host.context("nightly's rustc does not name its host")?.to_owned() })
    }

    /// Returns a call of cargo that builds into `target` with these flags of the compiler.
    pub fn cargo(&self, workspace: &Path, task: &str, flags: &str, target: &Path) -> Command {
        let mut command = Command::new("rustup");
        command
            .args(["run", "nightly", "cargo", task, "--target", &self.host, "--target-dir"])
            .arg(target)
            .current_dir(workspace)
            // Cargo has put the stable compiler there.
            .env_remove("RUSTC")
            .env("RUSTFLAGS", flags);
        command
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn told(code: i32, out: &str, err: &str) -> io::Result<Output> {
        Ok(Output { status: ExitStatus::from_raw(code << 8), stdout: out.into(), stderr: err.into() })
    }

    #[test]
    fn a_missing_nightly_stops_with_how_to_get_it() {
        for told in
            [told(1, "", "error: toolchain 'nightly' is not installed"), Err(io::ErrorKind::NotFound.into())]
        {
            let error = Nightly::read(told).expect_err("none").to_string();
            assert!(error.contains("rustup toolchain install nightly"), "{error}");
        }
    }

    #[test]
    fn the_host_is_read() {
        let nightly = Nightly::read(told(0, "rustc 1\nhost: some-machine\nrelease: 1\n", "")).expect("one");
        assert_eq!(nightly.host, "some-machine");
    }
}
