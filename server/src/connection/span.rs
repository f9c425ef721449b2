//! Places in the bytes of a request, so that a parsed head borrows nothing and copies nothing.

/// A place in the bytes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The place of `part`, which must be a part of `whole`.
    pub(super) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr() as usize - whole.as_ptr() as usize;
        let place = |at: usize| u32::try_from(at).expect("a head is shorter than limits.buffer_size allows");
        Self { start: place(start), end: place(start + part.len()) }
    }

    /// Start and end, counted from the start of `outer`.
    pub(super) fn within_span(self, outer: Self) -> (u32, u32) {
        (self.start - outer.start, self.end - outer.start)
    }

    /// The bytes at this place.
    pub(crate) fn of(self, whole: &[u8]) -> &[u8] {
        &whole[self.start as usize..self.end as usize]
    }
}
