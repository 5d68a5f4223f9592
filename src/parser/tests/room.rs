//! The buffer: where texts lie, how large it is, what survives a reset.

use super::buffer::{AHEAD, LARGEST, SMALLEST};
use super::*;

const MAX: usize = 32 << 20;

fn storage<S: Scan>(feed: &Feed<S>) -> usize {
    feed.parser.buffer.bytes.capacity()
}

/// Whether the last item's data is a slice of the read buffer.
fn lies_in_buffer(parser: &Parser) -> bool {
    parser.buffer.bytes.as_ptr_range().contains(&parser.data().as_bytes().as_ptr())
}

fn parse_one(parser: &mut Parser, bytes: &[u8]) -> Item {
    let mut buffer = parser.lend();
    buffer.space()[..bytes.len()].copy_from_slice(bytes);
    buffer.advance(bytes.len());
    parser.give_back(buffer);
    parser.next().unwrap()
}

#[test]
fn texts_are_not_copied() {
    let mut parser = Parser::new(MAX);
    for stream in
        ["event: t\ndata: one line\n\n", "data: two\r\ndata: lines\r\n\r\n", ": comment\r", "data: é€\nevent: ü\n\n"]
    {
        assert_ne!(parse_one(&mut parser, stream.as_bytes()), Item::TooLarge);
        assert!(lies_in_buffer(&parser), "{stream}");
        assert_eq!(parser.next(), None);
    }
    assert_eq!(parse_one(&mut parser, b"data: \xFF\n\n"), Item::Message);
    assert!(!lies_in_buffer(&parser), "what became U+FFFD cannot lie in the buffer");
}

#[test]
fn the_nul_over_a_cr_does_not_hide_it() {
    let mut parser = Parser::new(MAX);
    assert_eq!(parse_one(&mut parser, b":a\r"), Item::Comment);
    assert_eq!(parser.data().as_bytes_with_nul(), b"a\0");
    assert_eq!(parser.next(), None);
    assert_eq!(parse_one(&mut parser, b"\n:b\r"), Item::Comment);
    assert_eq!(parser.next(), None);
    assert_eq!(parse_one(&mut parser, b":c\r"), Item::Comment);
    assert_eq!(parser.next(), None);
}

#[test]
fn an_idle_connection_costs_2_kib() {
    let mut feed = Feed::<Native>::new(MAX, Way::Lent);
    assert_eq!(storage(&feed), 0);
    feed.feed(b"data: a\n\n: b\n");
    assert_eq!(storage(&feed), SMALLEST);
    (0..50).for_each(|_| feed.feed(&[b"data: ", &[b'x'; 90][..], b"\n\n"].concat()));
    assert_eq!(storage(&feed), SMALLEST);
}

#[test]
fn grows_when_reads_fill_it_and_shrinks_when_they_do_not() {
    for (way, most) in [(Way::Lent, LARGEST), (Way::Ahead, AHEAD)] {
        let mut feed = Feed::<Native>::new(MAX, way);
        let event = [b"data: ", &[b'x'; 90][..], b"\n\n"].concat();
        let burst = event.repeat(10_000);
        feed.feed(&burst);
        assert_eq!(storage(&feed), most, "{way:?}");
        (0..8).for_each(|_| feed.feed(&event));
        assert_eq!(storage(&feed), SMALLEST, "{way:?}");
        if let Some(spare) = &feed.spare {
            assert_eq!(spare.bytes.capacity(), SMALLEST);
        }
        assert_eq!(feed.got.len(), 10_008);
    }
}

#[test]
fn storage_of_a_large_event_is_given_up() {
    for way in [Way::Lent, Way::Ahead] {
        let mut feed = Feed::<Native>::new(MAX, way);
        feed.feed(&[b"data: ", &[b'x'; 5_000_000][..], b"\n\n"].concat());
        (0..8).for_each(|_| feed.feed(b":\n"));
        assert_eq!(storage(&feed), SMALLEST, "{way:?}");
        // Also where reads stay large.
        feed.feed(&[b"data: ", &[b'x'; 500_000][..], b"\n\n"].concat());
        let flow = b"data: 0123456789\n\n".repeat(1_000_000);
        flow.chunks(30_000).for_each(|chunk| feed.feed(chunk));
        assert!(storage(&feed) <= LARGEST, "{way:?}: {}", storage(&feed));
    }
}

