//! Builds test binaries with cargo, and tells where they are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Which tests of a package: cargo's options, such as `--test models`.
#[derive(Clone, Copy, Debug)]
pub struct Tests<'a> {
    pub package: &'a str,
    pub options: &'a [&'a str],
}

impl Tests<'_> {
    /// Builds them in `folder`, into its own target folder or another one; returns the names of the targets, and their
    /// binaries.
    pub fn build(self, folder: &Path, target: Option<&Path>) -> Result<Vec<(String, PathBuf)>> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["test", "--package", self.package, "--no-run", "--message-format=json-render-diagnostics"])
            .args(self.options)
            .current_dir(folder);
        if let Some(target) = target {
            command.env("CARGO_TARGET_DIR", target);
        }
        let output = command.output().context("starting cargo")?;
        if !output.status.success() {
            bail!(
                "the tests of {} in {} do not build:\n{}",
                self.package,
                folder.display(),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        Ok(messages.lines().filter_map(test_binary).collect())
    }
}

/// Reads the name and the path of a test binary out of one of cargo's messages.
pub fn test_binary(message: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_test = message["profile"]["test"].as_bool()? && message["target"]["kind"][0] != "bin";
    let path = message["executable"].as_str()?;
    is_test.then(|| Some((message["target"]["name"].as_str()?.to_owned(), path.into())))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_binaries_are_told_from_other_artifacts() {
        let message = |kind: &str, test: bool| {
            format!(
                r#"{{"profile":{{"test":{test}}},"target":{{"name":"models","kind":["{kind}"]}},"executable":"/x"}}"#
            )
        };
        let found = |kind, test| test_binary(&message(kind, test)).map(|(name, _)| name);
        assert_eq!(found("test", true).as_deref(), Some("models"));
        assert_eq!(found("lib", true).as_deref(), Some("models"));
        assert_eq!((found("bin", true), found("lib", false)), (None, None));
        assert!(test_binary("Compiling x").is_none());
    }
}
