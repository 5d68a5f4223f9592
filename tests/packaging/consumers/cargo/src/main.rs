//! Prints the data of each message until the server ends the stream.

use eventsource::{CallError, Config, EventSource, Kind};

fn main() -> Result<(), CallError> {
    let url = std::env::args().nth(1).unwrap_or_default();
    let mut source = EventSource::new(&Config::new(&url)?)?;
    while let Ok(event) = source.next() {
        if event.kind() == Kind::Message {
            println!("{}", event.data());
        }
    }
    Ok(())
}
