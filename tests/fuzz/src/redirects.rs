//! Redirect locations against base URLs: what is accepted is http(s), parses again to itself, holds no userinfo and nothing
//! that would end a request line.
#![no_main]

use eventsource::internals;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&which, location)) = input.split_first() else { return };
    let base = ["http://a.test/b/c/d;p?q", "https://a.test/", "http://[::1]:8080/x", "http://u:hunter2@a.test/y"];
    if let Some(url) = internals::join(base[usize::from(which) % base.len()], location) {
        assert!(url.starts_with("http://") || url.starts_with("https://"), "{url}");
        assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
        let authority = url.split('/').nth(2).unwrap_or_default();
        assert!(!authority.is_empty() && !authority.contains(['@', '?', '#', '\\']), "{url}");
        assert_eq!(internals::join(&url, url.as_bytes()).as_ref(), Some(&url), "not stable");
    }
});
