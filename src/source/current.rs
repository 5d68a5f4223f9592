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
        let (kind, id, url) = (self.kind, parser.last_event_id().as_text(), url.as_text());
        if kind == Kind::Message {
            let (event_type, data) = (parser.event_type(), parser.data());
            return Event { kind, event_type, data, id, url, details: Details::STREAM };
        }
        match kind {
            Kind::Comment => {
                let event_type = Text::literal("comment\0");
                Event { kind, event_type, data: parser.data(), id, url, details: Details::STREAM }
            }
            kind => {
                let event_type = match kind {
                    Kind::Connect => Text::literal("connect\0"),
                    Kind::Open => Text::literal("open\0"),
                    Kind::Error => Text::literal("error\0"),
                    _ => Text::literal("close\0"),
                };
                let id = if self.id_withheld { Text::EMPTY } else { id };
                Event { kind, event_type, data: self.reason.as_text(), id, url, details: &self.details }
            }
        }
    }
}
