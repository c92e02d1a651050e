//! Compiles the crate's sources for shuttle, whatever `RUSTFLAGS` says.

fn main() {
    println!("cargo::rustc-cfg=shuttle");
    println!("cargo::rerun-if-changed=build.rs");
}
