//! The parser beside four by others, over generated streams. Where one disagrees there has to be a rule of the standard, a row of
//! BEHAVIOUR's second part, that the stream touches and that this peer is known to break; each such row has an example here
//! that shows who is wrong.
#![allow(missing_docs)]

use bytes::{Bytes, BytesMut};
use eventsource::internals::{Found, Parser};
use futures::executor::block_on;
use futures::stream::{self, StreamExt as _};
use futures_codec::Decoder as _;

/// Type, data, last event ID.
type Message = (String, String, String);
/// The messages of a stream that comes in these chunks; those before the error, where the peer gives up.
type Parse = fn(&[&[u8]]) -> Vec<Message>;

/// A panic is a message that no stream has.
fn guarded(parse: Parse, chunks: &[&[u8]]) -> Vec<Message> {
    std::panic::catch_unwind(|| parse(chunks)).unwrap_or_else(|_| vec![("panic".into(), String::new(), String::new())])
}

fn ours(chunks: &[&[u8]]) -> Vec<Message> {
    let mut parser = Parser::new(32 << 20);
    let mut all = Vec::new();
    for chunk in chunks {
        parser.feed(chunk, |found| {
            if let Found::Message { event_type, data, id } = found {
                let text = |bytes| String::from_utf8(Vec::from(bytes)).expect("UTF-8");
                all.push((text(event_type), text(data), text(id)));
            }
        });
    }
    all
}

fn eventsource_stream(chunks: &[&[u8]]) -> Vec<Message> {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok::<_, ()>(Bytes::copy_from_slice(chunk))).collect();
    let mut events = eventsource_stream::EventStream::new(stream::iter(chunks));
    let mut all = Vec::new();
    while let Some(Ok(event)) = block_on(events.next()) {
        all.push((event.event, event.data, event.id));
    }
    all
}

fn sseer(chunks: &[&[u8]]) -> Vec<Message> {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok::<_, ()>(Bytes::copy_from_slice(chunk))).collect();
    let mut events = sseer::EventStream::new(stream::iter(chunks));
    let mut all = Vec::new();
    while let Some(Ok(event)) = block_on(events.next()) {
        all.push((event.event.to_string(), event.data.to_string(), event.id.to_string()));
    }
    all
}

fn sse_codec(chunks: &[&[u8]]) -> Vec<Message> {
    let (mut codec, mut buffer, mut all) = (sse_codec::SSECodec::default(), BytesMut::new(), Vec::new());
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        while let Ok(Some(event)) = codec.decode(&mut buffer) {
            if let sse_codec::Event::Message { id, event, data } = event {
                all.push((event, data, id.unwrap_or_default()));
            }
        }
    }
    all
}

fn sse_parse(chunks: &[&[u8]]) -> Vec<Message> {
    let (mut parser, mut all) = (sse_parse::SseParser::new(), Vec::new());
    for chunk in chunks {
        parser.feed(chunk);
        while let Some(event) = parser.next_event() {
            all.push((event.event, event.data, event.id));
        }
    }
    all
}

const PEERS: [(&str, Parse); 4] =
    [("eventsource-stream", eventsource_stream), ("sseer", sseer), ("sse-codec", sse_codec), ("sse-parse", sse_parse)];

