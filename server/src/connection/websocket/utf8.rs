//! UTF-8 that comes in pieces, checked as early as it can be (RFC 6455, section 8.1; RFC 3629).

/// The start of a character whose rest hasn't come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Utf8 {
    bytes: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Takes the next bytes; false if nothing behind them could make a text of it all.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while self.length > 0 {
            let [next, rest @ ..] = bytes else {
                return true;
            };
            self.bytes[self.length] = *next;
            bytes = rest;
            let start = self.bytes;
            if !self.check(&start[..=self.length]) {
                return false;
            }
        }
        self.check(bytes)
    }

    /// Whether the text may end here.
    pub(super) fn is_complete(&self) -> bool {
        self.length == 0
    }

    /// Checks bytes that start with a character, and keeps the start of one at their end.
    fn check(&mut self, bytes: &[u8]) -> bool {
        self.length = 0;
        match str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let start = &bytes[error.valid_up_to()..];
                self.length = start.len();
                self.bytes[..start.len()].copy_from_slice(start);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many bytes pass, one at a time, and whether a text may end behind them.
    fn check(bytes: &[u8], passing: usize, is_complete: bool) {
        let mut utf8 = Utf8::default();
        let passed = bytes.iter().take_while(|byte| utf8.feed(&[**byte])).count();
        assert_eq!(passed, passing, "{bytes:x?}");
        assert!(passed < bytes.len() || utf8.is_complete() == is_complete, "{bytes:x?}");
        assert_eq!(Utf8::default().feed(bytes), passing == bytes.len(), "{bytes:x?} at once");
    }

    #[test]
    fn the_first_wrong_byte_is_told() {
        check("gr\u{fc}n \u{20ac} \u{1f600}".as_bytes(), 14, true);
        check(b"\xf0\x9f\x98", 3, false);
        check(b"\xe2\x82", 2, false);
        check(b"\xc3", 1, false);
        // RFC 3629: a lone continuation, overlong forms, surrogates, and what is beyond 10FFFF.
        check(b"a\x80", 1, true);
        check(b"\xc0\xaf", 0, true);
        check(b"\xc1\xbf", 0, true);
        check(b"\xe0\x80\x80", 1, true);
        check(b"\xf0\x80\x80\x80", 1, true);
        check(b"\xed\xa0\x80", 1, true);
        check(b"\xf4\x90\x80\x80", 1, true);
        check(b"\xf5\x80", 0, true);
        check(b"\xff", 0, true);
        check(b"\xe2\x82a", 2, true);
    }

    proptest! {
        #[test]
        fn pieces_are_judged_as_the_whole(
            mut bytes in any::<String>().prop_map(String::into_bytes),
            garbage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
            size in 1usize..5,
        ) {
            if let Some((place, byte)) = garbage {
                bytes.insert(place.index(bytes.len() + 1), byte);
            }
            let mut utf8 = Utf8::default();
            let sound = bytes.chunks(size).all(|piece| utf8.feed(piece)) && utf8.is_complete();
            prop_assert_eq!(sound, str::from_utf8(&bytes).is_ok());
        }
    }
}
