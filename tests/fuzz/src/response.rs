//! A response of any bytes through the whole client over loopback: the grammar of events holds, texts are texts, nothing
//! panics, and the source comes to its end.
#![no_main]

mod peer;

use eventsource::{Config, ReconnectMode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // A redirect could lead away from this machine; locations have a target of their own.
    if input.windows(7).any(|window| window.eq_ignore_ascii_case(b"ocation")) {
        return;
    }
    let Some((&mode, response)) = input.split_first() else { return };
    let mut config = Config::new(&peer::serve(response)).expect("a good URL");
    let _ = config.set_max_event_size(4096);
    let _ = config.set_reconnect(ReconnectMode::Never);
    let _ = config.set_standard_status(mode & 1 != 0);
    let _ = config.set_compression(mode & 2 != 0);
    peer::follow(&config);
});
