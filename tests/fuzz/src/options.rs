//! Everything that a setter takes: URLs, header names and values, methods, IDs, PEM, pins, proxies. Refused or accepted, never
//! a panic, never a secret in words; and what is accepted makes a source.
#![no_main]

use eventsource::{Config, EventSource};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&which, rest)) = input.split_first() else { return };
    let mut config = Config::new("http://127.0.0.1:9/").expect("a good URL");
    if which == 0 {
        let _ = config.add_ca_pem(rest);
    } else if which == 1 {
        let _ = config.set_identity_pem(rest);
    } else if which == 2 {
        let _ = config.set_only_ca_pem(rest);
    }
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let (one, two) = text.split_once('\n').unwrap_or((text, ""));
    let _ = match which {
        3 => config.set_header(one, two).is_ok(),
        4 => config.set_secret_header(one, two).is_ok(),
        5 => config.set_method(text).is_ok(),
        6 => config.set_last_event_id(text).is_ok(),
        7 => config.add_pin(text).is_ok(),
        8 => config.set_proxy(Some(text)).is_ok(),
        9 => match Config::new(text) {
            Ok(accepted) => {
                config = accepted;
                true
            }
            Err(error) => {
                // user:password@ never shows, not even where the URL is refused.
                if let Some(secret) = text.split_once("://").and_then(|(_, rest)| rest.split_once("hunter2@")) {
                    assert!(secret.0.contains('/') || !error.to_string().contains("hunter2"), "{error}");
                }
                false
            }
        },
        _ => false,
    };
    let source = EventSource::new(&config);
    assert_eq!(source.is_err(), config.error().is_some());
    if let Ok(source) = source {
        let _ = (source.set_url(one), source.set_header(one, Some(two)), source.set_header(one, None));
    }
});
