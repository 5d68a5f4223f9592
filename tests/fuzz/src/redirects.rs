//! Redirect locations against base URLs, and Retry-After: what is accepted is http(s), parses again to itself, and leads to
//! something that the HTTP engine takes.
#![no_main]

use eventsource::internals;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&which, rest)) = input.split_first() else { return };
    if which == 0 {
        if let Ok(value) = std::str::from_utf8(rest) {
            let wait = internals::retry_after(value);
            assert!(wait.is_none_or(|wait| wait <= std::time::Duration::from_secs(3600)));
        }
        return;
    }
    let base = ["http://a.test/b/c/d;p?q", "https://a.test/", "http://[::1]:8080/x", "http://u:hunter2@a.test/y"];
    if let Some(url) = internals::join(base[usize::from(which) % base.len()], rest) {
        assert!(url.starts_with("http://") || url.starts_with("https://"), "{url}");
        assert!(!url.contains('@') || url.rfind('@') > url[8..].find('/').map(|at| at + 8), "userinfo in {url}");
        assert_eq!(internals::join(&url, url.as_bytes()).as_ref(), Some(&url), "not stable");
    }
});
