//! Where lines may end, 64 bytes at a glance; one instruction set a file, each checked against the portable one.

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(test, not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")))))]
mod portable;
#[cfg(target_arch = "x86_64")]
mod sse2;

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
pub(crate) use neon::Neon as Native;
#[cfg(test)]
pub(crate) use portable::Portable;
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))))]
pub(crate) use portable::Portable as Native;
#[cfg(target_arch = "x86_64")]
pub(crate) use sse2::Sse2 as Native;

/// Bytes looked at together. Whoever scans keeps this many readable bytes behind the last one that counts.
pub(crate) const BLOCK: usize = 64;

/// CR, the largest byte that ends a line. What is no larger is marked, LF and CR among it: one comparison finds them, and
/// the others (tabs, the rarer control characters) are told from them by whoever looks at the byte.
pub(crate) const LARGEST_END: u8 = b'\r';

/// What 64 bytes hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// Bit i: byte i is at most `LARGEST_END`.
    pub(crate) ends: u64,
    /// Some byte is not ASCII.
    pub(crate) high: bool,
}

/// An instruction set.
pub(crate) trait Scan {
    fn block(bytes: &[u8; BLOCK]) -> Block;
}

/// What `seek` found.
pub(crate) struct Found {
    /// The block where line ends may be, or the last one looked at.
    pub(crate) base: usize,
    /// Them: bit i is the byte at `base + i`.
    pub(crate) ends: u64,
    /// Where to go on looking.
    pub(crate) next: usize,
    /// A byte that is not ASCII may be in what was looked at; in its last block.
    pub(crate) high: bool,
    pub(crate) last_high: bool,
}

/// Looks at `bytes[from..to]` until a block may have line ends. Reads up to `BLOCK` bytes past `to`, which count for nothing.
#[inline(always)]
pub(crate) fn seek<S: Scan>(bytes: &[u8], from: usize, to: usize) -> Found {
    let (mut base, mut all_high) = (from, false);
    for block in bytes[from..to].chunks_exact(BLOCK) {
        let Block { ends, high } = look::<S>(block);
        all_high |= high;
        if ends != 0 {
            return Found { base, ends, next: base + BLOCK, high: all_high, last_high: high };
        }
        base += BLOCK;
    }
    let Block { ends, high } = look::<S>(&bytes[base..]);
    let ends = ends & ((1 << (to - base)) - 1);
    Found { base, ends, next: to, high: all_high | high, last_high: high }
}

#[inline(always)]
fn look<S: Scan>(bytes: &[u8]) -> Block {
    match bytes.first_chunk::<BLOCK>() {
        Some(block) => S::block(block),
        None => unreachable!("no room behind the bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(bytes: &[u8; BLOCK]) -> Block {
        let mut block = Block::default();
        for (i, &byte) in bytes.iter().enumerate() {
            block.ends |= u64::from(byte <= LARGEST_END) << i;
            block.high |= byte >= 0x80;
        }
        block
    }

    fn check(bytes: &[u8; BLOCK]) {
        assert_eq!(Portable::block(bytes), naive(bytes), "portable: {bytes:?}");
        assert_eq!(Native::block(bytes), naive(bytes), "native: {bytes:?}");
    }

    #[test]
    fn every_byte_at_every_place() {
        for background in [0, b'a', b'\n', b'\r', 0x0b, 0x0c, 0x0e, 0x8a, 0x8d, 0xff] {
            for place in 0..BLOCK {
                for byte in 0..=255 {
                    let mut bytes = [background; BLOCK];
                    bytes[place] = byte;
                    check(&bytes);
                }
            }
        }
    }

    #[test]
    fn neighbours_do_not_disturb() {
        let mut state = 1u64;
        for _ in 0..20_000 {
            let bytes = std::array::from_fn(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                [b'\n', b'\r', 9, 0x0b, 0x0c, 0x0e, 0x8a, b'x'][(state >> 61) as usize]
            });
            check(&bytes);
        }
    }

    #[test]
    fn seek_stops_at_the_end() {
        let mut bytes = vec![b'x'; 300];
        bytes[200] = b'\n';
        bytes[230] = b'\n';
        let found = seek::<Native>(&bytes, 3, 230);
        assert_eq!((found.base, found.ends, found.next), (195, 1 << 5, 230));
        let found = seek::<Portable>(&bytes, 3, 200);
        assert_eq!((found.base, found.ends, found.next), (195, 0, 200));
        // Whole blocks, and nothing behind them.
        let found = seek::<Native>(&bytes, 8, 200);
        assert_eq!((found.base, found.ends, found.next), (200, 0, 200));
        let found = seek::<Native>(&bytes, 137, 201);
        assert_eq!((found.base, found.ends, found.next), (137, 1 << 63, 201));
        let found = seek::<Native>(&bytes, 5, 5);
        assert_eq!((found.base, found.ends, found.next), (5, 0, 5));
    }
}
