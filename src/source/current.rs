//! The event that is on loan.

use crate::error::ErrorKind;
use crate::event::{Event, Head, Kind, State};
use crate::parser::Parser;
use crate::text::{Text, TextBuf};

/// The event that was last handed out, as far as it is not in the parser.
pub(super) struct Current {
    pub(super) kind: Kind,
    pub(super) error: ErrorKind,
    pub(super) state: State,
    pub(super) status: u16,
    pub(super) retry_ms: i64,
    pub(super) reason: TextBuf,
    pub(super) head: Option<Head>,
    pub(super) body: TextBuf,
    /// Of CONNECT: the ID that will be sent, where it is not the last event ID.
    pub(super) id_withheld: bool,
}

impl Current {
    /// One that says nothing but this.
    pub(super) fn new(kind: Kind, state: State) -> Current {
        Current {
            kind,
            error: ErrorKind::None,
            state,
            status: 0,
            retry_ms: -1,
            reason: TextBuf::empty(),
            head: None,
            body: TextBuf::empty(),
            id_withheld: false,
        }
    }

    /// The event as its receiver sees it. Messages and comments lie in the parser.
    #[inline]
    pub(super) fn event<'a>(&'a self, parser: &'a Parser, url: &'a TextBuf) -> Event<'a> {
        let mut event = Event {
            kind: self.kind,
            event_type: Text::EMPTY,
            data: Text::EMPTY,
            id: parser.last_event_id().as_text(),
            url: url.as_text(),
            error: ErrorKind::None,
            state: State::Open,
            http_status: 200,
            retry_ms: -1,
            head: None,
            body: Text::EMPTY,
        };
        match self.kind {
            Kind::Message => {
                event.event_type = parser.event_type();
                event.data = parser.data();
            }
            Kind::Comment => {
                event.event_type = Text::literal("comment\0");
                event.data = parser.data();
            }
            kind => {
                event.event_type = match kind {
                    Kind::Connect => Text::literal("connect\0"),
                    Kind::Open => Text::literal("open\0"),
                    Kind::Error => Text::literal("error\0"),
                    _ => Text::literal("close\0"),
                };
                if self.id_withheld {
                    event.id = Text::EMPTY;
                }
                event.data = self.reason.as_text();
                event.error = self.error;
                event.state = self.state;
                event.http_status = self.status;
                event.retry_ms = self.retry_ms;
                event.head = self.head.as_ref();
                event.body = self.body.as_text();
            }
        }
        event
    }
}
