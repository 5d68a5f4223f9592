//! A Server-Sent Events client that reconnects until it is closed, behind one C header.
//!
//! ```no_run
//! use eventsource::{Config, EventSource, Kind};
//!
//! let mut source = EventSource::new(&Config::new("https://example.test/prices")?)?;
//! while let Ok(event) = source.next() {
//!     if event.kind() == Kind::Message {
//!         println!("{}: {}", event.event_type(), event.data());
//!     }
//! }
//! # Ok::<(), eventsource::CallError>(())
//! ```
//!
//! # Architecture
//!
//! Dependencies point one way, from the top of this picture to its bottom:
//!
//! ```text
//! ffi                       C functions: checks arguments, turns pointers into references, no logic
//!  └ drive                  the four ways to use a source: start, run, next, start_polled (or start_watched) + poll
//!     ├ handle              what may be called from any thread: close, pause, retry, set_header …
//!     ├ worker              does the blocking work, owns the connection
//!     │  └ http             one attempt: request, redirects, judgement of the response; the body and its framing
//!     │     └ net           names, TCP, TLS, proxies; the connection, which ureq borrows up to the response's head
//!     └ source              the only state machine; never blocks
//!        ├ policy, backoff  what follows from a failure, and when
//!        └ parser           bytes in any chunks → events; the read buffer
//! control, interrupt        where callers meet the machine and end what blocks
//! config, event, error …    leaves
//! ```
//!
//! **Who owns what.** The *machine* (`source`) owns the parser, the read buffer, the back-off, the last event ID and the event
//! on loan. The *worker* owns the connection, its socket and its TLS state. They talk in plain data (`work`): the machine asks
//! for an attempt, a read into a buffer that it lends, or a wait; the worker answers with a response head, bytes or a failure.
//! *Control* is the one mutex that callers, machine and worker share: what is wanted (run, pause, close), the answers to the
//! last event, the overridden URL and headers, and the interrupt of the work under way.
//!
//! **Which thread does what.** With [`EventSource::start`] machine and worker live on one thread of ours, with
//! [`EventSource::run`] and [`EventSource::next`] on the caller's. With [`EventSource::start_polled`] the machine lives on the
//! event loop's thread, where [`EventSource::poll`] and [`EventSource::poll_each`] never block, and the worker on one of ours;
//! work and results lie on a desk between the two, and in a flood the worker goes with them: then the loop reads for itself.
//! With [`EventSource::start_watched`] it does so at all times, told by the descriptor and not by our thread, which sleeps.
//! Names are looked up on helper threads, since libc does not let go of a lookup; they alone may outlive a source.
//!
//! **Why nothing is late or lost.** Every close, pause, resume and reconnect raises an *epoch* under the mutex and fires the
//! *interrupt*, which ends whatever blocks: lookup, connect, handshake, read, write, wait. Work carries the epoch that it was
//! made in; work that comes too late cannot begin and results that come too late are thrown away whole. So there is one rule
//! for every race, and `close` is true at once.
//!
//! **Why memory is bounded.** There is no queue of events. Events lie in the read buffer until they have been handed out, and
//! while they are there nothing more is read: TCP tells the server to wait. One event may be as large as
//! [`Config::set_max_event_size`] says, and everything before the body as large as 64 KiB.
//!
//! # Features
//!
//! `capi` (default): the C functions, and the generation of `include/eventsource.h`. It takes the trace level out of the `log`
//! crate for the whole program; Rust programs that want theirs say `default-features = false`.

mod backoff;
mod base64;
mod clock;
mod config;
mod control;
mod drive;
mod error;
mod event;
#[cfg(feature = "capi")]
mod ffi;
mod handle;
mod header;
mod http;
#[cfg(feature = "bench-internals")]
#[doc(hidden)]
pub mod internals;
mod interrupt;
mod mime;
mod net;
mod parser;
mod pem;
mod policy;
mod proxy_url;
mod scan;
mod source;
mod text;
mod thread;
mod url;
mod work;
mod worker;

#[doc(hidden)]
pub use clock::Clock;
pub use config::{Config, ReconnectMode};
pub use drive::{Descriptor, EventSource};
pub use error::{CallError, ConfigError, ErrorKind};
pub use event::{Event, Kind, State};
pub use handle::Handle;
pub use text::Text;
