//! Large and endless input, and memory that runs out. Rows 60 and 62, part 1 "Limits".

use super::buffer::LARGEST;
use super::*;

const MAX: usize = 32 << 20;

fn storage<S: Scan>(feed: &Feed<S>) -> usize {
    feed.parser.buffer.bytes.capacity()
}

#[test]
fn sixteen_megabytes_in_one_line() {
    for way in [Way::Lent, Way::Ahead] {
        let mut feed = Feed::<Native>::new(MAX, way);
        let block = [b'x'; 1 << 20];
        feed.feed(b"data: ");
        (0..16).for_each(|_| feed.feed(&block));
        assert_eq!(feed.got, []);
        feed.feed(b"\n\n");
        let Got::Message { data, .. } = &feed.got[0].0 else { panic!("{:?}", feed.got[0]) };
        assert!(data.len() == 16 << 20 && data.bytes().all(|byte| byte == b'x'));
    }
}

/// Quadratic time would be minutes here; nothing is asserted on time.
#[test]
fn large_lines_byte_by_byte_are_linear() {
    for way in [Way::Lent, Way::Ahead] {
        let mut feed = Feed::<Native>::new(MAX, way);
        feed.feed(b"data: ");
        (0..3 << 20).for_each(|_| feed.feed(b"x"));
        feed.feed(b"\r\r");
        assert!(matches!(&feed.got[0].0, Got::Message { data, .. } if data.len() == 3 << 20));
    }
}

/// Consumed lines behind a lot of held data must not make the data move for each of them.
#[test]
fn comments_behind_a_large_line_are_linear() {
    for held in [300_000, 390_000, 393_000, 393_100, 393_150, 500_000] {
        let mut feed = Feed::<Native>::new(MAX, Way::Lent);
        feed.feed(b"data: ");
        feed.feed(&vec![b'x'; held]);
        feed.feed(b"\n");
        (0..200_000).for_each(|_| feed.feed(b"x\n"));
        feed.feed(b"\n");
        assert!(matches!(&feed.got[0].0, Got::Message { data, .. } if data.len() == held));
        assert!(storage(&feed) <= 2 << 20, "{}", storage(&feed));
    }
}

#[test]
fn half_a_million_data_lines_in_one_block() {
    let mut feed = Feed::<Native>::new(MAX, Way::Lent);
    (0..500_000).for_each(|_| feed.feed(b"data: a\n"));
    feed.feed(b"\n");
    assert!(matches!(&feed.got[0].0, Got::Message { data, .. } if data.len() == 999_999));
}

#[test]
fn what_nobody_needs_is_not_kept() {
    let endless: [(&[u8], u8); 5] =
        [(b"unknown: ", b'x'), (b"y", b'y'), (b"retry: ", b'0'), (b"\xEF", b'\xEF'), (b"event: ", b'e')];
    for way in [Way::Lent, Way::Ahead] {
        for (beginning, byte) in endless {
            // The last of them is over the limit, the others know none.
            let mut feed = Feed::<Native>::new(1000, way);
            feed.feed(b"data: a\n");
            feed.feed(beginning);
            (0..40).for_each(|_| feed.feed(&[byte; 50_000]));
            assert!(storage(&feed) <= LARGEST, "{} for {beginning:?}", storage(&feed));
            feed.feed(b"5\n\n");
            let want = match beginning {
                b"event: " => vec![Got::TooLarge],
                b"retry: " => vec![Got::Retry(5), message("message", "a", "")],
                _ => vec![message("message", "a", "")],
            };
            assert_eq!(feed.items(), want);
        }
    }
}

#[test]
fn replaced_types_and_ids_are_not_kept() {
    let mut feed = Feed::<Native>::new(MAX, Way::Lent);
    feed.feed(b"data: a\n");
    for i in 0..100_000 {
        feed.feed(format!("event: {i}\nid: {i}\n: {i}\n").as_bytes());
        feed.got.clear();
    }
    assert!(storage(&feed) <= 64 << 10, "{}", storage(&feed));
    feed.feed(b"\n");
    assert_eq!(feed.items(), [message("99999", "a", "99999")]);
}

#[test]
fn too_large_is_dropped_as_it_comes() {
    for way in [Way::Lent, Way::Ahead] {
        let mut feed = Feed::<Native>::new(100_000, way);
        feed.feed(b"id: 5\ndata: ");
        (0..300).for_each(|_| feed.feed(&[b'x'; 50_000]));
        assert!(storage(&feed) <= 512 << 10, "{}", storage(&feed));
        feed.feed(b"\nevent: e\ndata: y\nid: 6\n\ndata: z\n\n");
        assert_eq!(feed.items(), [Got::TooLarge, message("message", "z", "6")]);
    }
}

#[test]
fn default_limit() {
    let mut feed = Feed::<Native>::new(MAX, Way::Lent);
    let block = vec![b'x'; 1 << 20];
    feed.feed(b"data:");
    (0..32).for_each(|_| feed.feed(&block));
    assert_eq!(feed.got, [], "32 MiB are allowed");
    feed.feed(b"y");
    assert_eq!(feed.items(), [Got::TooLarge]);
    feed.feed(b"\n\ndata: z\n\n");
    assert_eq!(feed.items()[1..], [message("message", "z", "")]);
}

#[test]
fn an_id_over_8_kib_is_kept() {
    let id = "i".repeat(100_000);
    let mut feed = Feed::<Native>::new(MAX, Way::Lent);
    feed.feed(format!("id: {id}\ndata: a\n\n").as_bytes());
    assert_eq!(feed.items(), [message("message", "a", &id)]);
}

#[test]
fn out_of_memory_is_too_large() {
    MEMORY.set(100_000);
    for way in [Way::Lent, Way::Ahead, Way::Both] {
        for line in ["data: ", "event: ", "id: ", ": "] {
            let mut feed = Feed::<Native>::new(MAX, way);
            feed.feed(b"id: 1\ndata: a\n\nid: 2\n");
            feed.feed(line.as_bytes());
            (0..20).for_each(|_| feed.feed(&[b'x'; 50_000]));
            assert!(storage(&feed) <= 100_000);
            feed.feed(b"\ndata: b\n\ndata: c\n\n");
            let want = [message("message", "a", "1"), Got::TooLarge, message("message", "c", "2")];
            assert_eq!(feed.items(), want, "{line}, {way:?}");
        }
    }
    MEMORY.set(usize::MAX);
}

#[test]
fn out_of_memory_in_many_lines() {
    MEMORY.set(100_000);
    let mut feed = Feed::<Native>::new(MAX, Way::Both);
    (0..100).for_each(|_| feed.feed(&[&b"data: "[..], &[b'x'; 5000], b"\n"].concat()));
    feed.feed(b"\ndata: c\n\n");
    assert_eq!(feed.items(), [Got::TooLarge, message("message", "c", "")]);
    MEMORY.set(usize::MAX);
}
