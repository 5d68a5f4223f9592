//! tail: follows an event stream and prints what it says, until the server ends it or you press Ctrl-C.
//!
//!     cargo run --example tail -- [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL
//!
//! Each event is a line `type: data` on stdout. With -v, what happens around the events is told on stderr: attempts, comments,
//! errors. Exit status: 0 the server ended the stream or Ctrl-C was pressed, 1 the stream failed for good, 2 wrong usage.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use eventsource::{CallError, Config, ErrorKind, Event, EventSource, Handle, Kind};

const USAGE: &str = "usage: tail [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL";

fn main() -> ExitCode {
    let (config, verbose) = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("tail: {error}");
            return ExitCode::from(2);
        }
    };
    follow(&config, verbose).unwrap_or_else(|error| {
        eprintln!("tail: {error}");
        ExitCode::FAILURE
    })
}

fn follow(config: &Config, verbose: bool) -> Result<ExitCode, Box<dyn Error>> {
    let mut source = EventSource::new(config)?;
    close_on_signal(source.handle())?;
    let mut exit = ExitCode::SUCCESS;
    loop {
        match source.next() {
            Ok(event) => exit = print(&event, verbose)?,
            Err(CallError::Closed) => return Ok(exit),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The exit status that this event means, which counts if it is the last.
fn print(event: &Event<'_>, verbose: bool) -> io::Result<ExitCode> {
    let data = event.data(); // of a comment the text, of errors the reason
    match event.kind() {
        Kind::Message => {
            let mut out = io::stdout().lock();
            writeln!(out, "{}: {data}", event.event_type())?;
            out.flush()?;
        }
        Kind::Connect if verbose && event.id().is_empty() => eprintln!("* connect {}", event.url()),
        Kind::Connect if verbose => eprintln!("* connect {} after {}", event.url(), event.id()),
        Kind::Open if verbose => eprintln!("* open {}", event.url()),
        Kind::Comment if verbose => eprintln!(":{data}"),
        Kind::Error if verbose && event.retry_ms() >= 0 => {
            eprintln!("* error: {data}; trying again in {} ms", event.retry_ms());
        }
        Kind::Error if verbose => eprintln!("* error: {data}"),
        Kind::Close => {
            if verbose {
                eprintln!("* close: {data}");
            }
            // None: we asked for it. Ended: the server did.
            if !matches!(event.error(), ErrorKind::None | ErrorKind::Ended) {
                eprintln!("tail: {data}");
                return Ok(ExitCode::FAILURE);
            }
        }
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The options, read into a config, and whether there was a -v.
fn options(mut args: impl Iterator<Item = String>) -> Result<(Config, bool), Box<dyn Error>> {
    let (mut headers, mut method, mut body, mut url, mut verbose) = (Vec::new(), None, None, None, false);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(USAGE);
        match arg.as_str() {
            "-v" => verbose = true,
            "-H" => headers.push(value()?),
            "-X" => method = Some(value()?),
            "-d" => body = Some(value()?),
            _ if !arg.starts_with('-') && url.is_none() => url = Some(arg),
            _ => return Err(USAGE.into()),
        }
    }
    let mut config = Config::new(&url.ok_or(USAGE)?)?;
    for header in headers {
        let (name, value) = header.split_once(':').ok_or("a header is 'Name: value'")?;
        config.set_header(name, value.trim_start())?;
    }
    if let Some(method) = method {
        config.set_method(&method)?;
    }
    if let Some(body) = body {
        config.set_body(body.as_bytes())?;
    }
    Ok((config, verbose))
}

/// Nothing of the library may be called in a signal handler, close included. A thread that waits for the signal may.
#[cfg(unix)]
fn close_on_signal(source: Handle) -> Result<(), Box<dyn Error>> {
    use nix::sys::signal::{SigSet, Signal};

    let ending = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    ending.thread_block()?; // and in all threads that are made from now on: only `wait` sees them
    std::thread::Builder::new().spawn(move || ending.wait().map(|_| source.close()))?;
    Ok(())
}

/// Elsewhere Ctrl-C just ends the program.
#[cfg(not(unix))]
fn close_on_signal(_: Handle) -> Result<(), Box<dyn Error>> {
    Ok(())
}
