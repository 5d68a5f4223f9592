//! Endpoints that are there without a script, for benches and demos. `README.md` lists them.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::connection::Connection;
use crate::json;
use crate::record::Request;
use crate::script::Script;

pub(crate) fn answer(request: &Request, connection: &mut Connection) -> io::Result<()> {
    match request.path() {
        "/flood" => flood(request, connection),
        "/ticks" => ticks(request, connection),
        "/clock" => plain(connection, 200, "OK", &monotonic_nanoseconds().to_string()),
        "/resume" => resume(request, connection),
        "/echo" => {
            let event = format!("data: {}\n\n", json::request(request));
            connection.run(&Script::events(event))
        }
        "/vectors" => {
            let all = Value::from(vectors()?).to_string();
            plain(connection, 200, "OK", &all)
        }
        path if path.starts_with("/vectors/") => vector(request, connection),
        path => {
            let text = format!("no script for {path}\n");
            plain(connection, 404, "Not Found", &text)
        }
    }
}

fn plain(connection: &mut Connection, status: u16, reason: &str, text: &str) -> io::Result<()> {
    let script = Script::status(status, reason).header("Content-Type", "text/plain").header("Connection", "close");
    connection.run(&script.length(text.len() as u64).body(text).end())
}

/// A number of the query; a mistake there ends the connection with a problem, not with a default.
fn number<T: std::str::FromStr>(request: &Request, name: &str, default: T) -> io::Result<T> {
    match request.query(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| io::Error::other(format!("{}: {name} is no number", request.target))),
    }
}

/// `count` events (0: without end) of `size` bytes each on the wire, as fast as the socket takes them.
fn flood(request: &Request, connection: &mut Connection) -> io::Result<()> {
    let size = number(request, "size", 100_usize)?.max(9);
    let count = number(request, "count", 0_u64)?;
    let event = format!("data: {}\n\n", "x".repeat(size - 8));
    let chunked = number(request, "chunked", 0)? != 0;
    let piece = if chunked { format!("{size:x}\r\n{event}\r\n") } else { event };
    let in_block = (256 << 10) / piece.len() + 1;
    let block = piece.repeat(in_block);
    connection.run(&if chunked { Script::sse().chunked() } else { Script::sse() })?;
    let mut left = if count == 0 { u64::MAX } else { count };
    while left > 0 {
        let n = left.min(in_block as u64);
        connection.send(&block[..n as usize * piece.len()])?;
        left -= n;
    }
    connection.end_body()?;
    connection.fin();
    Ok(())
}

/// One event every `ms` milliseconds (`0.5` is fine), `count` times (0: without end); its data is `/clock`'s number.
fn ticks(request: &Request, connection: &mut Connection) -> io::Result<()> {
    let pause = Duration::from_secs_f64(number(request, "ms", 1.0_f64)?.max(0.0) / 1000.0);
    let count = number(request, "count", 0_u64)?;
    let padding = " ".repeat(number(request, "size", 0_usize)?.saturating_sub(30));
    connection.run(&Script::sse())?;
    let mut sent = 0;
    while count == 0 || sent < count {
        connection.pause(pause)?;
        connection.send(format!("data: {}{padding}\n\n", monotonic_nanoseconds()))?;
        sent += 1;
    }
    Ok(())
}

/// Events numbered from 1 up to `total`, their number as id and data. Goes on behind Last-Event-ID, cuts the connection
/// after every `every` events (with `reset=1` by a reset), and answers 204 where nothing is left.
fn resume(request: &Request, connection: &mut Connection) -> io::Result<()> {
    let every = number(request, "every", 3_u64)?;
    let total = number(request, "total", 10_u64)?;
    let last = request.header("last-event-id").and_then(|id| id.parse().ok()).unwrap_or(0_u64);
    if last >= total {
        return connection.run(&Script::empty(204).end());
    }
    let mut body = String::new();
    if let Some(retry) = request.query("retry") {
        let _ = write!(body, "retry: {retry}\n\n");
    }
    for id in last + 1..=total.min(last.saturating_add(every)) {
        let _ = write!(body, "id: {id}\ndata: {id}\n\n");
    }
    let script = Script::sse().chunked().body(body);
    connection.run(&if number(request, "reset", 0)? != 0 { script.reset() } else { script.end() })
}

/// All of `tests/vectors/*.json`, read once.
fn vectors() -> io::Result<&'static [Value]> {
    static ALL: OnceLock<Vec<Value>> = OnceLock::new();
    if ALL.get().is_none() {
        let _ = ALL.set(read_vectors()?); // who comes second has read the same
    }
    Ok(ALL.get().map_or(&[], Vec::as_slice))
}

fn read_vectors() -> io::Result<Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors");
    let mut files: Vec<_> = std::fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "json"));
    files.sort();
    let mut all = Vec::new();
    for path in files {
        let value: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        all.extend(value.as_array().into_iter().flatten().cloned());
    }
    Ok(all)
}

/// One vector's stream, in one chunk (`split=whole`), a chunk for each byte (`byte`) or for each of pieces that `seed`
/// decides on (`random`). Then the stream ends, or with `hold=1` is held open.
fn vector(request: &Request, connection: &mut Connection) -> io::Result<()> {
    let name = percent_decode(&request.path()["/vectors/".len()..]);
    let Some(vector) = vectors()?.iter().find(|v| v["name"] == name.as_str()) else {
        return plain(connection, 404, "Not Found", &format!("no vector {name:?}\n"));
    };
    let input: Vec<u8> = vector["input"].as_str().unwrap_or_default().chars().map(|c| c as u8).collect();
    let mut random = number(request, "seed", 1_u64)?.wrapping_mul(2) | 1;
    connection.run(&Script::sse().chunked())?;
    let mut rest = &input[..];
    while !rest.is_empty() {
        let size = match request.query("split").unwrap_or("whole") {
            "whole" => rest.len(),
            "byte" => 1,
            "random" => {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                1 + (random >> 33) as usize % 24
            }
            other => return Err(io::Error::other(format!("no way to split: {other:?}"))),
        };
        let (piece, more) = rest.split_at(size.min(rest.len()));
        connection.body(piece)?;
        rest = more;
    }
    connection.run(&if number(request, "hold", 0)? != 0 { Script::new().stall() } else { Script::new().end() })
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let code = more.get(..2).and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u8::from_str_radix(d, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &more[2..];
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A clock that never goes back, the same in every process of the machine.
#[cfg(unix)]
fn monotonic_nanoseconds() -> i128 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("a monotonic clock");
    i128::from(now.tv_sec()) * 1_000_000_000 + i128::from(now.tv_nsec())
}

/// Only comparable with itself, where the system has no such clock.
#[cfg(not(unix))]
fn monotonic_nanoseconds() -> i128 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_nanos() as i128
}
