//! A Server-Sent Events client that reconnects until it is closed.
#![allow(dead_code)] // while the layers are being joined

mod clock;
mod error;
mod event;
mod interrupt;
mod parser;
mod scan;
mod text;
mod thread;

#[doc(hidden)]
pub use clock::Clock;
pub use error::{CallError, ConfigError, ErrorKind};
pub use event::{Event, Kind, State};
pub use text::Text;
