//! The bytes between the connection and ureq, for the request and the response's head: none once the request is out, and
//! none once what came along with the head has been taken.

use ureq::unversioned::transport::Buffers as UreqBuffers;

/// Room for a usual head, and what grows is doubled.
const SMALL: usize = 1024;
/// The most that is sent at once of a large body.
const LARGE: usize = 64 * 1024;
/// How fast the output grows while there is a large body to send.
const STEP: usize = 4;

pub(crate) struct Buffers {
    /// Storage; `start..filled` is what ureq has not taken yet.
    input: Vec<u8>,
    start: usize,
    filled: usize,
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
            progress: false,
            output: Vec::new(),
            outgoing: head.max(SMALL),
        }
    }

    /// Free space behind what is there, at least a byte and at most `most`.
    pub(crate) fn space(&mut self, most: usize) -> &mut [u8] {
        if self.start > 0 {
            self.input.copy_within(self.start..self.filled, 0);
            (self.start, self.filled) = (0, self.filled - self.start);
        }
        if self.filled == self.input.len() {
            self.input.resize((self.filled * 2).max(SMALL), 0);
        }
        let end = self.input.len().min(self.filled.saturating_add(most.max(1)));
        &mut self.input[self.filled..end]
    }

    /// `amount` bytes of the space were filled.
    pub(crate) fn filled(&mut self, amount: usize) {
        self.filled += amount;
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

    /// Moves what ureq has not taken to `space`, as far as it fits; the storage goes with the last of it.
    pub(crate) fn take(&mut self, space: &mut [u8]) -> usize {
        let amount = space.len().min(self.filled - self.start);
        space[..amount].copy_from_slice(&self.input[self.start..self.start + amount]);
        self.start += amount;
        if self.start == self.filled && !self.input.is_empty() {
            (self.input, self.start, self.filled) = (Vec::new(), 0, 0);
        }
        amount
    }

    /// Whether `take` would give any.
    pub(crate) fn holds_some(&self) -> bool {
        self.start < self.filled
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
        let amount = space.len().min(bytes.len());
        space[..amount].copy_from_slice(&bytes[..amount]);
        buffers.filled(amount);
        amount
    }

    #[test]
    fn what_came_along_with_the_head_is_taken_piece_by_piece() {
        let mut buffers = Buffers::new(100);
        assert_eq!(buffers.take(&mut [0; 4]), 0);
        receive(&mut buffers, b"headbody");
        buffers.input_consume(4);
        let mut space = [0; 3];
        assert_eq!((buffers.take(&mut space), &space), (3, b"bod"));
        assert_eq!((buffers.take(&mut space), space[0]), (1, b'y'));
        assert_eq!(buffers.take(&mut space), 0);
        assert_eq!(buffers.input.capacity(), 0);
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
