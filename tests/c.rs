//! The C boundary from C's side: the header, the libraries, and the programs of `tests/c` under ASan and UBSan.
#![cfg(feature = "capi")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use eventsource_test_server::{BlackHole, Script, Server, Tls};

const HEADER: &str = include_str!("../include/eventsource.h");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// A library of this very build; it lies beside the test program.
fn library(name: &str) -> PathBuf {
    let path = std::env::current_exe().unwrap().with_file_name(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn succeed(command: &mut Command) -> String {
    let output = output(command);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout.into_owned()
}

/// What watches over a program.
#[derive(Clone, Copy, PartialEq)]
enum Watch {
    /// AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer.
    Memory,
    /// ThreadSanitizer, where the library has it too: `tests/sanitize thread`.
    Threads,
    Valgrind,
    /// Nothing: the library of an SDK, perhaps another machine's, with what the environment names to compile, link and run it.
    Sdk,
}

/// A variable that tests/packaging/run.sh sets, word by word.
fn words(name: &str) -> Vec<String> {
    let value = std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: use tests/packaging/run.sh"));
    value.split_whitespace().map(str::to_owned).collect()
}

fn watch() -> Watch {
    match std::env::var("EVENTSOURCE_SANITIZER").as_deref() {
        Ok("thread") => Watch::Threads,
        _ => Watch::Memory,
    }
}

/// A compiler for a language, with the flags of what watches.
fn compiler(watch: Watch, is_cpp: bool) -> Command {
    let (variable, usual, standard) = if is_cpp { ("CXX", "c++", "-std=c++17") } else { ("CC", "cc", "-std=c11") };
    let mut command = Command::new(std::env::var_os(variable).unwrap_or(usual.into()));
    command.args(STRICT).args([standard, "-g", "-O1", "-D_DEFAULT_SOURCE"]).arg(format!("-I{ROOT}/include"));
    match watch {
        Watch::Memory => command.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]),
        Watch::Threads => command.arg("-fsanitize=thread"),
        Watch::Valgrind | Watch::Sdk => &mut command,
    };
    if is_cpp {
        command.arg("-Wno-deprecated"); // left.c is C and C++
    }
    command.arg("-fno-omit-frame-pointer");
    command
}

/// Compiles a program of `tests/c` and links it with the static library.
fn build_for(watch: Watch, name: &str, sources: &[&str]) -> PathBuf {
    if watch == Watch::Sdk {
        return build_for_sdk(name, sources);
    }
    let suffix = if watch == Watch::Valgrind { "-valgrind" } else { "" };
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c-{name}{suffix}"));
    let mut command = compiler(watch, sources.iter().any(|source| source.ends_with(".cpp")));
    // What it leaves behind is an error, but where a process ends in the middle, or ThreadSanitizer has a thread of its own.
    let counts = name != "exit" && watch != Watch::Threads && cfg!(target_os = "linux");
    let left = counts.then_some("left.c");
    command.args(sources.iter().copied().chain(left).map(|source| format!("{ROOT}/tests/c/{source}")));
    command.arg(library("libeventsource.a")).args(["-lpthread", "-ldl", "-lm", "-o"]).arg(&program);
    succeed(&mut command);
    program
}

fn build_for_sdk(name: &str, sources: &[&str]) -> PathBuf {
    let sdk = PathBuf::from(words("EVENTSOURCE_SDK").concat());
    let program =
        sdk.join(format!("../../../packaging/programs/{}-{name}", sdk.file_name().unwrap().to_string_lossy()));
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    let is_cpp = sources.iter().any(|source| source.ends_with(".cpp"));
    let compiler = words(if is_cpp { "EVENTSOURCE_CXX" } else { "EVENTSOURCE_CC" });
    let mut command = Command::new(&compiler[0]);
    command.args(&compiler[1..]).args(["-O1", "-D_DEFAULT_SOURCE"]).arg(format!("-I{}/include", sdk.display()));
    command.args(sources.iter().map(|source| format!("{ROOT}/tests/c/{source}")));
    command.arg(sdk.join("lib/libeventsource.a")).args(words("EVENTSOURCE_LIBS")).arg("-o").arg(&program);
    succeed(&mut command);
    program
}

fn build(name: &str, sources: &[&str]) -> PathBuf {
    build_for(watch(), name, sources)
}

/// The command for a built program; its time is limited so that a hang is a failure.
fn run(program: &Path) -> Command {
    run_for(watch(), program)
}

