//! What the command line means: everything read and judged, nothing opened.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{collections::HashMap, env, fs};

use tokio::sync::Semaphore;

use crate::args::Line;
use crate::backend::{Asker, Backend};
use crate::backends::Backends;
use crate::error::Error;
use crate::origin::Pages;
use crate::token::Token;

/// The variable that may have the token.
const VARIABLE: &str = "WS2HTTP_TOKEN";

/// What is to be done.
pub(crate) struct Plan {
    pub(crate) requests_from: String,
    pub(crate) replies_to: String,
    pub(crate) listen: SocketAddr,
    pub(crate) backends: Backends<Arc<Backend>>,
    pub(crate) pages: Pages,
    pub(crate) token: Option<Token>,
    pub(crate) tries: u32,
    pub(crate) sockets: usize,
    pub(crate) ping: Duration,
    pub(crate) patience: Duration,
}

impl Plan {
    /// Makes it of the command line.
    ///
    /// # Errors
    /// What can't be meant.
    pub(crate) fn make(line: Line) -> Result<Self, Error> {
        let token = token(line.token_file.as_deref())?;
        if !line.listen.ip().is_loopback() && token.is_none() {
            return Err(Error::Open(line.listen));
        }
        Ok(Self {
            backends: backends(&line, token.clone())?,
            pages: Pages::parse(&line.origins)?,
            token,
            listen: line.listen,
            tries: line.tries,
            sockets: count(line.sockets),
            ping: Duration::from_secs(line.ping),
            patience: Duration::from_secs(line.patience),
            requests_from: line.requests_from,
            replies_to: line.replies_to,
        })
    }
}

fn backends(line: &Line, token: Option<Token>) -> Result<Backends<Arc<Backend>>, Error> {
    let at_a_time = count(line.at_a_time);
    let asker = Arc::new(Asker::new(token, Duration::from_secs(line.timeout), at_a_time));
    let mut places = HashMap::new();
    let pairs: Vec<_> = line.routes.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    Backends::new(&pairs, |url| {
        let places = places.entry(url.authority().cloned()).or_insert_with(|| Arc::new(Semaphore::new(at_a_time)));
        Arc::new(Backend::new(url, Arc::clone(places), Arc::clone(&asker)))
    })
}

/// The token of the file, else that of the variable.
fn token(file: Option<&Path>) -> Result<Option<Token>, Error> {
    let text = match file {
        Some(file) => {
            Some(fs::read_to_string(file).map_err(|error| Error::TokenFile(file.display().to_string(), error))?)
        }
        None => env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned()),
    };
    Ok(text.map(|text| Token::parse(&text)).transpose()?)
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
