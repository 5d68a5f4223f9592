//! What a connection is to do, step by step, with control of every byte.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::connection::Connection;
use crate::record::Request;

/// How the length of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The end of the connection ends the body. No header is added.
    UntilClose,
    /// `Transfer-Encoding: chunked`; every `body` step is one chunk.
    Chunked,
    /// `Content-Length` with that number, whatever is really sent.
    Length(u64),
}

/// One thing to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// A response head, in one write. Sets the framing and the coding of the `Body` steps that follow.
    Head(Head),
    /// These bytes as they are, in one write.
    Send(Vec<u8>),
    /// A piece of body: compressed with a sync flush if the head says gzip, a chunk of its own if it says chunked.
    Body(Vec<u8>),
    /// These bytes as they are, `piece` at a time with `pause` between them.
    Trickle {
        /// What to send.
        bytes: Vec<u8>,
        /// How many bytes in one write.
        piece: usize,
        /// How long to wait between two writes.
        pause: Duration,
    },
    /// `unit` again and again until `limit` bytes have been sent or the peer goes away.
    Endless {
        /// What to repeat.
        unit: Vec<u8>,
        /// When to stop.
        limit: usize,
    },
    /// Sends nothing for that long.
    Pause(Duration),
    /// Waits for one `Server::go` of that name. Each call lets one step pass, early calls too.
    WaitFor(String),
    /// Tells the test that the script got here: `Server::wait_until_told`.
    Tell(String),
    /// Ends the body as its framing wants (last chunk, trailer of gzip), then as `Fin`.
    End,
    /// The last chunk or the trailer of gzip, and nothing else: the connection goes on.
    EndBody,
    /// FIN (with TLS a close_notify before it), then waits for the peer's.
    Fin,
    /// FIN without a close_notify. Without TLS the same as `Fin`.
    Truncate,
    /// FIN (with TLS a close_notify before it), and on to the next step.
    HalfClose,
    /// A reset.
    Reset,
    /// Holds the connection open, sends nothing, until the peer goes away or the server stops.
    Stall,
    /// Reads the next request on this connection and answers it as its path says.
    NextRequest,
}

/// A response head.
#[derive(Clone, Debug)]
pub struct Head {
    /// The status line, without its end.
    pub status_line: Vec<u8>,
    /// In the order sent.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// What is added to the headers, and how `Body` steps are sent.
    pub framing: Framing,
    /// Adds `Content-Encoding: gzip`, and compresses `Body` steps.
    pub gzip: bool,
}

impl Head {
    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.status_line.clone();
        bytes.extend(b"\r\n");
        let mut line = |name: &[u8], value: &[u8]| {
            bytes.extend(name);
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        };
        for (name, value) in &self.headers {
            line(name, value);
        }
        if self.gzip {
            line(b"Content-Encoding", b"gzip");
        }
        match self.framing {
            Framing::UntilClose => {}
            Framing::Chunked => line(b"Transfer-Encoding", b"chunked"),
            Framing::Length(n) => line(b"Content-Length", n.to_string().as_bytes()),
        }
        bytes.extend(b"\r\n");
        bytes
    }
}

/// Steps in their order. A script that runs out of steps ends with [`Step::Fin`].
///
/// ```
/// # use eventsource_test_server::Script;
/// let script = Script::sse().chunked().body("data: a\n\n").wait_for("more").body("data: b\n\n").end();
/// ```
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The steps; the methods below append to them.
    pub steps: Vec<Step>,
}

impl Script {
    /// No steps yet.
    pub fn new() -> Script {
        Script::default()
    }

    /// Begins with the head of an event stream that only the connection's end delimits.
    pub fn sse() -> Script {
        Script::status(200, "OK").header("Content-Type", "text/event-stream")
    }

    /// Begins with a head of that status and no headers.
    pub fn status(status: u16, reason: &str) -> Script {
        Script::new().head(Head {
            status_line: format!("HTTP/1.1 {status} {reason}").into_bytes(),
            headers: Vec::new(),
            framing: Framing::UntilClose,
            gzip: false,
        })
    }

    /// A whole response without a body.
    pub fn empty(status: u16) -> Script {
        Script::status(status, "Status").length(0)
    }

    /// A redirect without a body.
    pub fn redirect(status: u16, location: impl AsRef<[u8]>) -> Script {
        Script::status(status, "Redirect").header("Location", location).length(0)
    }

    /// An event stream of `events`, chunked, that ends well.
    pub fn events(events: impl AsRef<[u8]>) -> Script {
        Script::sse().chunked().body(events).end()
    }

    /// A head that never ends, sent until `limit` bytes: short header lines.
    pub fn endless_head(limit: usize) -> Script {
        Script::new().send("HTTP/1.1 200 OK\r\n").endless("X-Filler: 0123456789abcdef0123456789abcdef\r\n", limit)
    }

    /// A header line that never ends.
    pub fn endless_header_line(limit: usize) -> Script {
        Script::new().send("HTTP/1.1 200 OK\r\nX-Filler: ").endless("0123456789abcdef", limit)
    }

    /// 1xx responses without end.
    pub fn endless_informational(limit: usize) -> Script {
        Script::new().endless("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", limit)
    }

    /// A stream whose data line never ends.
    pub fn endless_line(limit: usize) -> Script {
        Script::sse().send("data: ").endless("0123456789abcdef", limit)
    }

