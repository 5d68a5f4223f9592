//! quickstart: a small event server and a client of it in one process. The connection is lost on purpose, and you see how the
//! client goes on where it was. Needs no network and no arguments, and ends by itself:
//!
//!     cargo run --example quickstart

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use eventsource::{Config, EventSource, Kind};

/// What the server tells, event 1 first.
const STORY: [&str; 6] =
    ["The sun rises", "The birds sing", "It is noon", "The bees hum", "The sun sets", "The owls call"];
/// In the middle of this event the server cuts the connection, once.
const CUT: usize = 4;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/day", listener.local_addr()?);
    println!("server: I tell a story of {} events at {url}", STORY.len());
    thread::spawn(move || serve(&listener));

    let mut source = EventSource::new(&Config::new(&url)?)?;
    let mut received = Vec::new(); // (id, data)
    let mut resumed_after = Vec::new(); // the last event ID of each attempt
    while let Ok(event) = source.next() {
        match event.kind() {
            Kind::Connect => {
                match event.id() {
                    "" => println!("client: I connect, and want the story from the beginning"),
                    id => println!("client: I connect again, and have had everything up to event {id}"),
                }
                resumed_after.push(event.id().to_owned());
            }
            Kind::Open => println!("client: the server has accepted, the stream is open"),
            Kind::Message => {
                println!("client: event {}: {}", event.id(), event.data());
                received.push((event.id().to_owned(), event.data().to_owned()));
            }
            // Nothing has to be done about it: the library connects again by itself.
            Kind::Error => {
                println!("client: I lost the server ({}). Next attempt in {} ms", event.data(), event.retry_ms())
            }
            Kind::Close => println!("client: the server says that there will be no more ({}). I am done", event.data()),
            _ => {}
        }
    }

    let told = STORY.iter().enumerate().map(|(n, text)| ((n + 1).to_string(), text.to_string()));
    let whole = received.iter().cloned().eq(told);
    let resumed = resumed_after == ["", &(CUT - 1).to_string(), &STORY.len().to_string()];
    if whole && resumed {
        println!(
            "\nAll {} events came, each once and in order, although the connection broke between them.",
            STORY.len()
        );
        Ok(ExitCode::SUCCESS)
    } else {
        println!("\nThis went wrong: attempts after {resumed_after:?}, events {received:?}");
        Ok(ExitCode::FAILURE)
    }
}

/// One connection after the other. The first is cut; the second tells the rest; to the third there is nothing left to say.
fn serve(listener: &TcpListener) {
    for (number, connection) in listener.incoming().enumerate() {
        if let Err(error) = connection.and_then(|connection| answer(connection, number == 0)) {
            println!("server: {error}");
        }
    }
}

fn answer(mut connection: TcpStream, cut: bool) -> io::Result<()> {
    // Where the client wants to go on. Servers that keep their events for a while make streams that lose nothing.
    let after = last_event_id(&connection)?;
    if after == STORY.len() {
        // 204 is the one way to say: do not come back.
        return connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
    }
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")?;
    connection.write_all(b"retry: 400\n\n")?; // how many milliseconds to wait before connecting again
    for (id, text) in (1..).zip(STORY).skip(after) {
        thread::sleep(Duration::from_millis(200));
        if cut && id == CUT {
            println!("server: I cut the connection in the middle of event {id}");
            write!(connection, "id: {id}\ndata: {}", &text[..text.len() / 2])?;
            return connection.shutdown(Shutdown::Both);
        }
        write!(connection, "id: {id}\ndata: {text}\n\n")?;
    }
    println!("server: that was all");
    Ok(())
}

/// Reads the request, up to its blank line.
fn last_event_id(connection: &TcpStream) -> io::Result<usize> {
    let mut id = 0;
    for line in BufReader::new(connection).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((_, value)) = line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("last-event-id")) {
            id = value.parse().unwrap_or_default();
        }
    }
    Ok(id)
}
