//! The body of a request: pieces in their order, each given once.

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

use super::BoxFuture;

/// Where a body comes from; a host has one, and a filter may put its own around it.
pub trait Source: Send {
    /// The next bytes; `None` behind the last.  May be given up while it waits: nothing is lost.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, BodyError>>;
}

/// Why a body ends early; fits after "cannot read the body:".
#[derive(Debug, Error)]
pub enum BodyError {
    /// The client has left.
    #[error("the client has left")]
    Gone,
    /// What came isn't what the client has sent; several handlers may share an upload that is streamed.
    #[error("parts of it are missing")]
    Lost,
    /// There is more than [`Body::collect`] was to take.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// The file that it was put in can't be read, or the connection.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A body.
pub struct Body(State);

enum State {
    Whole(Bytes),
    Source(Box<dyn Source>),
    Ended,
    Broken,
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self(State::Ended)
    }

    /// These bytes.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(State::Whole(bytes.into()))
    }

    /// What comes from there.
    pub fn from_source(source: impl Source + 'static) -> Self {
        Self(State::Source(Box::new(source)))
    }

    /// The next bytes, at least one; `None` behind the last.  May be given up while it waits: nothing is lost.
    ///
    /// # Errors
    /// The rest doesn't come.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let State::Source(source) = &mut self.0 else { return self.last() };
            match source.next().await {
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(Some(bytes)) => return Ok(Some(bytes)),
                Ok(None) => self.0 = State::Ended,
                Err(error) => {
                    self.0 = State::Broken;
                    return Err(error);
                }
            }
        }
    }

    fn last(&mut self) -> Result<Option<Bytes>, BodyError> {
        match &mut self.0 {
            State::Broken => Err(BodyError::Gone),
            State::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = State::Ended;
                Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
            }
            State::Source(_) | State::Ended => Ok(None),
        }
    }

    /// All the rest, if it isn't longer than `limit` bytes.
    ///
    /// # Errors
    /// It is longer, or it doesn't come.
    pub async fn collect(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            if bytes.len() > limit - all.len() {
                return Err(BodyError::TooLong(limit));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            State::Whole(_) => "Body(whole)",
            State::Source(_) => "Body(stream)",
            State::Ended => "Body(ended)",
            State::Broken => "Body(broken)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Parts(Vec<Result<&'static str, BodyError>>);

    impl Source for Parts {
        fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, BodyError>> {
            let next = if self.0.is_empty() { None } else { Some(self.0.remove(0)) };
            Box::pin(async { next.transpose().map(|part| part.map(Bytes::from)) })
        }
    }

    #[tokio::test]
    async fn empty_parts_are_not_the_end() {
        let mut body = Body::from_source(Parts(vec![Ok(""), Ok("a"), Ok(""), Ok("b"), Ok("")]));
        assert_eq!(body.next().await.unwrap(), Some("a".into()));
        assert_eq!(body.collect(1).await.unwrap(), b"b");
        assert_eq!(body.next().await.unwrap(), None);
        assert_eq!(Body::whole("").next().await.unwrap(), None);
        assert_eq!(Body::empty().next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_broken_body_stays_broken() {
        let mut body = Body::from_source(Parts(vec![Ok("a"), Err(BodyError::Lost), Ok("b")]));
        assert!(matches!(body.collect(9).await, Err(BodyError::Lost)));
        assert!(matches!(body.next().await, Err(BodyError::Gone)));
    }

    #[tokio::test]
    async fn a_limit_is_the_most() {
        assert_eq!(Body::whole("abc").collect(3).await.unwrap(), b"abc");
        assert!(matches!(Body::whole("abc").collect(2).await, Err(BodyError::TooLong(2))));
    }
}
