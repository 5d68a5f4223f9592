//! Any bytes from a proxy, HTTP or SOCKS5: a name that does not exist is behind it, and nothing leaves this machine.
#![no_main]

mod peer;

use eventsource::{Config, ReconnectMode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&mode, answer)) = input.split_first() else { return };
    let proxy = peer::serve(answer);
    let proxy = if mode & 1 == 0 { proxy } else { proxy.replace("http://", "socks5://u:p@") };
    let mut config = Config::new("http://stream.invalid/").expect("a good URL");
    let _ = config.set_proxy(Some(proxy.trim_end_matches('/')));
    let _ = config.set_max_event_size(4096);
    let _ = config.set_reconnect(ReconnectMode::Never);
    peer::follow(&config);
});
