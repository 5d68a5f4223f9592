//! Those that are measured: ours, four others as their users call them, and a copy of the bytes as the floor.

use super::streams::Column;
use bytes::{Bytes, BytesMut};
use eventsource::internals;
use eventsource_client::Client as _;
use futures::StreamExt as _;
use futures::executor::block_on;
use futures::stream::{self, BoxStream};
use futures_codec::Decoder as _;
use launchdarkly_sdk_transport::{ByteStream, HttpTransport, Request, Response, ResponseFuture};
use std::hint::black_box;

pub struct Contestant {
    pub name: &'static str,
    /// Is to find the events.
    pub parses: bool,
    /// Is one of the others.
    pub competes: bool,
    pub begin: fn(&Column) -> Box<dyn State>,
}

/// One that goes on where it was.
pub trait State {
    /// Parses the column's stream once and gives the events and the bytes of data found.
    fn pass(&mut self) -> (usize, usize);
}

pub const ALL: [Contestant; 6] = [
    Contestant { name: "libeventsource", parses: true, competes: false, begin: |column| Box::new(Ours::new(column)) },
    Contestant { name: "sse-codec", parses: true, competes: true, begin: |column| Box::new(SseCodec::new(column)) },
    Contestant { name: "sseer", parses: true, competes: true, begin: |column| Box::new(Chunks::new(column, sseer)) },
    Contestant {
        name: "eventsource-client",
        parses: true,
        competes: true,
        begin: |column| Box::new(Chunks::new(column, eventsource_client)),
    },
    Contestant {
        name: "eventsource-stream",
        parses: true,
        competes: true,
        begin: |column| Box::new(Chunks::new(column, eventsource_stream)),
    },
    Contestant { name: "memcpy", parses: false, competes: false, begin: |column| Box::new(Copy::new(column)) },
];

/// Bytes are copied into the buffer that the parser lends, as `read` would; the texts are looked at.
struct Ours {
    stream: Vec<u8>,
    chunk: usize,
    parser: internals::Parser,
}

impl Ours {
    fn new(column: &Column) -> Ours {
        Ours { stream: column.stream.clone(), chunk: column.chunk, parser: internals::Parser::new(32 << 20) }
    }
}

impl State for Ours {
    fn pass(&mut self) -> (usize, usize) {
        let (mut events, mut bytes) = (0, 0);
        for chunk in self.stream.chunks(self.chunk) {
            self.parser.feed(chunk, |found| {
                if let internals::Found::Message { event_type, data, id } = found {
                    black_box((event_type, data, id));
                    events += 1;
                    bytes += data.len();
                }
            });
        }
        (events, bytes)
    }
}

struct SseCodec {
    stream: Vec<u8>,
    chunk: usize,
    codec: sse_codec::SSECodec,
    buffer: BytesMut,
}

impl SseCodec {
    fn new(column: &Column) -> SseCodec {
        SseCodec {
            stream: column.stream.clone(),
            chunk: column.chunk,
            codec: Default::default(),
            buffer: BytesMut::new(),
        }
    }
}

impl State for SseCodec {
    fn pass(&mut self) -> (usize, usize) {
        let (mut events, mut bytes) = (0, 0);
        for chunk in self.stream.chunks(self.chunk) {
            self.buffer.extend_from_slice(chunk);
            while let Ok(Some(event)) = self.codec.decode(&mut self.buffer) {
                if let sse_codec::Event::Message { data, .. } = black_box(event) {
                    events += 1;
                    bytes += data.len();
                }
            }
        }
        (events, bytes)
    }
}

/// Chunks that are `Bytes` already, and so cost their reader no copy; a stream a pass.
struct Chunks {
    chunks: Vec<Bytes>,
    parse: fn(Vec<Bytes>) -> (usize, usize),
}

impl Chunks {
    fn new(column: &Column, parse: fn(Vec<Bytes>) -> (usize, usize)) -> Chunks {
        Chunks { chunks: column.stream.chunks(column.chunk).map(Bytes::copy_from_slice).collect(), parse }
    }
}

impl State for Chunks {
    fn pass(&mut self) -> (usize, usize) {
        (self.parse)(self.chunks.clone())
    }
}

fn sseer(chunks: Vec<Bytes>) -> (usize, usize) {
    let mut events = sseer::EventStream::new(stream::iter(chunks.into_iter().map(Ok::<_, ()>)));
    let (mut count, mut bytes) = (0, 0);
    block_on(async {
        while let Some(Ok(event)) = events.next().await {
            bytes += black_box(event).data.len();
            count += 1;
        }
    });
    (count, bytes)
}

fn eventsource_stream(chunks: Vec<Bytes>) -> (usize, usize) {
    let mut events = eventsource_stream::EventStream::new(stream::iter(chunks.into_iter().map(Ok::<_, ()>)));
    let (mut count, mut bytes) = (0, 0);
    block_on(async {
        while let Some(Ok(event)) = events.next().await {
            bytes += black_box(event).data.len();
            count += 1;
        }
    });
    (count, bytes)
}

/// Its parser is private: it gets a response that is in memory already.
fn eventsource_client(chunks: Vec<Bytes>) -> (usize, usize) {
    #[derive(Clone)]
    struct Memory(Vec<Bytes>);
    impl HttpTransport for Memory {
        fn request(&self, _: Request<Option<Bytes>>) -> ResponseFuture {
            let body: ByteStream = Box::pin(stream::iter(self.0.clone().into_iter().map(Ok)));
            let response =
                Response::builder().header("content-type", "text/event-stream").body(body).expect("a response");
            Box::pin(std::future::ready(Ok(response)))
        }
    }
    let options = eventsource_client::ReconnectOptions::reconnect(false).build();
    let client = eventsource_client::ClientBuilder::for_url("http://memory.test/").expect("a URL").reconnect(options);
    let client = client.build_with_transport(Memory(chunks));
    let mut events: BoxStream<_> = Box::pin(client.stream());
    let (mut count, mut bytes) = (0, 0);
    block_on(async {
        while let Some(Ok(event)) = events.next().await {
            if let eventsource_client::SSE::Event(event) = black_box(event) {
                bytes += event.data.len();
                count += 1;
            }
        }
    });
    (count, bytes)
}

/// What it costs to have the bytes at all.
struct Copy {
    stream: Vec<u8>,
    chunk: usize,
    buffer: Vec<u8>,
}

impl Copy {
    fn new(column: &Column) -> Copy {
        Copy { stream: column.stream.clone(), chunk: column.chunk, buffer: vec![0; column.chunk] }
    }
}

impl State for Copy {
    fn pass(&mut self) -> (usize, usize) {
        for chunk in self.stream.chunks(self.chunk) {
            black_box(&mut self.buffer)[..chunk.len()].copy_from_slice(chunk);
        }
        (0, 0)
    }
}
