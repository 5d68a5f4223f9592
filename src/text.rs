//! Text that C can read where it lies: UTF-8 with a NUL behind it that is not counted.

use std::str;

/// Text on loan. Valid UTF-8, may hold NULs, and is followed in memory by one NUL that is not part of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    with_nul: &'a [u8],
}

impl<'a> Text<'a> {
    /// No characters.
    pub const EMPTY: Text<'static> = Text { with_nul: b"\0" };

    /// How many bytes, the NUL not counted.
    #[cfg(feature = "capi")]
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.with_nul.len() - 1
    }

    /// `with_nul` ends in the NUL that is not counted; what stands before it has been checked to be UTF-8.
    #[inline]
    pub(crate) fn from_bytes_with_nul(with_nul: &'a [u8]) -> Text<'a> {
        debug_assert_eq!(with_nul.last(), Some(&0));
        debug_assert!(str::from_utf8(with_nul).is_ok());
        Text { with_nul }
    }

    /// A literal that ends in `\0`.
    pub(crate) const fn literal(with_nul: &'static str) -> Text<'static> {
        assert!(!with_nul.is_empty() && with_nul.as_bytes()[with_nul.len() - 1] == 0);
        Text { with_nul: with_nul.as_bytes() }
    }

    /// The text's bytes, without the NUL behind them.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        &self.with_nul[..self.with_nul.len() - 1]
    }

    /// The text. Checks the UTF-8 once more, since this crate keeps `unsafe` out of its core.
    pub fn as_str(&self) -> &'a str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text with the NUL behind it.
    #[cfg(any(feature = "capi", test))]
    #[inline]
    pub(crate) fn as_bytes_with_nul(&self) -> &'a [u8] {
        self.with_nul
    }
}

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Text with storage of its own.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TextBuf {
    with_nul: Vec<u8>,
}

impl TextBuf {
    pub(crate) const fn empty() -> TextBuf {
        TextBuf { with_nul: Vec::new() }
    }

    /// Keeps `text`, which is UTF-8 or becomes it with U+FFFD for what is not.
    pub(crate) fn from_lossy(text: &[u8]) -> TextBuf {
        TextBuf::from(&*String::from_utf8_lossy(text))
    }

    #[inline]
    pub(crate) fn as_text(&self) -> Text<'_> {
        if self.with_nul.is_empty() { Text::EMPTY } else { Text { with_nul: &self.with_nul } }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.as_text().as_bytes()
    }

    pub(crate) fn as_str(&self) -> &str {
        self.as_text().as_str()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Like `set`, but without memory it leaves the text as it is.
    #[inline]
    pub(crate) fn try_set(&mut self, text: &[u8]) -> Result<(), std::collections::TryReserveError> {
        if self.with_nul.len() == text.len() + 1 {
            // As most IDs are as long as the one before.
            debug_assert!(str::from_utf8(text).is_ok());
            self.with_nul[..text.len()].copy_from_slice(text);
            return Ok(());
        }
        self.with_nul.try_reserve_exact((text.len() + 1).saturating_sub(self.with_nul.len()))?;
        self.set(text);
        Ok(())
    }

    /// Replaces the text by `text`, which the caller has checked to be UTF-8, reusing the storage.
    pub(crate) fn set(&mut self, text: &[u8]) {
        debug_assert!(str::from_utf8(text).is_ok());
        self.with_nul.clear();
        if !text.is_empty() {
            self.with_nul.reserve_exact(text.len() + 1);
            self.with_nul.extend_from_slice(text);
            self.with_nul.push(0);
        }
    }
}

impl From<&str> for TextBuf {
    fn from(text: &str) -> TextBuf {
        let mut buf = TextBuf::empty();
        buf.set(text.as_bytes());
        buf
    }
}

impl std::fmt::Debug for TextBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}
