//! Precompressed neighbours: `style.css.br` beside `style.css`, for clients that accept it.  Pure.

/// A content coding whose files are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Brotli,
    Zstandard,
    Gzip,
}

impl Encoding {
    /// All of them, the best first.
    pub(crate) const ALL: [Self; 3] = [Self::Brotli, Self::Zstandard, Self::Gzip];

    /// The word in Accept-Encoding and Content-Encoding (RFC 9110, section 8.4.1; RFC 7932; RFC 8878).
    pub(crate) fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstandard => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What a compressed neighbour's name has behind the file's.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstandard => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// The codings that a client accepts, as a small set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Accepted(u8);

impl Accepted {
    /// Reads an Accept-Encoding header (RFC 9110, section 12.5.3).  Which of the accepted ones is sent is up to
    /// the server; a weight of 0 refuses.  `*` is not taken for a wish: who wants a coding names it.
    pub(crate) fn parse(header: Option<&[u8]>) -> Self {
        let (mut accepted, mut refused) = (0, 0);
        for element in header.unwrap_or_default().split(|byte| *byte == b',') {
            let mut parts = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let token = parts.next().unwrap_or_default();
            let named = Encoding::ALL.iter().position(|encoding| names(token, *encoding));
            let bit = named.map_or(0, |index| 1 << index);
            if parts.any(is_zero) {
                refused |= bit;
            } else {
                accepted |= bit;
            }
        }
        Self(accepted & !refused)
    }

    pub(crate) fn has(self, encoding: Encoding) -> bool {
        Encoding::ALL.iter().position(|known| *known == encoding).is_some_and(|index| self.0 & (1 << index) != 0)
    }
}

fn names(token: &[u8], encoding: Encoding) -> bool {
    token.eq_ignore_ascii_case(encoding.token().as_bytes())
        || (encoding == Encoding::Gzip && token.eq_ignore_ascii_case(b"x-gzip"))
}

/// Whether a parameter is a weight of zero: `q=0`, `q=0.000`.
fn is_zero(parameter: &[u8]) -> bool {
    let Some(weight) = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q=")) else {
        return false;
    };
    weight.starts_with(b"0") && weight.iter().all(|byte| b"0.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_say() {
        for (header, expected) in [
            ("gzip, deflate, br, zstd", "br zstd gzip"),
            ("gzip", "gzip"),
            ("GZIP;q=0.5", "gzip"),
            ("x-gzip", "gzip"),
            ("gzip;q=0, br", "br"),
            ("gzip; q=0.000", ""),
            ("br;q=1.0, gzip;q=0.8, *;q=0", "br gzip"),
            ("identity", ""),
            ("*", ""),
            ("", ""),
        ] {
            let accepted = Accepted::parse(Some(header.as_bytes()));
            let names: Vec<&str> =
                Encoding::ALL.into_iter().filter(|encoding| accepted.has(*encoding)).map(Encoding::token).collect();
            assert_eq!(names.join(" "), expected, "{header}");
        }
        assert_eq!(Accepted::parse(None), Accepted::default());
    }
}
