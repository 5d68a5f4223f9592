//! The bytes between the socket and ureq: small while a stream trickles, large while it floods, none once the request
//! is out.

use ureq::unversioned::transport::Buffers as UreqBuffers;

/// An idle stream keeps this much: an event of usual size comes in one read, and a larger one makes room for the next.
const SMALL: usize = 1024;
/// A head of 64 KiB fits, and more a read does not bring.
const LARGE: usize = 64 * 1024;
/// How fast the size follows the traffic, up and down.
const STEP: usize = 4;

pub(crate) struct Buffers {
    /// Storage; `start..filled` is what ureq has not taken yet.
    input: Vec<u8>,
    start: usize,
    filled: usize,
    /// The size for `input` that the last reads suggest.
    suggested: usize,
    /// ureq took something of the input it saw last.
    progress: bool,
    output: Vec<u8>,
    /// The size that `output` is given next: first for the whole head, since ureq writes no part of a line.
    outgoing: usize,
}

impl Buffers {
    /// With room for a request's head of `head` bytes, which goes out in one piece.
    pub(crate) fn new(head: usize) -> Buffers {
        Buffers {
            input: Vec::new(),
            start: 0,
            filled: 0,
            suggested: SMALL,
            progress: false,
            output: Vec::new(),
            outgoing: head.max(SMALL),
        }
    }

    /// Free space behind what is there, at least a byte and at most `most`.
    pub(crate) fn space(&mut self, most: usize) -> &mut [u8] {
        if self.start == self.filled {
            (self.start, self.filled) = (0, 0);
            if self.input.len() != self.suggested {
                self.input = Vec::new(); // first, so that the new one may take its place
                self.input = vec![0; self.suggested];
            }
        } else {
            if self.start > 0 {
                self.input.copy_within(self.start..self.filled, 0);
                (self.start, self.filled) = (0, self.filled - self.start);
            }
            if self.filled == self.input.len() {
                self.input.resize((self.filled * 2).max(self.suggested), 0);
            }
        }
        let end = self.input.len().min(self.filled.saturating_add(most.max(1)));
        &mut self.input[self.filled..end]
    }

    /// `amount` bytes of the `offered` were filled.
    pub(crate) fn filled(&mut self, amount: usize, offered: usize) {
        self.filled += amount;
        if amount == offered {
            self.suggested = (self.suggested * STEP).min(LARGE);
        } else if amount < self.suggested / STEP {
            self.suggested = (self.suggested / STEP).max(SMALL);
        }
    }

    /// `amount` bytes of the output have been sent.
    pub(crate) fn sent(&mut self, amount: usize) {
        if amount == self.output.len() && amount < LARGE {
            self.outgoing = (amount * STEP).min(LARGE); // there is a large body
        }
    }

    /// The request is out.
    pub(crate) fn all_sent(&mut self) {
        self.output = Vec::new();
    }

    /// How much ureq has not taken yet.
    pub(crate) fn unread(&self) -> usize {
        self.filled - self.start
    }

    pub(crate) fn outgoing(&self) -> &[u8] {
        &self.output
    }
}

impl UreqBuffers for Buffers {
    fn output(&mut self) -> &mut [u8] {
        if self.output.len() != self.outgoing {
            self.output = vec![0; self.outgoing];
        }
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        &self.input[self.start..self.filled]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.space(usize::MAX)
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.start = (self.start + amount).min(self.filled);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output();
        self.space(usize::MAX);
        (&mut self.input[self.filled..], &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.start < self.filled && self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffers: &mut Buffers, bytes: &[u8]) -> usize {
        let space = buffers.space(usize::MAX);
        let (offered, amount) = (space.len(), space.len().min(bytes.len()));
        space[..amount].copy_from_slice(&bytes[..amount]);
        buffers.filled(amount, offered);
        amount
    }

    #[test]
    fn grows_while_reads_fill_it_and_shrinks_when_they_do_not() {
        let mut buffers = Buffers::new(100);
        let sizes = [LARGE, LARGE, LARGE, LARGE, LARGE, 100, 100, 100, 100].map(|length| {
            let got = receive(&mut buffers, &vec![7; length]);
            let size = buffers.input.len();
            assert_eq!(buffers.input(), vec![7; got]);
            buffers.input_consume(got);
            size
        });
        assert_eq!(sizes.map(|size| size / SMALL), [1, 4, 16, 64, 64, 64, 16, 4, 1]);
    }

    #[test]
    fn what_is_not_consumed_stays_in_front() {
        let mut buffers = Buffers::new(100);
        receive(&mut buffers, b"abcdef");
        buffers.input_consume(4);
        assert!(buffers.can_use_input());
        receive(&mut buffers, b"ghi");
        assert_eq!(buffers.input(), b"efghi");
        buffers.input_consume(0);
        assert!(!buffers.can_use_input(), "ureq could do nothing with it: more has to be read first");
    }

    #[test]
    fn a_head_of_any_allowed_size_fits() {
        let mut buffers = Buffers::new(100);
        let head: Vec<u8> = (0..LARGE + 100).map(|i| i as u8).collect();
        let mut there = 0;
        while there < head.len() {
            there += receive(&mut buffers, &head[there..]);
            assert_eq!(buffers.input(), &head[..there]);
        }
    }

    #[test]
    fn a_limit_on_the_space_is_kept() {
        let mut buffers = Buffers::new(100);
        assert_eq!(buffers.space(10).len(), 10);
        assert_eq!(buffers.space(0).len(), 1);
    }

    #[test]
    fn output_is_there_only_while_it_is_needed() {
        let mut buffers = Buffers::new(100);
        assert!(buffers.outgoing().is_empty());
        assert_eq!(buffers.output().len(), SMALL);
        buffers.all_sent();
        assert_eq!(buffers.output.capacity(), 0);
        let (tmp, output) = buffers.tmp_and_output();
        assert!(!tmp.is_empty());
        assert_eq!(output.len(), SMALL);
    }

    #[test]
    fn output_has_room_for_the_head_and_grows_for_a_large_body() {
        let mut buffers = Buffers::new(5000);
        assert_eq!(buffers.output().len(), 5000);
        buffers.sent(4000);
        assert_eq!(buffers.output().len(), 5000);
        buffers.sent(5000);
        assert_eq!(buffers.output().len(), 20_000);
        buffers.sent(20_000);
        assert_eq!(buffers.output().len(), LARGE);
        buffers.sent(LARGE);
        assert_eq!(buffers.output().len(), LARGE);
        assert_eq!(Buffers::new(100_000).output().len(), 100_000);
    }
}
