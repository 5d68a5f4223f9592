//! The client programs in `c/`: compiled as a user would, against the release build of the library, and run one at a time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// `cargo build --release`, whose static library the programs link.
static RELEASE: LazyLock<PathBuf> = LazyLock::new(|| {
    let status = Command::new("cargo").current_dir(ROOT).args(["build", "--release", "--quiet"]).status();
    assert!(status.is_ok_and(|status| status.success()), "cargo build --release");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(Path::new(ROOT).join("target"), PathBuf::from);
    target.join("release")
});

/// A program of `c/`. `None` where it cannot be built, which for libcurl is not our fault; why is told on stderr.
pub fn build(name: &str) -> Option<PathBuf> {
    let folder = RELEASE.join("bench");
    std::fs::create_dir_all(&folder).expect("a folder under target");
    let program = folder.join(name);
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-I"]).arg(Path::new(ROOT).join("include"));
    cc.arg(format!("{}/c/{name}.c", env!("CARGO_MANIFEST_DIR"))).arg(RELEASE.join("libeventsource.a"));
    cc.args(["-lpthread", "-ldl", "-lm", "-o"]).arg(&program);
    if name.contains("curl") {
        cc.arg("-lcurl");
    }
    let output = cc.output().expect("cc");
    if output.status.success() {
        return Some(program);
    }
    assert!(name.contains("curl"), "{cc:?}: {}", String::from_utf8_lossy(&output.stderr));
    eprintln!("without libcurl, which needs the package libcurl4-openssl-dev");
    None
}

/// The numbers that a program prints.
pub fn run(program: &Path, arguments: &[&str]) -> Vec<f64> {
    let output = Command::new(program).args(arguments).output().expect("a program just built");
    let text = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?} {arguments:?}: {}{why}", output.status);
    text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
