//! URLs as a caller gives them, of streams and of proxies: refused or accepted, and no word of their credentials anywhere.
#![no_main]

use eventsource::{Config, EventSource};
use libfuzzer_sys::fuzz_target;

/// `user:password@` shows in nothing that people read: not what stands before the last `@` of the authority.
fn silent(text: &str, words: &str) {
    let Some((scheme, rest)) = text.split_once("://") else { return };
    // What else is no authority, but a path that may show.
    if text.contains(['\t', '\r', '\n']) || scheme.contains(['/', '?', '#', ':']) {
        return;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let Some((userinfo, host)) = authority.rsplit_once('@') else { return };
    if userinfo.contains("hunter2") && !host.contains("hunter2") && !rest[authority.len()..].contains("hunter2") {
        assert!(!words.contains("hunter2"), "{words}");
    }
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Config::new(text) {
        Ok(mut config) => {
            silent(text, &format!("{config:?}"));
            let source = EventSource::new(&config).expect("nothing was refused");
            silent(text, &format!("{source:?}"));
            // What was accepted once is accepted for good, and in that form, too.
            source.set_url(text).expect("accepted before");
            assert!(
                config.set_https_only(true).is_ok()
                    == text.trim_start_matches(|c| c <= ' ').to_ascii_lowercase().starts_with("https")
                    || text.contains(['\t', '\r', '\n'])
            );
        }
        Err(error) => silent(text, &error.to_string()),
    }
    let mut config = Config::new("http://127.0.0.1:9/").expect("a good URL");
    match config.set_proxy(Some(text)) {
        Ok(config) => silent(text, &format!("{config:?}")),
        Err(error) => silent(text, &error.to_string()),
    }
});
