//! The machine alone: no socket, no thread, a clock that stands still unless it is moved.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use std::sync::Mutex;
use std::time::SystemTime;

use super::*;
use crate::clock::Clock;
use crate::config::ReconnectMode;
use crate::error::CallError;
use crate::event::Head;
use crate::handle::Handle;
use crate::interrupt::Interrupt;
use crate::url::Url;

#[derive(Debug)]
struct Hands {
    now: Mutex<Instant>,
    random: Mutex<f64>,
    /// Whom to pause when the calendar is asked for: in the middle of a step.
    pauses: Mutex<Option<Handle>>,
}

impl Clock for Hands {
    fn now(&self) -> Instant {
        *self.now.lock().unwrap()
    }
    fn calendar(&self) -> SystemTime {
        if let Some(handle) = self.pauses.lock().unwrap().take() {
            handle.pause().unwrap();
        }
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }
    fn random(&self) -> f64 {
        *self.random.lock().unwrap()
    }
}

struct Bench {
    clock: Arc<Hands>,
    control: Arc<Control>,
    source: Source,
}

/// An event in short.
#[derive(Debug, PartialEq)]
struct Seen(Kind, String, String, ErrorKind, State, u16, i64);

fn bench(change: impl FnOnce(&mut Config)) -> Bench {
    let clock = Arc::new(Hands { now: Mutex::new(Instant::now()), random: Mutex::new(0.0), pauses: Mutex::new(None) });
    let mut config = Config::new("http://user:pw@example.test/s").unwrap();
    config.set_clock(clock.clone());
    change(&mut config);
    let config = Arc::new(config);
    let control = Arc::new(Control::new(&config));
    Bench { clock, control: control.clone(), source: Source::new(config, control) }
}

impl Bench {
    fn event(&mut self) -> Seen {
        match self.source.step() {
            Step::Event => {
                let e = self.source.event();
                Seen(e.kind(), e.data().into(), e.id().into(), e.error(), e.state(), e.http_status(), e.retry_ms())
            }
            other => panic!("expected an event, found {other:?}"),
        }
    }
    fn kind(&mut self) -> Kind {
        self.event().0
    }
    fn work(&mut self) -> Work {
        match self.source.step() {
            Step::Work => {
                let (epoch, work) = self.source.work();
                assert_eq!(epoch, self.control.epoch());
                work
            }
            other => panic!("expected work, found {other:?}"),
        }
    }
    fn done(&mut self, outcome: Outcome) {
        let epoch = self.source.epoch;
        self.source.complete(epoch, outcome);
    }
    fn pass(&self, ms: u64) {
        *self.clock.now.lock().unwrap() += Duration::from_millis(ms);
    }
    fn url(&self) -> Url {
        Url::parse("http://example.test/s").unwrap()
    }
    fn opened(&mut self) {
        let url = self.url();
        self.done(Outcome::Opened(Box::new(Opened { head: Head { status: 200, headers: vec![] }, url })));
    }
    fn refused(&mut self, kind: ErrorKind, status: u16, headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(n, v)| (TextBuf::from(*n), TextBuf::from(*v))).collect();
        let url = self.url();
        self.done(Outcome::Refused(Box::new(Refusal {
            failure: Failure::new(kind, "no"),
            head: Some(Head { status, headers }),
            body: TextBuf::empty(),
            status,
            url,
            wrote: true,
        })));
    }
    fn ended(&mut self) {
        self.done(Outcome::Ended(Ended { failure: None }));
    }
    fn bytes(&mut self, bytes: &[u8]) {
        let mut buffer = self.source.lend();
        buffer.space()[..bytes.len()].copy_from_slice(bytes);
        buffer.advance(bytes.len());
        self.done(Outcome::Read(buffer));
    }
    /// Up to the open stream.
    fn connect(&mut self) {
        assert_eq!(self.kind(), Kind::Connect);
        assert!(matches!(self.work(), Work::Attempt { .. }));
        self.opened();
        assert_eq!(self.kind(), Kind::Open);
    }
    /// The wait that is asked for, from now.
    fn wait(&mut self) -> u64 {
        match self.work() {
            Work::Wait(Some(until)) => (until - self.clock.now()).as_millis() as u64,
            other => panic!("expected a wait, found {other:?}"),
        }
    }
}