/// A rule that a peer breaks, and when a stream touches it.
struct Rule {
    peers: &'static [&'static str],
    row: u32,
    what: &'static str,
    touches: fn(&[u8]) -> bool,
    /// A stream, and the data of its messages by the standard, which the peers get wrong.
    example: (&'static [u8], &'static [(&'static str, &'static str, &'static str)]),
}

fn lines(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    stream.split(|byte| matches!(byte, b'\r' | b'\n'))
}

const ALL: &[&str] = &["eventsource-stream", "sseer", "sse-codec"];

const RULES: &[Rule] = &[
    Rule {
        peers: ALL,
        row: 51,
        what: "bytes that are not UTF-8 end the stream for them",
        touches: |stream| std::str::from_utf8(stream).is_err(),
        example: (b"data: a\xFF\n\n", &[("message", "a\u{FFFD}", "")]),
    },
    Rule {
        peers: &["eventsource-stream"],
        row: 52,
        what: "a mark at the beginning is a panic",
        touches: |stream| stream.starts_with(b"\xEF\xBB\xBF"),
        example: (b"\xEF\xBB\xBFdata: a\n\n", &[("message", "a", "")]),
    },
    Rule {
        peers: &["sse-codec"],
        row: 53,
        what: "the first mark at the beginning of any line is dropped",
        touches: |stream| lines(stream).skip(1).any(|line| line.starts_with(b"\xEF\xBB\xBF")),
        example: (b"\n\xEF\xBB\xBFdata: a\n\n", &[]),
    },
    Rule {
        peers: &["sse-codec"],
        row: 65,
        what: "event and id without a colon are not seen",
        touches: |stream| lines(stream).any(|line| [&b"event"[..], b"id"].contains(&line)),
        example: (b"event: x\nevent\ndata: a\n\n", &[("message", "a", "")]),
    },
    Rule {
        peers: &["sse-codec"],
        row: 78,
        what: "an empty type is a type",
        touches: |stream| lines(stream).any(|line| [&b"event:"[..], b"event: "].contains(&line)),
        example: (b"event:\ndata: a\n\n", &[("message", "a", "")]),
    },
];

/// Numbers that look random, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % n
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// A stream of a few lines; `wild` ones may hold anything.
fn stream(dice: &mut Dice, wild: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    if dice.below(8) == 0 {
        bytes.extend(b"\xEF\xBB\xBF");
    }
    for _ in 0..=dice.below(9) {
        let names: [&[u8]; 16] = [
            b"data:", b"data: ", b"data", b"data:", b"data: ", b"event:", b"event: ", b"id:", b"id: ", b":", b": ",
            b"x: ", b"retry: ", b"Data:", b"data :", b"",
        ];
        bytes.extend(dice.of(&names));
        let values: [&[u8]; 10] = [
            b"a",
            b"b:c",
            b" d ",
            "é😀".as_bytes(),
            b"",
            b"12",
            b"0123456789abcdef",
            b"\x00",
            "\u{2028}\u{85}\x0B\x0C".as_bytes(),
            b"e",
        ];
        bytes.extend(dice.of(&values));
        if wild && dice.below(4) == 0 {
            let odd: [&[u8]; 8] =
                [b"\xFF", b"\xE2\x82", b"\xEF\xBB\xBF", b"\xED\xA0\x80", b"event", b"id", b"\r", b"event\n"];
            bytes.extend(dice.of(&odd));
        }
        let ends: [&[u8]; 9] = [b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r"];
        bytes.extend(dice.of(&ends));
    }
    bytes.extend(b"\n");
    bytes
}

fn chunked<'a>(dice: &mut Dice, mut rest: &'a [u8]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    let most = 1 + dice.below(40);
    while !rest.is_empty() {
        let (now, later) = rest.split_at((1 + dice.below(most)).min(rest.len()));
        chunks.push(now);
        rest = later;
    }
    chunks
}

#[test]
fn every_disagreement_is_explained() {
    std::panic::set_hook(Box::new(|panic| {
        // The peers' own panics are counted, not shown.
        if panic.location().is_some_and(|place| place.file().ends_with("differential.rs")) {
            eprintln!("{panic}");
        }
    }));
    let mut dice = Dice(7);
    let (mut agreed, mut explained) = ([0; 4], [0; 4]);
    for n in 0..30_000 {
        let stream = stream(&mut dice, n % 3 == 0);
        let chunks = chunked(&mut dice, &stream);
        let wanted = ours(&chunks);
        assert_eq!(ours(&[&stream]), wanted, "ours, in chunks");
        for (i, (peer, parse)) in PEERS.iter().enumerate() {
            let seen = guarded(*parse, &chunks);
            if seen == wanted {
                agreed[i] += 1;
                continue;
            }
            let known = RULES.iter().any(|rule| rule.peers.contains(peer) && (rule.touches)(&stream));
            assert!(
                known,
                "{peer} disagrees:\n{:?}\n{chunks:?}\nours {wanted:?}\nits  {seen:?}",
                String::from_utf8_lossy(&stream)
            );
            explained[i] += 1;
        }
    }
    println!("agreed {agreed:?}, explained {explained:?}");
    // What is never compared shows nothing.
    assert!(agreed.iter().all(|n| *n > 10_000), "agreed {agreed:?}");
}

#[test]
fn each_rule_has_an_example_that_shows_who_is_wrong() {
    for rule in RULES {
        let (stream, wanted) = rule.example;
        let wanted: Vec<Message> = wanted.iter().map(|(t, d, i)| ((*t).into(), (*d).into(), (*i).into())).collect();
        assert_eq!(ours(&[stream]), wanted, "row {}: {}", rule.row, rule.what);
        assert!((rule.touches)(stream), "row {}: {}", rule.row, rule.what);
        for (peer, parse) in PEERS.iter().filter(|(peer, _)| rule.peers.contains(peer)) {
            assert_ne!(guarded(*parse, &[stream]), wanted, "{peer} keeps row {} by now: {}", rule.row, rule.what);
        }
    }
}
