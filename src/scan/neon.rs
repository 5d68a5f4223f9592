//! The scan with NEON, which every 64-bit ARM has.
#![allow(unsafe_code)]

use super::{BLOCK, Block, LARGEST_END, Scan};
use std::arch::aarch64::*;

pub(crate) struct Neon;

impl Scan for Neon {
    #[inline(always)]
    fn block(bytes: &[u8; BLOCK]) -> Block {
        const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
        let from = bytes.as_ptr();
        // SAFETY: the loads cover exactly the 64 bytes borrowed and the 16 of BITS; NEON is part of AArch64.
        unsafe {
            let v = [vld1q_u8(from), vld1q_u8(from.add(16)), vld1q_u8(from.add(32)), vld1q_u8(from.add(48))];
            let (largest, bits) = (vdupq_n_u8(LARGEST_END), vld1q_u8(BITS.as_ptr()));
            let end = v.map(|v| vandq_u8(vcleq_u8(v, largest), bits));
            let high = vmaxvq_u8(vorrq_u8(vorrq_u8(v[0], v[1]), vorrq_u8(v[2], v[3]))) >= 0x80;
            // Adding neighbours three times leaves one byte for each eight: the 64 bits in order.
            let sum = vpaddq_u8(vpaddq_u8(end[0], end[1]), vpaddq_u8(end[2], end[3]));
            Block { ends: vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sum, sum))), high }
        }
    }
}
