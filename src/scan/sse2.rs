//! The scan with SSE2, which every x86-64 has.
#![allow(unsafe_code)]

use super::{BLOCK, Block, LARGEST_END, Scan};
use std::arch::x86_64::*;

pub(crate) struct Sse2;

impl Scan for Sse2 {
    #[inline(always)]
    fn block(bytes: &[u8; BLOCK]) -> Block {
        let from = bytes.as_ptr().cast::<__m128i>();
        // SAFETY: the four unaligned loads cover exactly the 64 bytes borrowed; SSE2 is part of x86-64.
        unsafe {
            let v = [
                _mm_loadu_si128(from),
                _mm_loadu_si128(from.add(1)),
                _mm_loadu_si128(from.add(2)),
                _mm_loadu_si128(from.add(3)),
            ];
            let largest = _mm_set1_epi8(LARGEST_END as i8);
            let end = v.map(|v| _mm_cmpeq_epi8(_mm_min_epu8(v, largest), v));
            let high = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(v[0], v[1]), _mm_or_si128(v[2], v[3])));
            let any = _mm_or_si128(_mm_or_si128(end[0], end[1]), _mm_or_si128(end[2], end[3]));
            if _mm_movemask_epi8(any) == 0 {
                return Block { ends: 0, high: high != 0 };
            }
            let bits = end.map(|end| u64::from(_mm_movemask_epi8(end) as u16));
            Block { ends: bits[0] | bits[1] << 16 | bits[2] << 32 | bits[3] << 48, high: high != 0 }
        }
    }
}
