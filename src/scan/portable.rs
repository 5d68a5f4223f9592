//! The scan in plain Rust, eight bytes in a word.

use super::{BLOCK, Block, LARGEST_END, Scan};

pub(crate) struct Portable;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * ONES;

/// The high bit of each byte of `word` that is at most `LARGEST_END`; exact, no neighbour disturbs it.
#[inline(always)]
fn small(word: u64) -> u64 {
    // The sum reaches the high bit from the next larger byte on.
    let larger = ((word & !HIGH) + ONES * u64::from(0x7f - LARGEST_END)) | word;
    !larger & HIGH
}

impl Scan for Portable {
    #[inline(always)]
    fn block(bytes: &[u8; BLOCK]) -> Block {
        let (mut ends, mut high) = (0, 0);
        for (i, eight) in bytes.chunks_exact(8).enumerate() {
            let word = u64::from_le_bytes(std::array::from_fn(|j| eight[j]));
            high |= word;
            let marks = small(word);
            if marks != 0 {
                // The multiplication gathers the eight marks, seven bits apart, into the top byte.
                ends |= ((marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
            }
        }
        Block { ends, high: high & HIGH != 0 }
    }
}
