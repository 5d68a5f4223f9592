//! Another Rust library in the same program, as apps have them: with a standard library, threads and panics of its own.

use std::collections::HashMap;

#[unsafe(no_mangle)]
pub extern "C" fn second_run() -> i32 {
    let caught = std::panic::catch_unwind(|| {
        let lengths: HashMap<_, _> = ["one", "three"].iter().map(|text| (text.to_string(), text.len())).collect();
        std::thread::spawn(move || lengths["one"] + lengths["none"]).join().unwrap()
    });
    if caught.is_err() { 42 } else { 0 }
}
