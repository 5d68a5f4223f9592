//! Bytes that should be UTF-8: each maximal part that is not becomes one U+FFFD, as the Encoding standard has it.

use std::collections::TryReserveError;
use std::str;

const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

#[inline]
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok()
}

/// How many bytes `bytes` are once decoded.
pub(super) fn decoded_len(bytes: &[u8]) -> usize {
    bytes
        .utf8_chunks()
        .map(|chunk| chunk.valid().len() + if chunk.invalid().is_empty() { 0 } else { REPLACEMENT.len() })
        .sum()
}

/// The same of the beginning of something longer: how many bytes can be decoded already, and how many that makes.
pub(super) fn decoded_so_far(bytes: &[u8]) -> (usize, usize) {
    let (mut taken, mut decoded) = (0, 0);
    loop {
        match str::from_utf8(&bytes[taken..]) {
            Ok(rest) => return (bytes.len(), decoded + rest.len()),
            Err(error) => {
                taken += error.valid_up_to();
                decoded += error.valid_up_to();
                let Some(invalid) = error.error_len() else { return (taken, decoded) };
                taken += invalid;
                decoded += REPLACEMENT.len();
            }
        }
    }
}

/// Appends `bytes`, decoded, leaving room for a NUL behind.
pub(super) fn append(text: &mut Vec<u8>, bytes: &[u8]) -> Result<(), TryReserveError> {
    text.try_reserve(decoded_len(bytes) + 1)?;
    for chunk in bytes.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            text.extend_from_slice(REPLACEMENT);
        }
    }
    Ok(())
}