fn run_for(watch: Watch, program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--signal=ABRT", "300"]);
    if watch == Watch::Valgrind {
        command.args(["valgrind", "--quiet", "--error-exitcode=97", "--leak-check=full", "--fair-sched=yes"]);
        command.arg("--errors-for-leak-kinds=definite,indirect");
    }
    if watch == Watch::Sdk {
        command.args(words("EVENTSOURCE_RUN"));
    }
    command.arg(program);
    // The library itself has no checks in it: filling what it frees makes it stumble over what it should not use any more.
    let fill = "max_free_fill_size=1048576:free_fill_byte=221:max_malloc_fill_size=1048576";
    let options = "detect_leaks=1:abort_on_error=0:exitcode=99:strict_string_checks=1";
    command.env("ASAN_OPTIONS", format!("{options}:{fill}"));
    command.env("UBSAN_OPTIONS", "print_stacktrace=1:exitcode=98");
    command.env("TSAN_OPTIONS", "halt_on_error=1:exitcode=98");
    command.env_remove("RUST_BACKTRACE");
    command
}

/// What the programs stream from.
fn server() -> Server {
    let server = Server::start();
    server.handle("/once", |request, connection| match request.header("last-event-id") {
        Some(_) => connection.run(&Script::empty(204).fin()),
        None => connection.run(&Script::events(": hello\n\nid: 1\ndata: first\n\n")),
    });
    server.on("/silent", Script::new().stall());
    server.on("/stall", Script::sse().body("data: first\n\n").stall());
    server.on("/busy", Script::empty(503).fin());
    server.on("/flood", Script::sse().endless("data: again and again\n\n", 1 << 40));
    server
}

// ---- the header ----

#[test]
fn the_checked_in_header_is_what_the_build_makes() {
    let made = fs::read_to_string(concat!(env!("OUT_DIR"), "/eventsource.h")).unwrap();
    assert!(made == HEADER, "include/eventsource.h is stale: cargo build in a checkout writes it anew");
}

/// In a checkout the build has mended the header before any test can look. So what was committed is asked: if the header is
/// changed while what it is made from is not, a stale one was committed.
#[test]
fn the_committed_header_is_what_the_build_makes() {
    if !Path::new(ROOT).join(".git").exists() {
        return; // a package from a registry: the test above compares
    }
    let mut git = Command::new("git");
    git.args(["-C", ROOT, "status", "--porcelain", "--", "src/ffi", "include", "build.rs", "Cargo.toml"]);
    let changed = succeed(&mut git);
    assert!(
        changed.trim() != "M include/eventsource.h",
        "the committed include/eventsource.h is stale: commit the one that was made"
    );
}

#[test]
fn the_header_compiles_alone_in_every_standard() {
    let compile = |compiler: &str, language: &str, standard: &str| {
        let mut command = Command::new(compiler);
        command.args(STRICT).args(["-fsyntax-only", "-x", language, standard]);
        succeed(command.arg(format!("{ROOT}/include/eventsource.h")));
    };
    for standard in ["-std=c99", "-std=c11", "-std=c17", "-std=c2x"] {
        compile("cc", "c", standard);
    }
    compile("c++", "c++", "-std=c++17");
}

/// The value of a macro.
fn macro_of(name: &str) -> &'static str {
    let line = HEADER.lines().find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn the_version_macros_are_cargos() {
    let manifest = fs::read_to_string(format!("{ROOT}/Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = ")).unwrap();
    assert_eq!(macro_of("EVENTSOURCE_VERSION"), version);
    let parts = ["MAJOR", "MINOR", "PATCH"].map(|part| macro_of(&format!("EVENTSOURCE_VERSION_{part}")));
    assert_eq!(format!("\"{}\"", parts.join(".")), version);
    // null.c compares the number and the text with the library's.
}

/// The functions that the header declares.
fn declared() -> Vec<String> {
    let mut names: Vec<String> = HEADER
        .lines()
        .filter(|line| !line.starts_with("//") && !line.starts_with("typedef") && !line.starts_with(['#', ' ']))
        .filter_map(|line| Some(line.split_once('(')?.0.rsplit([' ', '*']).next()?.to_owned()))
        .collect();
    names.sort();
    names
}

#[test]
fn the_shared_library_exports_what_the_header_declares_and_nothing_else() {
    let mut nm = Command::new("nm");
    let symbols = succeed(nm.args(["--dynamic", "--defined-only", "--format=posix"]).arg(library("libeventsource.so")));
    let mut exported: Vec<String> =
        symbols.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect();
    exported.sort();
    assert_eq!(exported, declared());
    assert!(exported.len() >= 66 && exported.iter().all(|name| name.starts_with("eventsource_")), "{exported:?}");
}

