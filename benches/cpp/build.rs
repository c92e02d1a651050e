//! Compiles the two peers that are C++ libraries, where there is a compiler and they are installed.
//!
//! Whatever is missing costs its rows and nothing else: the build goes on, and the comparison says which peer is not
//! there and why. Each peer that compiled sets a cfg of its own; of the others the reason is left in an environment
//! variable for the comparison to print.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A library, its shim beside this file, the compiler's flag and what has to be linked.
struct Library {
    name: &'static str,
    flag: &'static str,
    link: &'static str,
}

const LIBRARIES: [Library; 2] = [
    Library { name: "openmp", flag: "-fopenmp", link: "gomp" },
    Library { name: "onetbb", flag: "-pthread", link: "tbb" },
];

fn main() {
    println!("cargo::rerun-if-changed=cpp");
    println!("cargo::rerun-if-env-changed=CXX");
    for library in LIBRARIES {
        let name = library.name;
        println!("cargo::rustc-check-cfg=cfg({name})");
        let reason = match library.build() {
            Ok(()) => {
                println!("cargo::rustc-cfg={name}");
                String::new()
            }
            Err(reason) => reason,
        };
        println!("cargo::rustc-env=MISSING_{}={reason}", name.to_uppercase());
    }
}

impl Library {
    /// Links a small program first: headers without their library would fail only when the benchmark is linked.
    fn build(&self) -> Result<(), String> {
        let shim = PathBuf::from(format!("cpp/{}.cpp", self.name));
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo names a folder for the output"));
        self.probe(&shim, &out)?;
        let mut build = cc::Build::new();
        build
            .cargo_warnings(false)
            .cpp(true)
            .std("c++17")
            .opt_level(3)
            .flag(self.flag)
            .warnings(true)
            .file(&shim);
        build.try_compile(&format!("shim_{}", self.name)).map_err(|error| one_line(&error.to_string()))?;
        println!("cargo::rustc-link-lib=dylib={}", self.link);
        Ok(())
    }

    /// Compiles and links the shim with an empty `main`, which it has under `PROBE`.
    fn probe(&self, shim: &Path, out: &Path) -> Result<(), String> {
        let compiler = cc::Build::new()
            .cargo_warnings(false)
            .cpp(true)
            .try_get_compiler()
            .map_err(|_| "no C++ compiler")?;
        let mut command = Command::new(compiler.path());
        command.args(["-std=c++17", "-DPROBE", self.flag]).arg(shim);
        command.arg(format!("-l{}", self.link)).arg("-o").arg(out.join(format!("probe_{}", self.name)));
        let output = command.output().map_err(|error| format!("no C++ compiler: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        let error = complaint.lines().find(|line| line.contains("error") || line.contains("cannot find"));
        Err(one_line(error.unwrap_or("the compiler refused the shim")))
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
