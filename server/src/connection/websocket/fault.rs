//! What a client's frames can break, and the code that says so when the connection is closed.

use thiserror::Error;

/// Why frames are refused.  The reason is for the error log; a client only ever sees the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Fault {
    #[error("a frame has a reserved bit set")]
    ReservedBit,
    #[error("a frame has the reserved opcode {0}")]
    ReservedOpcode(u8),
    #[error("a control frame is fragmented")]
    FragmentedControl,
    #[error("a control frame is longer than 125 bytes")]
    LongControl,
    #[error("there is nothing that a frame could continue")]
    NothingToContinue,
    #[error("a message starts within another")]
    Interrupted,
    #[error("a frame is not masked")]
    Unmasked,
    #[error("the length of a frame takes more bytes than it needs")]
    LengthForm,
    #[error("the length of a frame has more than 63 bits")]
    LengthSign,
    #[error("a message is longer than allowed")]
    TooLong,
    #[error("a text is not UTF-8")]
    Text,
    #[error("a Close frame has one byte, which is no code")]
    CloseLength,
    #[error("a Close frame has the code {0}")]
    CloseCode(u16),
}

impl Fault {
    /// The code to close with (RFC 6455, section 7.4.1).
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Text => 1007,
            Self::TooLong => 1009,
            _ => 1002,
        }
    }
}
