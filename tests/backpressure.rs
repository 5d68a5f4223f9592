//! A consumer that stops: the server has to wait, and memory stays where it was, in each of the four drivers.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::time::Duration;

use eventsource::{Config, Event, EventSource, Kind};

/// What a stopped consumer may cost over an idle one, with events of up to 4 KiB.
const ROOM: usize = 256 * 1024;

/// From where it is counted anew: what is quicker to read lags behind on some kernels.
fn resident() -> usize {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Sends one event, waits for `flood`, then sends 4 KiB events without end until the client takes no more; tells how many bytes.
fn server(flood: mpsc::Receiver<()>, stalled: mpsc::Sender<usize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n").unwrap();
        let event = format!("data: {}\n\n", "x".repeat(4088)).into_bytes();
        flood.recv().unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut sent = 0;
        loop {
            match stream.write(&event[sent % event.len()..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        stalled.send(sent).unwrap();
        // Open until the client has gone.
        stream.set_write_timeout(None).unwrap();
        while stream.write_all(&event).is_ok() {}
    });
    address
}

/// `drive` gets a source and a function to call with each event; that function blocks in the first message of the flood.
fn stop(name: &str, drive: impl FnOnce(EventSource, Box<dyn FnMut(&Event<'_>) + Send>) + Send + 'static) {
    let (flood, flooded) = mpsc::channel();
    let (tell, stalled) = mpsc::channel();
    let address = server(flooded, tell);
    let mut config = Config::new(&format!("http://{address}/")).unwrap();
    config.set_retry(Duration::from_secs(60), Duration::from_secs(60)).unwrap();
    let source = EventSource::new(&config).unwrap();
    let handle = source.handle();
    let (first, idle) = mpsc::channel();
    let (resume, resumed) = mpsc::channel::<()>();
    let driver = std::thread::spawn(move || {
        let mut messages = 0;
        drive(
            source,
            Box::new(move |event| {
                if event.kind() == Kind::Message {
                    messages += 1;
                    match messages {
                        1 => first.send(()).unwrap(),
                        2 => resumed.recv().unwrap(),
                        _ => {}
                    }
                }
            }),
        );
    });
    idle.recv_timeout(Duration::from_secs(30)).unwrap();
    let before = resident();
    flood.send(()).unwrap();
    let sent = stalled.recv_timeout(Duration::from_secs(60)).unwrap();
    let grown = resident().saturating_sub(before);
    println!("{name}: the server was stopped after {} KiB; memory grew by {} KiB", sent / 1024, grown / 1024);
    handle.close().unwrap();
    resume.send(()).unwrap();
    driver.join().unwrap();
    assert!(grown <= ROOM || name == "(first)", "{name}: {grown} bytes");
}

/// One after the other, since the memory is the process's.
#[test]
fn memory_stays_flat_in_every_driver() {
    // The first pays for code pages, too, and for what allocators keep.
    for name in ["(first)", "next"] {
        stop(name, |mut source, mut each| {
            while let Ok(event) = source.next() {
                each(&event);
            }
        });
    }
    stop("start", |source, each| {
        let (over, wait) = mpsc::channel();
        source.on(None, None, each).unwrap();
        source.on(Some(Kind::Close), None, move |_| over.send(()).unwrap()).unwrap();
        source.start().unwrap();
        wait.recv_timeout(Duration::from_secs(30)).unwrap();
        source.free();
    });
    stop("run", |source, each| {
        source.on(None, None, each).unwrap();
        source.run().unwrap();
    });
    stop("poll", |mut source, mut each| {
        let (wake, woken) = mpsc::channel();
        source.start_polled(move || wake.send(()).unwrap()).unwrap();
        'all: loop {
            woken.recv_timeout(Duration::from_secs(30)).unwrap();
            loop {
                match source.poll() {
                    Ok(Some(event)) => each(&event),
                    Ok(None) => break,
                    Err(_) => break 'all,
                }
            }
        }
    });
    stop("watch", |mut source, mut each| {
        let events = common::Loop::start(&source);
        loop {
            match source.poll() {
                Ok(Some(event)) => each(&event),
                Ok(None) => events.wait(),
                Err(_) => break,
            }
        }
    });
}
