//! Storms: reconnect, pause and resume from several threads at once never make two connections, and every phase that blocks
//! ends when it is told to.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::{ErrorKind as Io, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use eventsource::{Clock, Config, EventSource, Kind, State};

/// A hundred times as fast as the wall's: the spacing of attempts is 1 ms.
#[derive(Debug)]
struct Fast(Instant);

impl Clock for Fast {
    fn now(&self) -> Instant {
        self.0 + self.0.elapsed() * 100
    }
    fn calendar(&self) -> SystemTime {
        SystemTime::now()
    }
    fn random(&self) -> f64 {
        0.0
    }
    fn sleep_for(&self, span: Duration) -> Duration {
        span / 100
    }
}

/// Whether the peer has closed, or is about to: what it sent is read over.
fn is_over(mut stream: &TcpStream) -> bool {
    let mut bytes = [0; 1024];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == Io::WouldBlock => return false,
            Err(error) if error.kind() == Io::Interrupted => {}
            Err(_) => return true,
        }
    }
}

#[test]
fn a_storm_never_makes_two_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, accepted, doubled) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let server = {
        let (stop, accepted, doubled) = (stop.clone(), accepted.clone(), doubled.clone());
        std::thread::spawn(move || {
            let mut earlier: Vec<TcpStream> = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // On loopback the end of a connection is here before the next one can be.
                let open = earlier.iter().filter(|stream| !is_over(stream)).count();
                if open > 0 {
                    doubled.lock().unwrap().push((accepted.load(Ordering::SeqCst), open));
                }
                earlier.retain(|stream| !is_over(stream));
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n");
                stream.set_nonblocking(true).unwrap();
                earlier.push(stream);
                accepted.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let mut config = Config::new(&format!("http://{address}/")).unwrap();
    config.set_clock(Arc::new(Fast(Instant::now())));
    let source = EventSource::new(&config).unwrap();
    let messages = Arc::new(AtomicUsize::new(0));
    let counted = messages.clone();
    source
        .on(Some(Kind::Message), None, move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
    source.start().unwrap();
    let end = Instant::now() + Duration::from_secs(4);
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let handle = source.handle();
            std::thread::spawn(move || {
                while Instant::now() < end {
                    match n {
                        0 | 1 => handle.reconnect().unwrap(),
                        2 => handle.pause().unwrap(),
                        _ => handle.resume().unwrap(),
                    }
                    std::thread::sleep(Duration::from_micros(300 * (n + 1)));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    // After the storm the stream works.
    source.resume().unwrap();
    let before = messages.load(Ordering::SeqCst);
    source.reconnect().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    // One of the connection before may be counted late.
    while messages.load(Ordering::SeqCst) == before || source.state() != State::Open {
        assert!(Instant::now() < deadline, "no message after the storm");
        std::thread::sleep(Duration::from_millis(1));
    }
    source.free();
    stop.store(true, Ordering::SeqCst);
    let _ = TcpStream::connect(address).map(|stream| stream.shutdown(Shutdown::Both));
    server.join().unwrap();
    let accepted = accepted.load(Ordering::SeqCst);
    println!("{accepted} connections, {} messages", messages.load(Ordering::SeqCst));
    assert!(accepted > 20, "{accepted}: no storm");
    assert_eq!(*doubled.lock().unwrap(), [], "connections made while others were open");
}
