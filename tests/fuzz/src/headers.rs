//! Header names and values, methods, last event IDs: refused, or sent as exactly one line each over a real connection.
#![no_main]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex};

use eventsource::{Config, ErrorKind, EventSource, ReconnectMode};
use libfuzzer_sys::fuzz_target;

/// The last request's head.
static SEEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static URL: LazyLock<String> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let (mut head, mut bytes) = (Vec::new(), [0; 4096]);
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut bytes) {
                    Ok(n @ 1..) => head.extend(&bytes[..n]),
                    _ => break,
                }
            }
            *SEEN.lock().expect("no panic under the lock") = head;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
            while matches!(stream.read(&mut bytes), Ok(1..)) {}
        }
    });
    format!("http://{address}/")
});

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\u{1}');
    let [name, value, secret, id, method] = [(); 5].map(|()| lines.next().unwrap_or_default());
    let mut config = Config::new(&URL).expect("a good URL");
    let mut wanted = Vec::new();
    for (name, value, secret) in [(name, value, false), (secret, value, true)] {
        let set = match secret {
            false => config.set_header(name, value).is_ok(),
            true => config.set_secret_header(name, value).is_ok(),
        };
        if set {
            wanted.retain(|(other, _): &(&str, &str)| !name.eq_ignore_ascii_case(other));
            wanted.push((name, value.trim_matches([' ', '\t'])));
        }
    }
    assert!(
        !format!("{config:?}").contains("hunter2")
            || name.contains("hunter2")
            || secret.contains("hunter2")
            || method.contains("hunter2")
    );
    if config.set_last_event_id(id).is_ok() {
        wanted.retain(|(name, _)| !name.eq_ignore_ascii_case("last-event-id"));
        wanted.push(("last-event-id", id.trim_matches([' ', '\t'])));
    }
    let method = if config.set_method(method).is_ok() { method } else { "GET" };
    if config.error().is_some() {
        assert!(EventSource::new(&config).is_err());
        return;
    }
    let _ = config.set_reconnect(ReconnectMode::Never);
    let mut source = EventSource::new(&config).expect("nothing was refused");
    while let Ok(event) = source.next() {
        match event.error() {
            // This machine has run out of ports, after a hundred thousand connections.
            ErrorKind::Connect => return,
            error => assert!(matches!(error, ErrorKind::None | ErrorKind::Ended), "{}", event.data()),
        }
    }
    let head = std::mem::take(&mut *SEEN.lock().expect("no panic under the lock"));
    let head = head.strip_suffix(b"\r\n\r\n").expect("the head, and nothing behind it");
    let lines: Vec<_> =
        head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    assert_eq!(lines[0], format!("{method} / HTTP/1.1").as_bytes());
    for (name, value) in wanted {
        let of_name = |line: &&&[u8]| {
            line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name.as_bytes())
        };
        let found: Vec<_> = lines[1..].iter().filter(of_name).collect();
        if name.eq_ignore_ascii_case("last-event-id") && value.is_empty() {
            assert!(found.len() <= 1); // blanks are an ID, and an empty value
            continue;
        }
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0][name.len() + 1..].trim_ascii(), value.as_bytes(), "{name}");
    }
    // Our seven, Host, and what was set.
    assert!(lines.len() <= 1 + 8 + 3, "{} lines", lines.len());
});