#[test]
fn every_function_is_tried_with_null() {
    let program = fs::read_to_string(format!("{ROOT}/tests/c/null.c")).unwrap();
    let forgotten: Vec<_> = declared().into_iter().filter(|name| !program.contains(&format!("{name}("))).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

/// The example in the header's comment is a program, and it ends with the stream.
#[test]
fn the_headers_example_compiles_and_runs() {
    let example: String =
        HEADER.lines().filter_map(|line| line.strip_prefix("//     ")).map(|line| format!("{line}\n")).collect();
    assert!(example.contains("int main") && example.ends_with("}\n"), "{example}");
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("header-example.c");
    fs::write(&source, example).unwrap();
    let program = source.with_extension("");
    let mut cc = compiler(watch(), false);
    succeed(cc.arg(&source).arg(library("libeventsource.a")).args(["-lpthread", "-ldl", "-lm", "-o"]).arg(&program));
    let server = Server::start();
    let stream = Script::events("retry: 1\n\ndata: first\n\ndata: second\n\n");
    server.on("/s", [stream, Script::empty(204).fin()].map(eventsource_test_server::Reply::from).to_vec());
    assert_eq!(succeed(run(&program).arg(server.url("/s"))), "first\nsecond\n");
}

// ---- the programs ----

#[test]
fn the_sanitizers_are_in_the_programs() {
    let (server, program) = (server(), build("faults", &["faults.c"]));
    let memory = [
        ("overflow", 99, "heap-buffer-overflow"),
        ("undefined", 98, "signed integer overflow"),
        ("leak", 99, "LeakSanitizer"),
        ("used after free", 99, "heap-use-after-free"),
        ("race", 0, ""),
        ("none", 0, ""),
    ];
    let threads = [("race", 98, "data race"), ("none", 0, "")];
    for (fault, status, found) in if watch() == Watch::Threads { &threads[..] } else { &memory } {
        let output = output(run(&program).args([server.url("").as_str(), fault]));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(*status), "{fault}: {stderr}");
        assert!(stderr.contains(found), "{fault}: {stderr}");
    }
}

#[test]
fn null_bad_text_and_absurd_numbers() {
    succeed(&mut run(&build("null", &["null.c"])));
}

/// The server of text.c.
fn text_server() -> Server {
    let server = Server::start();
    let headers = |script: Script| {
        script.header("X-One", "first").header("X-Empty", "").header("X-Latin", b"caf\xe9").header("X-One", "second")
    };
    let large = "x".repeat(1_000_000);
    let stream = format!(": com\0ment\n\nid: 7\nevent: ty\0pe\ndata: a\0b\ndata: c\0\n\nid\ndata: {large}\n\n");
    server.on("/text", headers(Script::sse()).body(stream).stall());
    server.on("/missing", headers(Script::status(404, "Not Found")).length(8).body("no\0thing").fin());
    server
}

#[test]
fn texts_with_nuls_headers_bodies_and_clones() {
    let server = text_server();
    succeed(run(&build("text", &["text.c"])).arg(server.url("")));
}

#[test]
fn sources_end_from_everywhere() {
    let (server, hole) = (server(), BlackHole::start());
    let hole_url = format!("http://{}", hole.address());
    succeed(run(&build("lifecycle", &["lifecycle.c"])).args([server.url(""), hole_url]));
    server.wait_for_open(0, Duration::from_secs(30));
}

#[test]
fn every_call_in_every_state() {
    let server = server();
    server.on("/missing", Script::empty(404).fin());
    succeed(run(&build("states", &["states.c"])).arg(server.url("")));
}

#[test]
fn the_log_is_replaced_while_it_is_called() {
    let server = server();
    succeed(run(&build("log", &["log.c"])).arg(server.url("")));
}

#[test]
fn processes_end_while_sources_run() {
    let (server, program) = (server(), build("exit", &["exit.c"]));
    for round in 0..10 {
        let how = if round % 2 == 0 { "return" } else { "exit in a callback" };
        succeed(run(&program).args([&server.url(""), how]));
    }
}

#[test]
fn two_translation_units() {
    let server = server();
    let program = build("units", &["units.c", "units_other.c"]);
    assert_eq!(succeed(run(&program).arg(server.url("/once"))), "1\n");
}

#[test]
fn cpp() {
    let server = server();
    let program = build("plusplus", &["plusplus.cpp"]);
    assert_eq!(succeed(run(&program).arg(server.url("/once"))), "first\n1\n");
}

