//! What is tested: how each runner is started, and what its surface does not show.

use std::path::PathBuf;
use std::process::Command;

use crate::cases::root;

/// A runner and what to expect of it.
#[derive(Clone, Debug)]
pub struct Surface {
    /// As in the results.
    pub name: &'static str,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Kinds of events (`connect`) and fields of them (`open.id`) that it has no way to show.
    pub lacks: &'static [&'static str],
    /// Its service of the contract tests, if it has one of its own.
    pub contract: Option<&'static str>,
    /// Somebody else's: it may lack what ours may not.
    pub peer: bool,
}

const NONE: &[&str] = &["message.origin"];

/// Where things are built.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// All surfaces of this library, in the order of the table.
pub fn ours() -> Vec<Surface> {
    let path = |path: &str| target().join(path).to_string_lossy().into_owned();
    let of = |name, command: Vec<String>, lacks| {
        let contract = match name {
            "C, start" => Some("c"),
            "Node" => Some("node"),
            "Kotlin" => Some("kotlin"),
            "Swift" => Some("swift"),
            _ => None,
        };
        Surface { name, command, lacks, contract, peer: false }
    };
    let here = std::env::current_exe().unwrap_or_default();
    let rust = here.with_file_name("conformance-rust").to_string_lossy().into_owned();
    let c = |name, driver: &str| of(name, vec![path("conformance/c"), driver.into()], NONE);
    let script = |name: &str| root().join("tests/conformance/runners").join(name).to_string_lossy().into_owned();
    vec![
        of("Rust", vec![rust], NONE),
        c("C, start", "start"),
        c("C, run", "run"),
        c("C, next", "next"),
        c("C, event loop", "polled"),
        of(
            "Node",
            vec!["node".into(), script("node.mjs")],
            &[
                "connect",
                "open.id",
                "open.url",
                "message.url",
                "comment.id",
                "comment.url",
                "error.id",
                "error.url",
                "close.id",
                "close.url",
            ],
        ),
        of("Kotlin", vec![script("jvm/run"), "KotlinRunnerKt".into()], NONE),
        of("Java", vec![script("jvm/run"), "JavaRunner".into()], NONE),
        of(
            "Swift",
            vec![script("swift/run")],
            &["connect", "comment.id", "comment.url", "close.url", "message.origin"],
        ),
    ]
}

/// Other clients, by name and version.
pub fn peers() -> Vec<Surface> {
    const EVERYWHERE: [&str; 11] = [
        "connect",
        "open.id",
        "open.url",
        "message.url",
        "error.id",
        "error.url",
        "error.error",
        "error.status",
        "error.retry",
        "close",
        "comment",
    ];
    let of = |name, command: Vec<String>, more: &[&'static str]| {
        let lacks: Vec<&'static str> = EVERYWHERE.iter().chain(more).copied().collect();
        Surface { name, command, lacks: lacks.leak(), contract: None, peer: true }
    };
    let made = |path: &str| target().join("conformance/peers").join(path).to_string_lossy().into_owned();
    let node = |name: &str| {
        let script = root().join("tests/conformance/peers/node.mjs").to_string_lossy().into_owned();
        let peers = format!("PEERS={}", made("package.json"));
        vec!["env".into(), peers, "node".into(), script, name.into()]
    };
    let rust = |name: &str| vec![made("rust/release/conformance-peers"), name.into()];
    vec![
        of("npm eventsource 4.1.1", node("eventsource"), &["comment.id"]),
        of("undici 7.30.2", node("undici"), &[]),
        of("launchdarkly-eventsource 2.2.0", node("launchdarkly-eventsource"), &["error.state"]),
        of("reqwest-eventsource 0.6.0", rust("reqwest-eventsource"), &["message.origin"]),
        of("eventsource-client 0.18.0", rust("eventsource-client"), &["message.origin", "error.state"]),
        of("okhttp-eventsource 4.3.0", vec![made("jvm/run")], &["message.origin", "error.state"]),
    ]
}

/// Builds what the surface's runner needs.
pub fn build(surface: &Surface) -> Result<(), String> {
    let script = root().join("tests/conformance/runners/build");
    let kind = surface.name.split([',', ' ']).next().unwrap_or_default().to_lowercase();
    let kind = if surface.peer { "peers".into() } else { kind };
    let output = Command::new(script).arg(kind).output().map_err(|e| format!("runners/build: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}
