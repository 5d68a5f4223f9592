//! Writes the C header from `src/ffi`, and keeps the shared library loaded for good.

use std::env;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    // Helper threads that look names up may outlive the last source, so the code must never be unmapped.
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    match os.as_str() {
        "linux" | "android" | "freebsd" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libeventsource.so");
        }
        "macos" | "ios" => println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libeventsource.dylib"),
        _ => {}
    }
    if cfg!(feature = "capi") {
        let root = env::var("CARGO_MANIFEST_DIR")?;
        println!("cargo:rerun-if-changed=include");
        let (root, out) = (Path::new(&root), Path::new(&env::var("OUT_DIR")?).join("eventsource.h"));
        // Cargo leaves this file in every package that it makes. There the header is as it was tested.
        if cfg!(feature = "header") && !root.join("Cargo.toml.orig").exists() {
            header(root, &out)?;
        } else {
            std::fs::copy(root.join("include/eventsource.h"), out)?;
        }
    }
    Ok(())
}

#[cfg(not(feature = "header"))]
fn header(_: &Path, _: &Path) -> Result<(), Box<dyn Error>> {
    Ok(()) // is not called
}

#[cfg(feature = "header")]
fn header(root: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=src/ffi");
    let mut config = cbindgen::Config::from_file(root.join("include/cbindgen.toml"))?;
    let version = |part: &str| env::var(format!("CARGO_PKG_VERSION{part}")).unwrap_or_default();
    let (major, minor, patch) = (version("_MAJOR"), version("_MINOR"), version("_PATCH"));
    config.after_includes = Some(format!(
        "\n// The version of this header; eventsource_version says that of the library.\n\
         #define EVENTSOURCE_VERSION \"{}\"\n\
         #define EVENTSOURCE_VERSION_MAJOR {major}\n\
         #define EVENTSOURCE_VERSION_MINOR {minor}\n\
         #define EVENTSOURCE_VERSION_PATCH {patch}\n\
         #define EVENTSOURCE_VERSION_NUMBER \\\n  \
         (EVENTSOURCE_VERSION_MAJOR * 1000000 + EVENTSOURCE_VERSION_MINOR * 1000 + EVENTSOURCE_VERSION_PATCH)",
        version("")
    ));
    let bindings = cbindgen::Builder::new().with_src(root.join("src/ffi/mod.rs")).with_config(config).generate()?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    std::fs::write(out, &text)?;
    let checked_in = root.join("include/eventsource.h");
    if std::fs::read(&checked_in).ok().as_ref() != Some(&text) {
        // By way of a rename, since several builds may run at once. Where nothing can be written, a test tells.
        let draft = root.join(format!("include/.eventsource.h.{}", std::process::id()));
        if std::fs::write(&draft, &text).is_ok() {
            let _ = std::fs::rename(&draft, &checked_in);
        }
    }
    Ok(())
}
