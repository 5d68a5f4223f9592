//! The scan in plain Rust, eight bytes in a word.

use super::{BLOCK, Block, Scan};

pub(crate) struct Portable;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * ONES;

/// The high bit of each byte of `word` that is `byte`; exact, no neighbour disturbs it.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ (ONES * u64::from(byte));
    !(((differing & !HIGH) + !HIGH) | differing) & HIGH
}

impl Scan for Portable {
    #[inline(always)]
    fn block(bytes: &[u8; BLOCK]) -> Block {
        let (mut ends, mut high) = (0, 0);
        for (i, eight) in bytes.chunks_exact(8).enumerate() {
            let word = u64::from_le_bytes(std::array::from_fn(|j| eight[j]));
            high |= word;
            let marks = equal(word, b'\n') | equal(word, b'\r');
            if marks != 0 {
                // The multiplication gathers the eight marks, seven bits apart, into the top byte.
                ends |= ((marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
            }
        }
        Block { ends, high: high & HIGH != 0 }
    }
}
