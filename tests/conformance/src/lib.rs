//! What the conformance run and the driver of the contract test services share.

pub mod words;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The answer to a [`call`].
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The head, from the status line to the last header.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// One request over a connection of its own. `authority` is `host:port`.
pub fn call(authority: &str, method: &str, path: &str, body: &str) -> io::Result<Answer> {
    let mut peer = TcpStream::connect(authority)?;
    peer.set_read_timeout(Some(Duration::from_secs(60)))?; // only a hang reaches it
    write!(peer, "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n")?;
    write!(peer, "Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    // A peer that ends right after its answer may do so with a reset.
    if let Err(e) = peer.read_to_string(&mut answer) {
        if !answer.contains("\r\n\r\n") {
            return Err(e);
        }
    }
    let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP: {answer:?}"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(bad)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
    Ok(Answer { status, head: head.into(), body: body.into() })
}
