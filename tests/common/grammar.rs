//! What every story of every test has to keep to: the grammar of events, and what each kind's getters say.

use eventsource::{ErrorKind, Kind, State};

use super::{Seen, story};

/// `(CONNECT [OPEN (MESSAGE | COMMENT | ERROR too-large)*] [ERROR])* CLOSE`, and the table of getters.
pub(super) fn check(seen: &[Seen]) {
    let mut place = Place::Between;
    for (i, event) in seen.iter().enumerate() {
        let too_large = event.error == ErrorKind::EventTooLarge;
        place = match (place, event.kind) {
            (Place::Between | Place::Attempt | Place::Stream, Kind::Connect) => Place::Attempt,
            (Place::Attempt, Kind::Open) => Place::Stream,
            (Place::Stream, Kind::Message | Kind::Comment) => Place::Stream,
            (Place::Stream, Kind::Error) if too_large => Place::Stream,
            (Place::Attempt | Place::Stream, Kind::Error) if event.state == State::Closed => Place::Doomed,
            (Place::Attempt | Place::Stream, Kind::Error) => Place::Between,
            // Only retry revives a final error.
            (Place::Doomed, Kind::Connect) => Place::Attempt,
            (Place::Between | Place::Attempt | Place::Stream | Place::Doomed, Kind::Close) => Place::Over,
            (place, kind) => panic!("{kind:?} cannot follow {place:?}: event {i} of {:#?}", story(seen)),
        };
        let last_response = seen[..i].iter().rev().find(|e| matches!(e.kind, Kind::Open | Kind::Error));
        getters(event, last_response);
    }
    assert!(matches!(place, Place::Over), "no CLOSE at the end of {:#?}", story(seen));
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Before an attempt.
    Between,
    /// After CONNECT.
    Attempt,
    /// After OPEN.
    Stream,
    /// After a final error.
    Doomed,
    Over,
}

fn getters(e: &Seen, last_response: Option<&Seen>) {
    let name = format!("{:?}", e.kind).to_lowercase();
    let (event_type, error, state, status, retry) =
        (e.event_type.as_str(), e.error, e.state, e.http_status, e.retry_ms);
    match e.kind {
        Kind::Connect => {
            assert_eq!(
                (event_type, error, state, status, retry),
                ("connect", ErrorKind::None, State::Connecting, 0, -1)
            );
            assert_eq!(e.data, "");
        }
        Kind::Open => {
            assert_eq!((event_type, error, state, status, retry), ("open", ErrorKind::None, State::Open, 200, -1));
            assert_eq!(e.data, "");
        }
        Kind::Message | Kind::Comment => {
            assert_eq!((error, state, status, retry), (ErrorKind::None, State::Open, 200, -1));
            assert!(e.kind == Kind::Message || event_type == "comment");
            assert_ne!(event_type, "");
        }
        Kind::Error => {
            assert_eq!(event_type, "error");
            assert_ne!(e.data, "", "a reason in words");
            match error {
                ErrorKind::EventTooLarge => assert_eq!((state, status, retry), (State::Open, 200, -1)),
                ErrorKind::None => panic!("an ERROR without a cause: {e:?}"),
                _ if retry < 0 => assert_eq!((state, retry), (State::Closed, -1)),
                _ => assert_eq!(state, State::Connecting),
            }
            if let ErrorKind::HttpStatus = error {
                assert_ne!(status, 0);
            }
        }
        Kind::Close => {
            assert_eq!((event_type, state, retry), ("close", State::Closed, -1));
            assert_ne!(e.data, "", "a reason in words");
            match error {
                // Asked for, or the end of a one-shot stream, or 204.
                ErrorKind::None | ErrorKind::Ended => {}
                cause => {
                    let last = last_response.expect("an error before a CLOSE that has a cause");
                    assert_eq!((last.error, last.state, last.http_status), (cause, State::Closed, status));
                }
            }
        }
        _ => panic!("an unknown kind: {name}"),
    }
    if !matches!(e.kind, Kind::Open | Kind::Error) {
        assert!(e.headers.is_empty(), "{e:?}");
    }
    if e.kind != Kind::Error {
        assert_eq!(e.body, "", "{e:?}");
    }
    assert!(!e.url.is_empty() && !e.url.contains('@') && !e.url.contains('#'), "{e:?}");
}