/// Those that end by themselves.
fn all_programs(watch: Watch) {
    let (server, texts, hole) = (server(), text_server(), BlackHole::start());
    server.on("/missing", Script::empty(404).fin());
    let (url, once, hole) = (server.url(""), server.url("/once"), format!("http://{}", hole.address()));
    let table: [(&str, &[&str], &[&str]); 7] = [
        ("null", &["null.c"], &[]),
        ("text", &["text.c"], &[&texts.url("")]),
        ("units", &["units.c", "units_other.c"], &[&once]),
        ("plusplus", &["plusplus.cpp"], &[&once]),
        ("log", &["log.c"], &[&url]),
        ("states", &["states.c"], &[&url]),
        ("lifecycle", &["lifecycle.c"], &[&url, &hole]),
    ];
    for (name, sources, arguments) in table {
        println!("{name}");
        let program = build_for(watch, name, sources);
        succeed(run_for(watch, &program).args(arguments));
    }
}

/// The library as it is shipped, on its own platform or under emulation, the server beside it; a stream over TLS, too.
#[test]
#[ignore = "needs an SDK; tests/packaging/run.sh has one and runs this"]
fn with_an_sdk() {
    all_programs(Watch::Sdk);
    println!("tail over TLS");
    let server = Server::start_tls(&Tls::new());
    let replies = [Script::events("retry: 1\n\ndata: first\n\nid: 7\ndata: second\n\n"), Script::empty(204).fin()];
    server.on("/s", replies.map(eventsource_test_server::Reply::from).to_vec());
    let tail = build_for(Watch::Sdk, "tail", &["../../examples/tail.c"]);
    let trust = tail.with_extension("pem");
    fs::write(&trust, server.ca_pem()).unwrap();
    // Android's library looks into its system's folder, which here lies elsewhere.
    let android = tail.with_extension("android");
    let anchors = android.join("system/etc/security/cacerts");
    fs::create_dir_all(&anchors).unwrap();
    fs::copy(&trust, anchors.join("5ca1ab1e.0")).unwrap();
    let mut command = run_for(Watch::Sdk, &tail);
    command.arg(server.url_by_name("/s")).env("SSL_CERT_FILE", &trust).env("ANDROID_ROOT", &android);
    let printed = succeed(&mut command);
    assert!(printed.contains("first") && printed.contains("second"), "{printed}");
}

#[test]
#[ignore = "needs valgrind; tests/run has it and runs this"]
fn under_valgrind() {
    all_programs(Watch::Valgrind);
    // The proof that it watches.
    let program = build_for(Watch::Valgrind, "faults", &["faults.c"]);
    let server = server();
    let url = server.url("");
    for fault in ["overflow", "leak", "used after free"] {
        let output = output(run_for(Watch::Valgrind, &program).args([&url, fault]));
        assert_eq!(output.status.code(), Some(97), "{fault}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

// ---- a Rust program with a logger of its own ----

mod host {
    #![allow(unsafe_code)]
    use std::ffi::{c_char, c_int, c_void};
    use std::sync::atomic::{AtomicU32, Ordering};

    use eventsource as _;

    type LogFn = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *const c_char);

    unsafe extern "C" {
        fn eventsource_set_log(
            max_level: c_int,
            log: Option<LogFn>,
            user_data: *mut c_void,
            destroy: Option<unsafe extern "C" fn(*mut c_void)>,
        ) -> c_int;
    }

    struct Own;

    impl log::Log for Own {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, _: &log::Record<'_>) {}
        fn flush(&self) {}
    }

    static DESTROYED: AtomicU32 = AtomicU32::new(0);

    unsafe extern "C" fn never(_: *mut c_void, _: c_int, _: *const c_char, _: *const c_char) {
        panic!("the host's logger stands");
    }

    unsafe extern "C" fn destroy(_: *mut c_void) {
        DESTROYED.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn a_host_with_a_logger_keeps_it() {
        log::set_logger(&Own).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
        let (nobody, debug, busy) = (std::ptr::null_mut(), 4, -7);
        // SAFETY: the functions are what the header asks for.
        unsafe {
            assert_eq!(eventsource_set_log(debug, Some(never), nobody, Some(destroy)), busy);
            assert_eq!(DESTROYED.load(Ordering::Relaxed), 1);
            assert_eq!(eventsource_set_log(0, None, nobody, None), 0);
        }
        assert_eq!(log::max_level(), log::LevelFilter::Warn, "the host's level, too");
    }
}
