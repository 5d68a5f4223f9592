//! All four drivers against one small story: open, message, cut, resume, close.
#![allow(clippy::unwrap_used, missing_docs)]
use eventsource::*;
use eventsource_test_server::{Script, Server, Step};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

fn server() -> Server {
    let server = Server::start();
    server.on(
        "/s",
        vec![
            Script::sse().step(Step::Body(b"id: 1\ndata: one\n\n: c\n".to_vec())).step(Step::Fin),
            Script::sse().step(Step::Body(b"data: two\n\n".to_vec())).step(Step::Stall),
        ],
    );
    server
}
fn config(server: &Server) -> Config {
    let mut c = Config::new(&server.url("/s")).unwrap();
    c.set_retry(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    c
}
fn line(e: &Event<'_>) -> String {
    format!(
        "{:?} {} {:?} id={} {:?} {:?} {}",
        e.kind(),
        e.event_type(),
        e.data(),
        e.id(),
        e.error(),
        e.state(),
        e.http_status()
    )
}
const STORY: [&str; 9] = [
    "Connect connect \"\" id= None Connecting 0",
    "Open open \"\" id= None Open 200",
    "Message message \"one\" id=1 None Open 200",
    "Comment comment \" c\" id=1 None Open 200",
    "Error error \"the server ended the stream\" id=1 Ended Connecting 200",
    "Connect connect \"\" id=1 None Connecting 0",
    "Open open \"\" id=1 None Open 200",
    "Message message \"two\" id=1 None Open 200",
    "Close close \"closed by the application\" id=1 None Closed 200",
];

#[test]
fn pull() {
    let server = server();
    let mut source = EventSource::new(&config(&server)).unwrap();
    let handle = source.handle();
    let mut seen = vec![];
    while let Ok(e) = source.next() {
        seen.push(line(&e));
        if e.data() == "two" {
            handle.close().unwrap();
        }
    }
    assert_eq!(seen, STORY);
}
fn callbacks(go: impl FnOnce(&EventSource)) {
    let server = server();
    let source = EventSource::new(&config(&server)).unwrap();
    let handle = source.handle();
    let seen = Arc::new(Mutex::new(vec![]));
    let s = seen.clone();
    let (tx, rx) = mpsc::channel();
    source
        .on(None, None, move |e| {
            s.lock().unwrap().push(line(e));
            if e.data() == "two" {
                handle.close().unwrap();
            }
            if e.kind() == Kind::Close {
                tx.send(()).unwrap();
            }
        })
        .unwrap();
    go(&source);
    rx.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(*seen.lock().unwrap(), STORY);
    source.free();
}
#[test]
fn start() {
    callbacks(|s| s.start().unwrap());
}
#[test]
fn run() {
    callbacks(|s| s.run().unwrap());
}
#[test]
fn drained() {
    // All that there is in one call, or one event in each.
    for all in [true, false] {
        let server = server();
        let source = EventSource::new(&config(&server)).unwrap();
        let (tx, rx) = mpsc::channel();
        source.start_polled(move || tx.send(()).unwrap()).unwrap();
        let mut seen = vec![];
        loop {
            let polled = source.poll_each(|e| {
                seen.push(line(e));
                assert!(matches!(source.poll_with(|_| ()), Err(CallError::Busy)));
                if e.data() == "two" {
                    source.close().unwrap();
                }
                all
            });
            match polled {
                Ok(true) => assert!(!all),
                Ok(false) => rx.recv_timeout(Duration::from_secs(10)).unwrap(),
                Err(error) => break assert_eq!(error, CallError::Closed),
            }
        }
        assert_eq!(seen, STORY);
        source.free();
    }
}
#[test]
fn what_is_set_after_the_answer_to_connect_is_for_the_next_attempt() {
    let server = server();
    server.on("/t", vec![Script::sse().step(Step::Fin)]);
    let mut source = EventSource::new(&config(&server)).unwrap();
    assert_eq!(source.next().unwrap().kind(), Kind::Connect);
    source.set_header("X-For", Some("/s")).unwrap();
    assert!(source.poll().unwrap().is_none(), "answered; `next` is to make the attempt");
    source.set_url(&server.url("/t")).unwrap();
    source.set_header("X-For", Some("/t")).unwrap();
    while source.next().unwrap().kind() != Kind::Error {}
    source.close().unwrap();
    let mut source = EventSource::new(&config(&server)).unwrap();
    assert_eq!(source.next().unwrap().kind(), Kind::Connect);
    assert!(source.poll().unwrap().is_none());
    // Nor is it for one that was called off.
    source.set_url(&server.url("/t")).unwrap();
    source.set_header("X-For", Some("/t")).unwrap();
    source.reconnect().unwrap();
    while source.next().unwrap().kind() != Kind::Open {}
    let requests = server.requests().into_iter().map(|r| (r.target.clone(), r.header("x-for"))).collect::<Vec<_>>();
    let of = |path: &str| (path.to_owned(), Some(path.to_owned()));
    assert_eq!(requests, [of("/s"), of("/t")]);
}
#[test]
fn polled() {
    let server = server();
    let mut source = EventSource::new(&config(&server)).unwrap();
    let handle = source.handle();
    let (tx, rx) = mpsc::channel();
    source.start_polled(move || tx.send(()).unwrap()).unwrap();
    let mut seen = vec![];
    let mut agains = 1;
    let mut wakes = 0;
    'all: loop {
        rx.recv_timeout(Duration::from_secs(10)).unwrap();
        wakes += 1;
        loop {
            match source.poll() {
                Ok(Some(e)) => {
                    seen.push(line(&e));
                    if e.data() == "two" {
                        handle.close().unwrap();
                    }
                }
                Ok(None) => {
                    agains += 1;
                    break;
                }
                Err(_) => break 'all,
            }
        }
    }
    assert_eq!(wakes, agains);
    assert_eq!(seen, STORY);
    source.free();
}
