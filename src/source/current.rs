//! The event that is on loan.

use crate::event::{Details, Event, Kind, State};
use crate::parser::Parser;
use crate::text::{Text, TextBuf};

/// The event that was last handed out, as far as it is not in the parser.
pub(super) struct Current {
    pub(super) kind: Kind,
    pub(super) reason: TextBuf,
    pub(super) details: Details,
    /// Of CONNECT: the ID that will be sent, where it is not the last event ID.
    pub(super) id_withheld: bool,
}

impl Current {
    /// One that says nothing but this.
    pub(super) fn new(kind: Kind, state: State) -> Current {
        Current::with(kind, "", Details::new(state, 0))
    }

    pub(super) fn with(kind: Kind, reason: &str, details: Details) -> Current {
        Current { kind, reason: TextBuf::from(reason), details, id_withheld: false }
    }

    /// The event as its receiver sees it. Messages and comments lie in the parser.
    #[inline(always)]
    pub(super) fn event<'a>(&'a self, parser: &'a Parser, url: &'a TextBuf) -> Event<'a> {
        if self.kind != Kind::Message {
            return self.other_event(parser, url);
        }
        Event {
            kind: Kind::Message,
            event_type: parser.event_type(),
            data: parser.data(),
            id: parser.last_event_id().as_text(),
            url: url.as_text(),
            details: Details::STREAM,
        }
    }

    #[inline(never)]
    fn other_event<'a>(&'a self, parser: &'a Parser, url: &'a TextBuf) -> Event<'a> {
        let event_type = match self.kind {
            Kind::Connect => Text::literal("connect\0"),
            Kind::Open => Text::literal("open\0"),
            Kind::Error => Text::literal("error\0"),
            Kind::Close => Text::literal("close\0"),
            _ => Text::literal("comment\0"),
        };
        let (data, details) = match self.kind {
            Kind::Comment => (parser.data(), Details::STREAM),
            _ => (self.reason.as_text(), &self.details),
        };
        let id = if self.id_withheld { Text::EMPTY } else { parser.last_event_id().as_text() };
        Event { kind: self.kind, event_type, data, id, url: url.as_text(), details }
    }
}
