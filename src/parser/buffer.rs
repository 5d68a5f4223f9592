//! The bytes of a connection, lent to whoever reads, and how much room a read deserves.

use crate::scan::BLOCK;

/// What an idle connection costs.
pub(super) const SMALLEST: usize = 2 << 10;
/// What a busy one may cost, unless one event needs more. Against 64 KiB it saves those who fall behind a fast server a few
/// hundredths of their time, since TCP answers each read at once; with 128 KiB those who keep up lose a quarter.
pub(super) const LARGEST: usize = 96 << 10;
/// What a buffer that reads ahead may cost: there are several.
pub(super) const AHEAD: usize = LARGEST / 3;
/// Small reads in a row after which a large buffer is given up.
const QUIET: u8 = 2;

/// Bytes read and not yet parsed, and room for more. Goes back and forth between the parser and whoever reads.
pub(crate) struct ReadBuffer {
    /// Always initialised; the last `BLOCK` bytes are never read into, so that the scan may look at a whole block anywhere.
    pub(super) bytes: Vec<u8>,
    /// In a buffer for reading ahead, where reading began: what stands before is headroom.
    pub(super) start: usize,
    /// Up to here bytes have been read.
    pub(super) filled: usize,
}

impl ReadBuffer {
    /// A buffer without storage; it gets some when `space` is first asked for.
    pub(crate) const fn empty() -> ReadBuffer {
        ReadBuffer { bytes: Vec::new(), start: 0, filled: 0 }
    }

    /// A buffer of `size` bytes to read into while the parser works on another; `Parser::absorb` takes it.
    pub(crate) fn for_reading_ahead(size: usize) -> ReadBuffer {
        let mut buffer = ReadBuffer::empty();
        buffer.bytes.resize(size.max(SMALLEST), 0);
        buffer.rewind_ahead();
        buffer
    }

    /// Where the next read goes: at least one byte, and no more at once than caches like.
    #[inline]
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.free() == 0 {
            // Only where a caller reads again and again without giving the buffer back.
            self.bytes.resize((self.bytes.len() * 2).max(SMALLEST), 0);
        }
        let end = self.limit().min(self.filled + LARGEST);
        &mut self.bytes[self.filled..end]
    }

    /// `n` more bytes of what `space` gave have been read.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) {
        self.filled = self.limit().min(self.filled + n);
    }

    /// Where reading has to stop.
    #[inline]
    pub(super) fn limit(&self) -> usize {
        self.bytes.len().saturating_sub(BLOCK)
    }

    #[inline]
    pub(super) fn free(&self) -> usize {
        self.limit() - self.filled
    }

    /// Empties a buffer that reads ahead; a quarter of it, at most 4 KiB, is headroom.
    pub(super) fn rewind_ahead(&mut self) {
        self.start = (self.bytes.len() / 4).min(SMALLEST);
        self.filled = self.start;
    }

    /// Makes the storage `size` bytes in all, keeping the first `filled`. False: no memory, nothing has changed.
    pub(super) fn resize(&mut self, size: usize) -> bool {
        let size = size.max(self.filled + BLOCK + 1);
        #[cfg(test)]
        if size > super::tests::MEMORY.get() {
            return false;
        }
        if size > self.bytes.len() {
            if self.bytes.try_reserve_exact(size - self.bytes.len()).is_err() {
                return false;
            }
            self.bytes.resize(size, 0);
            return true;
        }
        let mut smaller = Vec::new();
        if smaller.try_reserve_exact(size).is_err() {
            return false;
        }
        smaller.extend_from_slice(&self.bytes[..self.filled]);
        smaller.resize(size, 0);
        self.bytes = smaller;
        true
    }
}

/// How large a buffer should be, from how reads have gone.
#[derive(Default)]
pub(super) struct Sizing {
    /// The last read filled its room.
    full: bool,
    /// So many small reads in a row.
    small: u8,
    /// Bytes read since a large buffer was last needed for one event.
    calm: usize,
}

impl Sizing {
    /// A read of `n` bytes left `free` bytes of room.
    #[inline]
    pub(super) fn note(&mut self, n: usize, free: usize) {
        self.full = free == 0 || n == LARGEST;
        self.small = if n < SMALLEST / 2 { self.small.saturating_add(1) } else { 0 };
        self.calm = self.calm.saturating_add(n);
    }

    /// What storage of `size` bytes should become before the next read, if `held` bytes of it are still needed and `free` are free.
    #[inline]
    pub(super) fn wanted(&mut self, size: usize, held: usize, free: usize) -> usize {
        if held >= size / 8 {
            self.calm = 0;
        }
        if size < SMALLEST {
            SMALLEST
        } else if self.full && size < LARGEST {
            (size * 4).min(LARGEST)
        } else if free < size / 4 && held > 0 {
            size.saturating_mul(2)
        } else if size > SMALLEST && self.small >= QUIET && held < SMALLEST / 2 {
            SMALLEST
        } else if size > LARGEST && held < LARGEST / 2 && self.calm / 4 >= size {
            LARGEST
        } else {
            size
        }
    }
}
