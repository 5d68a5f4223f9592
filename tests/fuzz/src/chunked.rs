//! Chunked bodies through the whole client over loopback: any bytes as a body, and well-formed chunks with any content, which
//! have to give the events that the parser finds in the content.
#![no_main]

mod peer;

use eventsource::internals::{Found, Parser};
use eventsource::{Config, ReconnectMode};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 4096;

fuzz_target!(|input: &[u8]| {
    let Some((&mode, body)) = input.split_first() else { return };
    let mut response =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let well_formed = mode & 1 != 0;
    if well_formed {
        // Chunks as long as the input's bytes say, with the decorations that the limit of 20 bytes leaves room for.
        let (mut rest, mut n) = (body, 0);
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at((usize::from(rest[0] & 31) + 1).min(rest.len()));
            let extension = if mode & 2 != 0 && n % 3 == 0 { ";a=b" } else { "" };
            let size = if mode & 4 != 0 { format!("{:X}", chunk.len()) } else { format!("{:04x}", chunk.len()) };
            response.extend(format!("{size}{extension}\r\n").as_bytes());
            response.extend(chunk);
            response.extend(b"\r\n");
            (rest, n) = (later, n + 1);
        }
        response.extend(b"0\r\n");
        response.extend(if mode & 8 != 0 { &b"X-Trailer: y\r\n\r\n"[..] } else { b"\r\n" });
    } else {
        response.extend(body);
    }
    let mut config = Config::new(&peer::serve(&response)).expect("a good URL");
    let _ = config.set_max_event_size(LIMIT);
    let _ = config.set_reconnect(ReconnectMode::Never);
    let messages = peer::follow(&config);
    if well_formed {
        let mut wanted = Vec::new();
        Parser::new(LIMIT).feed(body, |found| {
            if let Found::Message { event_type, data, id } = found {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                wanted.push([text(event_type), text(data), text(id)]);
            }
        });
        assert_eq!(messages, wanted);
    }
});