#[test]
fn the_order_of_things() {
    let mut b = bench(|_| {});
    assert_eq!(b.event(), Seen(Kind::Connect, "".into(), "".into(), ErrorKind::None, State::Connecting, 0, -1));
    assert_eq!(b.work(), Work::Attempt { last_event_id: TextBuf::empty() });
    assert_eq!(b.work(), Work::Attempt { last_event_id: TextBuf::empty() }, "the same work until its outcome is there");
    b.opened();
    assert_eq!(b.event(), Seen(Kind::Open, "".into(), "".into(), ErrorKind::None, State::Open, 200, -1));
    assert_eq!(b.control.state(), State::Open);
    assert_eq!(b.work(), Work::Read);
    b.bytes(b"id: 7\ndata: a\n\n: hi\ndata");
    assert_eq!(b.event(), Seen(Kind::Message, "a".into(), "7".into(), ErrorKind::None, State::Open, 200, -1));
    assert_eq!(b.event(), Seen(Kind::Comment, " hi".into(), "7".into(), ErrorKind::None, State::Open, 200, -1));
    assert_eq!(b.work(), Work::Read);
    b.ended();
    let Seen(kind, _, id, error, state, status, retry) = b.event();
    assert_eq!(
        (kind, &*id, error, state, status, retry),
        (Kind::Error, "7", ErrorKind::Ended, State::Connecting, 200, 1000)
    );
    assert_eq!(b.wait(), 1000);
    b.pass(1000);
    assert_eq!(b.event().2, "7");
    assert_eq!(b.work(), Work::Attempt { last_event_id: TextBuf::from("7") });
    b.control.close().unwrap();
    assert_eq!(b.control.state(), State::Closed);
    assert_eq!(b.kind(), Kind::Close);
    assert!(matches!(b.source.step(), Step::Closed));
    assert_eq!(b.control.close(), Err(CallError::Closed));
}

