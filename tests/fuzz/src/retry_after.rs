//! Retry-After: seconds or a date of three forms, never more than an hour, the same whatever blanks surround it.
#![no_main]

use eventsource::internals;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(value) = std::str::from_utf8(input) else { return };
    let wait = internals::retry_after(value);
    assert!(wait.is_none_or(|wait| wait <= std::time::Duration::from_secs(3600)));
    assert_eq!(wait, internals::retry_after(&format!(" \t{value} ")));
    if let Ok(seconds) = value.parse::<u32>() {
        if value.bytes().all(|byte| byte.is_ascii_digit()) {
            assert_eq!(wait.map(|wait| wait.as_secs()), Some(u64::from(seconds.min(3600))));
        }
    }
});
