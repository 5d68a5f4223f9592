//! A Server-Sent Events client that reconnects until it is closed.
#![allow(dead_code)] // while the layers are being joined

mod backoff;
mod base64;
mod clock;
mod config;
mod error;
mod event;
mod header;
mod interrupt;
mod net;
mod parser;
mod pem;
mod proxy_url;
mod scan;
mod text;
mod thread;
mod url;

#[doc(hidden)]
pub use clock::Clock;
pub use config::{Config, ReconnectMode};
pub use error::{CallError, ConfigError, ErrorKind};
pub use event::{Event, Kind, State};
pub use text::Text;