#[test]
fn the_back_off_grows_and_is_reset_by_a_message() {
    let mut b = bench(|_| {});
    let mut waits = vec![];
    for _ in 0..7 {
        assert_eq!(b.kind(), Kind::Connect);
        b.work();
        b.refused(ErrorKind::HttpStatus, 503, &[]);
        let Seen(.., retry) = b.event();
        waits.push(retry);
        assert_eq!(b.wait() as i64, retry);
        b.pass(retry as u64);
    }
    assert_eq!(waits, [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    b.connect();
    b.work();
    b.bytes(b"data: x\n\n");
    assert_eq!(b.kind(), Kind::Message);
    b.work();
    b.ended();
    assert_eq!(b.event().6, 1000, "a message is proof");
}

#[test]
fn opening_alone_is_no_proof_but_five_seconds_are() {
    let mut b = bench(|_| {});
    for wait in [1000, 2000] {
        b.connect();
        b.work();
        b.ended();
        assert_eq!(b.event().6, wait);
        b.pass(wait as u64);
    }
    b.connect();
    b.work();
    b.pass(5000);
    b.ended();
    assert_eq!(b.event().6, 1000);
}

#[test]
fn retry_after_and_the_servers_retry_lengthen_the_wait() {
    let mut b = bench(|_| {});
    b.kind();
    b.work();
    b.refused(ErrorKind::HttpStatus, 503, &[("retry-after", "7")]);
    assert_eq!(b.event().6, 7000);
    b.pass(7000);
    b.connect();
    b.work();
    b.bytes(b"retry: 2500\ndata: x\n\nretry: 4000\n");
    b.kind();
    b.work();
    b.ended();
    assert_eq!(b.event().6, 4000, "a retry line counts as soon as it is read");
}

#[test]
fn max_retries_makes_the_last_failure_final_with_its_own_cause() {
    let mut b = bench(|c| {
        c.set_max_retries(1).unwrap();
    });
    b.kind();
    b.work();
    b.refused(ErrorKind::Connect, 0, &[]);
    assert_eq!(b.event().6, 1000);
    b.pass(1000);
    b.kind();
    b.work();
    b.refused(ErrorKind::Dns, 0, &[]);
    let Seen(kind, _, _, error, state, _, retry) = b.event();
    assert_eq!((kind, error, state, retry), (Kind::Error, ErrorKind::Dns, State::Closed, -1));
    assert_eq!(b.control.state(), State::Closed);
    assert_eq!(b.control.pause(), Err(CallError::Closed));
    assert_eq!(b.control.resume(), Err(CallError::Closed));
    assert_eq!(b.control.reconnect(), Err(CallError::Closed));
    let Seen(kind, _, _, error, ..) = b.event();
    assert_eq!((kind, error), (Kind::Close, ErrorKind::Dns));
}

#[test]
fn retry_revives_a_final_error_and_counts() {
    let mut b = bench(|_| {});
    b.kind();
    b.work();
    b.refused(ErrorKind::HttpStatus, 401, &[]);
    assert_eq!(b.event().6, -1);
    b.control.retry(Some(Duration::ZERO)).unwrap();
    assert_eq!(b.kind(), Kind::Connect, "at once");
    assert_eq!(b.control.retry(Some(Duration::ZERO)), Err(CallError::Closed), "CONNECT is no question for retry");
    b.work();
    b.refused(ErrorKind::HttpStatus, 401, &[]);
    assert_eq!(b.event().6, -1);
    b.control.retry(Some(Duration::ZERO)).unwrap();
    assert_eq!(b.wait(), 2000, "a refused token makes no hot loop; the first revival counted");
    assert_eq!(b.control.state(), State::Connecting);
}

#[test]
fn the_librarys_own_delay_after_a_final_error_heeds_the_server() {
    let mut b = bench(|c| {
        c.set_max_retries(0).unwrap();
    });
    for status in [503, 401] {
        b.kind();
        b.work();
        b.refused(ErrorKind::HttpStatus, status, &[("retry-after", "7")]);
        assert_eq!(b.event().6, -1);
        b.control.retry(None).unwrap();
        assert_eq!(b.wait(), 7000);
        b.pass(7000);
    }
    b.kind();
    b.work();
    b.refused(ErrorKind::HttpStatus, 401, &[]);
    b.kind();
    b.control.retry(None).unwrap();
    assert_eq!(b.wait(), 4000, "this one has said nothing");
}

#[test]
fn retry_after_the_window_is_too_late() {
    let mut b = bench(|_| {});
    b.kind();
    b.work();
    b.refused(ErrorKind::Io, 0, &[]);
    b.kind();
    assert_eq!(b.wait(), 1000);
    assert_eq!(b.control.retry(Some(Duration::ZERO)), Err(CallError::Closed));
    assert_eq!(b.wait(), 1000);
}

#[test]
fn retry_names_the_wait_from_the_delivery() {
    let mut b = bench(|_| {});
    b.kind();
    b.work();
    b.refused(ErrorKind::Io, 0, &[]);
    b.kind();
    b.control.retry(Some(Duration::from_millis(300))).unwrap();
    b.pass(100);
    assert_eq!(b.wait(), 200);
}

#[test]
fn fail_is_an_error_of_the_application_with_back_off() {
    let mut b = bench(|_| {});
    b.kind();
    b.control.fail("no token").unwrap();
    let Seen(kind, data, _, error, state, status, retry) = b.event();
    assert_eq!(
        (kind, &*data, error, state, status, retry),
        (Kind::Error, "no token", ErrorKind::Application, State::Connecting, 0, 1000)
    );
    b.pass(1000);
    b.kind();
    b.control.fail("x").unwrap();
    b.control.pause().unwrap();
    assert_eq!(b.work(), Work::Wait(None), "pause wins over fail");
}

#[test]
fn paused_is_a_wait_without_end() {
    let mut b = bench(|_| {});
    b.connect();
    b.work();
    b.bytes(b"id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
    assert_eq!(b.event().2, "1");
    b.control.pause().unwrap();
    assert_eq!(b.control.state(), State::Paused);
    assert_eq!(b.work(), Work::Wait(None), "what was not delivered is dropped");
    assert_eq!(b.control.reconnect(), Ok(()), "nothing to do");
    assert_eq!(b.work(), Work::Wait(None));
    b.pass(50);
    b.control.resume().unwrap();
    assert_eq!(b.wait(), 50, "100 ms after the last attempt began");
    b.pass(50);
    assert_eq!(b.event().2, "1", "and asked for again");
}

#[test]
fn results_of_an_old_epoch_leave_no_trace() {
    let mut b = bench(|_| {});
    b.kind();
    b.work();
    let old = b.source.epoch;
    b.control.reconnect().unwrap();
    b.source.complete(
        old,
        Outcome::Refused(Box::new(Refusal {
            failure: Failure::new(ErrorKind::Io, "late"),
            head: None,
            body: TextBuf::empty(),
            status: 0,
            url: b.url(),
            wrote: true,
        })),
    );
    assert_eq!(b.wait(), 100);
    b.pass(100);
    assert_eq!(b.kind(), Kind::Connect);
}

#[test]
fn a_call_in_the_middle_of_a_step_is_newer_than_its_event() {
    for status in [503, 401, 204] {
        let mut b = bench(|_| {});
        b.kind();
        b.work();
        b.refused(ErrorKind::HttpStatus, status, &[("retry-after", "7")]);
        let handle = Handle { config: b.source.config.clone(), control: b.control.clone() };
        *b.clock.pauses.lock().unwrap() = Some(handle);
        assert_eq!(b.work(), Work::Wait(None), "{status}: neither ERROR nor CLOSE");
        assert_eq!(b.control.state(), State::Paused);
        b.control.resume().unwrap();
        assert_eq!(b.wait(), 100);
        b.pass(100);
        assert_eq!(b.kind(), Kind::Connect);
    }
}

#[test]
fn a_caught_panic_is_the_end_whatever_the_work_was() {
    for status in [0, 200] {
        let mut b = bench(|_| {});
        if status == 200 {
            b.connect();
            b.work();
            drop(b.source.lend());
        } else {
            b.kind();
            b.work();
            b.refused(ErrorKind::Io, 0, &[]);
            b.kind();
            b.wait();
        }
        b.refused(ErrorKind::Internal, 0, &[]);
        let Seen(kind, _, _, error, state, _, retry) = b.event();
        assert_eq!((kind, error, state, retry), (Kind::Error, ErrorKind::Internal, State::Closed, -1));
        assert_eq!(b.kind(), Kind::Close);
    }
}

#[test]
fn attempts_called_off_keep_their_distance() {
    let mut b = bench(|_| {});
    for _ in 0..3 {
        assert_eq!(b.kind(), Kind::Connect);
        b.control.reconnect().unwrap();
        assert_eq!(b.wait(), 100, "100 ms after the last attempt began, which is its CONNECT");
        b.pass(100);
    }
    assert_eq!(b.kind(), Kind::Connect);
    b.pass(5_000); // for a token
    b.work();
    b.control.reconnect().unwrap();
    assert_eq!(b.wait(), 100);
}

#[test]
fn a_stale_worker_cannot_register() {
    let b = bench(|_| {});
    let interrupt = Interrupt::new();
    b.control.close().unwrap();
    assert!(b.control.begin(0, &interrupt).is_none());
    let b = bench(|_| {});
    assert!(b.control.begin(0, &interrupt).is_some());
    assert!(!interrupt.is_fired());
    b.control.pause().unwrap();
    assert!(interrupt.is_fired());
}

#[test]
fn a_204_closes_without_an_error() {
    let mut b = bench(|_| {});
    b.kind();
    b.work();
    b.refused(ErrorKind::HttpStatus, 204, &[]);
    let Seen(kind, _, _, error, state, status, _) = b.event();
    assert_eq!((kind, error, state, status), (Kind::Close, ErrorKind::Ended, State::Closed, 204));
}

#[test]
fn a_one_shot_stream_ends_with_close() {
    let mut b = bench(|c| {
        c.set_body(b"{}").unwrap();
    });
    b.connect();
    b.work();
    b.bytes(b"data: [DONE]\n\n");
    b.kind();
    b.work();
    b.ended();
    let Seen(kind, _, _, error, ..) = b.event();
    assert_eq!((kind, error), (Kind::Close, ErrorKind::Ended));
}

#[test]
fn never_reconnect_makes_a_broken_stream_final() {
    let mut b = bench(|c| {
        c.set_reconnect(ReconnectMode::Never).unwrap();
    });
    b.connect();
    b.work();
    b.done(Outcome::Ended(Ended { failure: Some(Failure::new(ErrorKind::Io, "reset")) }));
    let Seen(kind, _, _, error, state, _, retry) = b.event();
    assert_eq!((kind, error, state, retry), (Kind::Error, ErrorKind::Io, State::Closed, -1));
    b.control.close().unwrap();
    let Seen(kind, _, _, error, ..) = b.event();
    assert_eq!((kind, error), (Kind::Close, ErrorKind::None), "close in the window makes it the caller's wish");
}

#[test]
fn closed_before_the_first_attempt_is_close_alone() {
    let mut b = bench(|_| {});
    b.control.close().unwrap();
    assert_eq!(b.kind(), Kind::Close);
    assert!(matches!(b.source.step(), Step::Closed));
}

#[test]
fn paused_before_the_start_begins_paused() {
    let mut b = bench(|_| {});
    b.control.pause().unwrap();
    assert_eq!(b.work(), Work::Wait(None));
    b.control.resume().unwrap();
    assert_eq!(b.kind(), Kind::Connect);
}

#[test]
fn ids_no_header_can_carry_are_kept_and_not_sent() {
    let mut b = bench(|_| {});
    b.connect();
    b.work();
    b.bytes(b"id: a\x01b\ndata: x\n\n");
    assert_eq!(b.event().2, "a\u{1}b");
    b.work();
    b.ended();
    b.kind();
    b.pass(1000);
    assert_eq!(b.event().2, "", "CONNECT says what is sent");
    assert_eq!(b.work(), Work::Attempt { last_event_id: TextBuf::empty() });
}

#[test]
fn too_large_is_an_error_that_changes_nothing() {
    let mut b = bench(|c| {
        c.set_max_event_size(8).unwrap();
    });
    b.connect();
    b.work();
    b.bytes(b"data: 0123456789\n\ndata: ok\n\n");
    let Seen(kind, _, _, error, state, status, retry) = b.event();
    assert_eq!((kind, error, state, status, retry), (Kind::Error, ErrorKind::EventTooLarge, State::Open, 200, -1));
    assert_eq!(b.control.retry(None), Err(CallError::Closed));
    assert_eq!(b.event().1, "ok");
}
