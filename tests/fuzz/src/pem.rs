//! PEM and pins: authorities, identities. Refused or accepted, never a panic, never a line of the key in words; and what is
//! accepted makes a source.
#![no_main]

use eventsource::{Config, EventSource};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&which, rest)) = input.split_first() else { return };
    let mut config = Config::new("https://127.0.0.1:9/").expect("a good URL");
    let refused = match which % 4 {
        0 => config.add_ca_pem(rest).err(),
        1 => config.set_identity_pem(rest).err(),
        2 => config.set_only_ca_pem(rest).err(),
        _ => config.add_pin(std::str::from_utf8(rest).unwrap_or_default()).err(),
    };
    if let Some(error) = &refused {
        let words = error.to_string();
        for line in rest.split(|byte| *byte == b'\n').filter(|line| line.len() > 20 && !line.contains(&b' ')) {
            assert!(!words.as_bytes().windows(line.len()).any(|part| part == line), "{words}");
        }
    }
    assert_eq!(EventSource::new(&config).is_err(), refused.is_some());
});
