//! A server on loopback that answers every connection with the bytes of the moment, and a client that follows to the end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use eventsource::{Config, ErrorKind, EventSource, Kind};

static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static URL: LazyLock<String> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let answer = ANSWER.lock().expect("no panic under the lock").clone();
            let _ = stream.write_all(&answer);
            let _ = stream.shutdown(Shutdown::Write);
            // Until the client has gone, so that no reset cuts the answer off.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
        }
    });
    format!("http://{address}/")
});

/// Has the next connections answered with `bytes`.
pub fn serve(bytes: &[u8]) -> String {
    *ANSWER.lock().expect("no panic under the lock") = bytes.to_vec();
    URL.clone()
}

/// Pulls until CLOSE and checks the grammar on the way; type, data and ID of each message.
#[allow(dead_code)] // each target uses its part of this
pub fn follow(config: &Config) -> Vec<[String; 3]> {
    let mut messages = Vec::new();
    let mut source = EventSource::new(config).expect("a good config");
    let mut before = None;
    while let Ok(event) = source.next() {
        let kind = event.kind();
        let allowed: &[Option<Kind>] = match kind {
            Kind::Connect => &[None],
            Kind::Open => &[Some(Kind::Connect)],
            Kind::Message | Kind::Comment => {
                &[Some(Kind::Open), Some(Kind::Message), Some(Kind::Comment), Some(Kind::Error)]
            }
            _ => &[Some(Kind::Connect), Some(Kind::Open), Some(Kind::Message), Some(Kind::Comment), Some(Kind::Error)],
        };
        assert!(allowed.contains(&before), "{kind:?} after {before:?}");
        assert_ne!(event.error(), ErrorKind::Internal, "{}", event.data());
        assert!(event.data().len() <= 8192 && event.body().len() <= 3 * 4096);
        let _ = (event.url(), event.headers().count());
        if kind == Kind::Message {
            messages.push([event.event_type(), event.data(), event.id()].map(str::to_owned));
        }
        before = Some(kind);
    }
    assert_eq!(before, Some(Kind::Close));
    messages
}
