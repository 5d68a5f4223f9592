//! Which library a program runs with.

use std::ffi::{CStr, c_char};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// The version of the library at run time, such as "1.2.3". EVENTSOURCE_VERSION is that of this header.
#[unsafe(no_mangle)]
pub extern "C" fn eventsource_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The same as a number: major * 1 000 000 + minor * 1 000 + patch.
#[unsafe(no_mangle)]
pub extern "C" fn eventsource_version_number() -> u32 {
    const NUMBER: u32 = digits(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
        + digits(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
        + digits(env!("CARGO_PKG_VERSION_PATCH"));
    NUMBER
}

const fn digits(text: &str) -> u32 {
    let (mut number, mut at) = (0, 0);
    while at < text.len() {
        number = number * 10 + (text.as_bytes()[at] - b'0') as u32;
        at += 1;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_crates() {
        assert_eq!(VERSION.to_bytes(), env!("CARGO_PKG_VERSION").as_bytes());
        assert_eq!((digits("0"), digits("120")), (0, 120));
    }
}
