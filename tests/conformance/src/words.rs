//! The lines between the conformance run and its runners: words with spaces between, each percent-encoded as forms are.

use std::fmt::Write as _;

/// One line of words.
pub fn line<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| encode(word.as_ref())).collect();
    words.join(" ")
}

/// The words of a line. An empty word is `%`, so that it is seen.
pub fn words(line: &str) -> Vec<String> {
    line.trim_end().split(' ').map(decode).collect()
}

fn encode(word: &str) -> String {
    if word.is_empty() {
        return "%".into();
    }
    word.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' => text.push(byte.into()),
            _ => drop(write!(text, "%{byte:02X}")),
        }
        text
    })
}

fn decode(word: &str) -> String {
    let bytes = word.as_bytes();
    let (mut text, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let coded =
            word.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (coded, bytes[at]) {
            (Some(byte), _) => text.push(byte),
            (None, b'+') => text.push(b' '),
            (None, b'%') => {}
            (None, byte) => text.push(byte),
        }
        at += if coded.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_word_survives() {
        let all = ["", "a", " ", "%41+", "é\0\r\n😀", "a b"];
        assert_eq!(words(&line(all)), all);
        assert_eq!(words("a+b %7e"), ["a b", "~"]);
    }
}
