//! From a connected proxy on to the server: HTTP's CONNECT, or SOCKS5. The proxy looks the server's name up.

use std::io::{self, Read, Write};
use std::net::IpAddr;

use super::socket::{Socket, timed_out};
use super::{Deadline, Stop, Wire, words};
use crate::error::{ErrorKind, Failure};
use crate::interrupt::Interrupt;
use crate::proxy_url::{ProxyScheme, ProxyUrl};
use crate::url::Credentials;

/// All that a proxy may say before the tunnel stands.
const HEAD: usize = 64 * 1024;

/// Turns `socket`, which is connected to `proxy`, into one that is connected to `host`.
#[inline(never)]
pub(super) fn tunnel(
    proxy: &ProxyUrl,
    (host, port): (&str, u16),
    socket: &mut Socket,
    deadline: Deadline,
    interrupt: &Interrupt,
    wire: &Wire,
) -> Result<(), Stop> {
    // A zone names an interface of this machine: the proxy can do nothing with it.
    let host = host.split('%').next().unwrap_or(host);
    let mut stream = socket.until(deadline);
    let result = match proxy.scheme {
        ProxyScheme::Http => connect(proxy, host, port, &mut stream, wire),
        ProxyScheme::Socks5 => socks5(proxy, host, port, &mut stream),
    };
    result.map_err(|refusal| match refusal {
        _ if interrupt.is_fired() => Stop::Interrupted,
        Refusal::Broken(error) if timed_out(&error) => Stop::TimedOut,
        Refusal::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            failed("the proxy closed the connection before the way to the server was open".to_owned())
        }
        Refusal::Broken(error) => failed(format!("the connection to the proxy broke: {}", words(&error))),
        Refusal::Said(message) => failed(message),
    })
}

/// A proxy that cannot be reached has failed as a proxy, whatever the reason.
pub(super) fn unreachable(stop: Stop) -> Stop {
    match stop {
        Stop::Failed(failure) => failed(format!("the proxy cannot be reached: {}", failure.message)),
        stop => stop,
    }
}

fn failed(message: String) -> Stop {
    Stop::Failed(Failure::new(ErrorKind::Proxy, message))
}

enum Refusal {
    Broken(io::Error),
    Said(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Broken(error)
    }
}

fn said<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Said(message.into()))
}

fn connect(
    proxy: &ProxyUrl,
    host: &str,
    port: u16,
    stream: &mut (impl Read + Write),
    wire: &Wire,
) -> Result<(), Refusal> {
    let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let login = proxy
        .credentials
        .as_ref()
        .map_or_else(String::new, |credentials| format!("Proxy-Authorization: {}\r\n", credentials.basic()));
    // In one write, so in one packet: there are proxies that expect it so.
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n").as_bytes())?;

    let mut answer = Vec::new();
    let mut seen = 0;
    loop {
        let head = read_head(stream, &mut answer, &mut seen)?;
        let Some((status, line)) = status(&answer[head.clone()]) else {
            return said("the proxy's answer is not HTTP");
        };
        match status {
            100..=199 => {}
            // Neither HTTP nor TLS lets the server speak first.
            200..=299 if answer.len() > head.end => return said("the proxy sent more than its answer"),
            200..=299 => return Ok(()),
            407 => {
                wire.set_proxy_status(status);
                return match proxy.credentials {
                    None => said("the proxy wants a user and a password (407)"),
                    Some(_) => said("the proxy does not accept the user and password (407)"),
                };
            }
            _ => {
                wire.set_proxy_status(status);
                return said(format!("the proxy refused: {line}"));
            }
        }
    }
}

/// Reads until another head is complete, and says where in `answer` it lies.
fn read_head(
    stream: &mut impl Read,
    answer: &mut Vec<u8>,
    seen: &mut usize,
) -> Result<std::ops::Range<usize>, Refusal> {
    let begin = *seen;
    let mut chunk = [0; 1024];
    loop {
        // Lines may end in a bare LF, as everywhere in HTTP.
        while let Some(end) = memchr::memchr(b'\n', &answer[*seen..]) {
            let line = &answer[*seen..*seen + end];
            *seen += end + 1;
            if matches!(line, b"" | b"\r") {
                return Ok(begin..*seen);
            }
        }
        if answer.len() >= HEAD {
            return said("the proxy's answer is larger than 64 KiB");
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            n => answer.extend_from_slice(&chunk[..n]),
        }
    }
}

/// The number, and what can be shown of the line: `502 Bad Gateway`.
fn status(head: &[u8]) -> Option<(u16, String)> {
    let line = head.split(|byte| *byte == b'\n').next()?.trim_ascii();
    let line = line.strip_prefix(b"HTTP/1.")?.get(1..)?.strip_prefix(b" ")?.trim_ascii_start();
    let number = std::str::from_utf8(line.get(..3)?).ok()?.parse().ok().filter(|number| *number >= 100)?;
    if line.get(3).is_some_and(|byte| *byte != b' ') {
        return None;
    }
    let shown = line.iter().take(80).map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { ' ' });
    Some((number, shown.collect()))
}

fn socks5(proxy: &ProxyUrl, host: &str, port: u16, stream: &mut (impl Read + Write)) -> Result<(), Refusal> {
    const OPEN: u8 = 0;
    const PASSWORD: u8 = 2;
    match &proxy.credentials {
        None => stream.write_all(&[5, 1, OPEN])?,
        Some(_) => stream.write_all(&[5, 2, OPEN, PASSWORD])?,
    }
    match (read_array(stream)?, &proxy.credentials) {
        ([5, OPEN], _) => {}
        ([5, PASSWORD], Some(credentials)) => log_in(credentials, stream)?,
        ([5, 0xff], None) => return said("the proxy wants a user and a password"),
        ([5, 0xff], Some(_)) => return said("the proxy accepts no way to log in that this client knows"),
        _ => return said("the proxy's answer is not SOCKS5"),
    }
    let mut request = vec![5, 1, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Err(_) => {
            let Ok(length) = u8::try_from(host.len()) else { return said("the host's name is too long for SOCKS5") };
            request.extend([3, length]);
            request.extend(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request)?;
    let [version, reply, _, kind] = read_array(stream)?;
    if version != 5 {
        return said("the proxy's answer is not SOCKS5");
    }
    if reply != 0 {
        let why = match reply {
            2 => "its rules do not allow it",
            3 => "the network is unreachable",
            4 => "the host is unreachable, or its name unknown",
            5 => "the server refused the connection",
            6 => "the server did not answer",
            7 | 8 => "it does not support the request",
            _ => "it failed",
        };
        return said(format!("the proxy could not connect to the server: {why}"));
    }
    // The address that the proxy uses, which is of no interest.
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => read_array::<1>(stream)?[0].into(),
        _ => return said("the proxy's answer is not SOCKS5"),
    };
    stream.read_exact(&mut [0; 255 + 2][..length + 2])?;
    Ok(())
}

fn log_in(credentials: &Credentials, stream: &mut (impl Read + Write)) -> Result<(), Refusal> {
    let mut request = vec![1];
    for part in [&credentials.user, &credentials.password] {
        // The config refuses more than 255 bytes.
        let length = u8::try_from(part.len()).unwrap_or(u8::MAX);
        request.push(length);
        request.extend(&part[..length.into()]);
    }
    stream.write_all(&request)?;
    match read_array(stream)? {
        [_, 0] => Ok(()),
        [..] => said("the proxy does not accept the user and password"),
    }
}

fn read_array<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
