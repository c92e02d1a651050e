//! Compiles the crate's sources for the model checker, whatever `RUSTFLAGS` says.

fn main() {
    println!("cargo::rustc-cfg=loom");
    println!("cargo::rerun-if-changed=build.rs");
}