#[test]
fn large_copies_do_not_stay() {
    let mut feed = Feed::<Native>::new(MAX, Way::Lent);
    let text = "x".repeat(50_000);
    feed.feed(
        &[
            b"event: ",
            text.as_bytes(),
            b"\ndata: a\ndata: \xFF",
            text.as_bytes(),
            b"\nid: \xFF\n:\xFF",
            text.as_bytes(),
            b"\n\n",
        ]
        .concat(),
    );
    assert_eq!(feed.got.len(), 2);
    feed.feed(b"\n");
    for piece in [&feed.parser.data, &feed.parser.event_type, &feed.parser.id, &feed.parser.comment] {
        assert!(piece.storage() <= 256);
    }
}

#[test]
fn reading_ahead_takes_the_unfinished_block_along() {
    // Less than the headroom, and more; before, within and behind each part of a block.
    for size in [10, 500, 2000, 9000, 200_000] {
        let data = "d".repeat(size);
        let block = format!("event: type\nid: 7\ndata: {data}\nevent: t\ndata: {data}\n\n");
        for cut in [3, 11, 12, 18, 24, 24 + size, 25 + size, 30 + size, 34 + size, 34 + 2 * size, block.len() - 1] {
            let mut feed = Feed::<Native>::new(MAX, Way::Ahead);
            feed.feed(&block.as_bytes()[..cut]);
            feed.feed(&block.as_bytes()[cut..]);
            assert_eq!(feed.items(), [message("t", &format!("{data}\n{data}"), "7")], "{size}, {cut}");
        }
    }
}

#[test]
fn reset_begins_anew() {
    // Row 50: half a block, half a CRLF, half a character, half a byte order mark, half a number.
    for half in [
        &b"id: 2\nevent: x\ndata: a\n"[..],
        b"data: a\r",
        b"data: \xE2\x82",
        b"\xEF\xBB",
        b"retry: 1",
        b": c",
        b"id: 2",
    ] {
        for lent in [false, true] {
            let mut feed = Feed::<Native>::new(MAX, Way::Lent);
            feed.feed(b"id: 1\ndata: a\n\n");
            feed.feed(half);
            if lent {
                drop(feed.parser.lend());
            }
            feed.parser.reset();
            feed.got.clear();
            feed.feed(b"\xEF\xBB\xBF\ndata: b\n\n");
            assert_eq!(feed.items(), [message("message", "b", "1")], "{half:?}");
        }
    }
}

#[test]
fn reset_keeps_a_number_and_gives_up_storage() {
    let mut parser = Parser::new(MAX);
    let mut buffer = parser.lend();
    buffer.space()[..10].copy_from_slice(b"retry: 12\n");
    buffer.advance(10);
    parser.give_back(buffer);
    assert_eq!(parser.next(), None);
    parser.reset();
    assert_eq!(parser.take_retry(), Some(Duration::from_millis(12)));
    assert_eq!(parser.take_retry(), None);
    assert!(parser.buffer.bytes.is_empty());
}

#[test]
fn a_lost_buffer_is_a_lost_connection() {
    let mut parser = Parser::new(MAX);
    assert_eq!(parse_one(&mut parser, b"id: 1\ndata: a\n\ndata: b"), Item::Message);
    let stale = parser.lend();
    assert_eq!(parser.next(), None);
    assert_eq!(parser.data().as_bytes(), b"");
    drop(parser.lend());
    parser.reset();
    parser.give_back(stale);
    assert_eq!(parser.next(), None, "nobody lent this");
    assert_eq!(parser.last_event_id().as_str(), "1");
}

#[test]
fn lent_before_all_was_parsed() {
    let mut parser = Parser::new(MAX);
    assert_eq!(parse_one(&mut parser, b"data: a\r\n\r\ndata: b\r\n\r\ndata"), Item::Message);
    let mut buffer = parser.lend();
    buffer.space()[..5].copy_from_slice(b": c\n\n");
    buffer.advance(5);
    parser.give_back(buffer);
    for data in ["b", "c"] {
        assert_eq!(parser.next(), Some(Item::Message));
        assert_eq!(parser.data().as_str(), data);
    }
    assert_eq!(parser.next(), None);
}

#[test]
fn an_empty_buffer_has_space() {
    let mut buffer = ReadBuffer::empty();
    assert!(!buffer.space().is_empty());
    for _ in 0..3 {
        let n = buffer.space().len();
        buffer.advance(n);
    }
    assert!(!buffer.space().is_empty());
    let mut ahead = ReadBuffer::for_reading_ahead(0);
    assert!(!ahead.space().is_empty());
}