    /// A stream whose comment never ends.
    pub fn endless_comment(limit: usize) -> Script {
        Script::sse().send(":").endless("0123456789abcdef", limit)
    }

    /// Appends a step.
    pub fn step(mut self, step: Step) -> Script {
        self.steps.push(step);
        self
    }

    /// [`Step::Head`].
    pub fn head(self, head: Head) -> Script {
        self.step(Step::Head(head))
    }

    fn last_head(&mut self) -> &mut Head {
        match self.steps.last_mut() {
            Some(Step::Head(head)) => head,
            other => panic!("header, chunked, length and gzip follow a head, not {other:?}"),
        }
    }

    /// Adds a header to the head just begun.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Script {
        self.last_head().headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Frames the body of the head just begun as chunks.
    pub fn chunked(mut self) -> Script {
        self.last_head().framing = Framing::Chunked;
        self
    }

    /// Gives the head just begun that Content-Length.
    pub fn length(mut self, length: u64) -> Script {
        self.last_head().framing = Framing::Length(length);
        self
    }

    /// Compresses the body of the head just begun.
    pub fn gzip(mut self) -> Script {
        self.last_head().gzip = true;
        self
    }

    /// [`Step::Send`].
    pub fn send(self, bytes: impl AsRef<[u8]>) -> Script {
        self.step(Step::Send(bytes.as_ref().to_vec()))
    }

    /// [`Step::Body`].
    pub fn body(self, bytes: impl AsRef<[u8]>) -> Script {
        self.step(Step::Body(bytes.as_ref().to_vec()))
    }

    /// [`Step::Trickle`] of one byte at a time, without pauses.
    pub fn bytewise(self, bytes: impl AsRef<[u8]>) -> Script {
        self.step(Step::Trickle { bytes: bytes.as_ref().to_vec(), piece: 1, pause: Duration::ZERO })
    }

    /// [`Step::Trickle`] of `piece` bytes each millisecond.
    pub fn slow(self, bytes: impl AsRef<[u8]>, piece: usize) -> Script {
        self.step(Step::Trickle { bytes: bytes.as_ref().to_vec(), piece, pause: Duration::from_millis(1) })
    }

    /// [`Step::Endless`].
    pub fn endless(self, unit: impl AsRef<[u8]>, limit: usize) -> Script {
        self.step(Step::Endless { unit: unit.as_ref().to_vec(), limit })
    }

    /// [`Step::Pause`].
    pub fn pause(self, span: Duration) -> Script {
        self.step(Step::Pause(span))
    }

    /// [`Step::WaitFor`].
    pub fn wait_for(self, name: &str) -> Script {
        self.step(Step::WaitFor(name.into()))
    }

    /// [`Step::Tell`].
    pub fn tell(self, name: &str) -> Script {
        self.step(Step::Tell(name.into()))
    }

    /// [`Step::End`].
    pub fn end(self) -> Script {
        self.step(Step::End)
    }

    /// [`Step::EndBody`].
    pub fn end_body(self) -> Script {
        self.step(Step::EndBody)
    }

    /// [`Step::Fin`].
    pub fn fin(self) -> Script {
        self.step(Step::Fin)
    }

    /// [`Step::Truncate`].
    pub fn truncate(self) -> Script {
        self.step(Step::Truncate)
    }

    /// [`Step::HalfClose`].
    pub fn half_close(self) -> Script {
        self.step(Step::HalfClose)
    }

    /// [`Step::Reset`].
    pub fn reset(self) -> Script {
        self.step(Step::Reset)
    }

    /// [`Step::Stall`].
    pub fn stall(self) -> Script {
        self.step(Step::Stall)
    }

    /// [`Step::NextRequest`].
    pub fn next_request(self) -> Script {
        self.step(Step::NextRequest)
    }
}

/// A handler in Rust. An error ends the connection as `Fin` does.
pub type Handler = dyn Fn(&Request, &mut Connection) -> io::Result<()> + Send + Sync;

/// How one request is answered.
#[derive(Clone)]
pub enum Reply {
    /// By a script.
    Script(Arc<Script>),
    /// By Rust code.
    Handler(Arc<Handler>),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Script(script) => script.fmt(f),
            Reply::Handler(_) => f.write_str("Handler"),
        }
    }
}

impl From<Script> for Reply {
    fn from(script: Script) -> Reply {
        Reply::Script(Arc::new(script))
    }
}

/// One reply, or one for each request of a path in turn; the last one is repeated.
#[derive(Clone, Debug)]
pub struct Replies(pub Vec<Reply>);

impl From<Script> for Replies {
    fn from(script: Script) -> Replies {
        Replies(vec![script.into()])
    }
}

impl From<Reply> for Replies {
    fn from(reply: Reply) -> Replies {
        Replies(vec![reply])
    }
}

impl From<Vec<Script>> for Replies {
    fn from(scripts: Vec<Script>) -> Replies {
        Replies(scripts.into_iter().map(Reply::from).collect())
    }
}

impl<const N: usize> From<[Script; N]> for Replies {
    fn from(scripts: [Script; N]) -> Replies {
        Replies(scripts.into_iter().map(Reply::from).collect())
    }
}

impl From<Vec<Reply>> for Replies {
    fn from(replies: Vec<Reply>) -> Replies {
        Replies(replies)
    }
}
