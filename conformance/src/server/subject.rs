//! A server that runs, with handlers that are connected to it.

use std::time::Duration;

use super::handler::{Handler, Message};
use super::site::Site;
use crate::check::{Problem, Verdict};
use crate::client::{Answer, Client, ask};

/// A server and its handlers.
#[derive(Debug)]
pub struct Subject {
    /// Where everything is.
    pub site: Site,
    /// How long anything may take.
    pub patience: Duration,
    /// The handler of `/json`, `@json` and `<xml`: messages with JSON.
    pub json: Handler,
    /// That of `/tnet` and `@tnet`: messages with tnetstrings.
    pub tnet: Handler,
    /// That of `@raw`, whose replies are not encoded.
    pub raw: Handler,
}

impl Subject {
    /// Connects the handlers to a server that runs.
    ///
    /// # Errors
    /// The server doesn't know them.
    pub fn connect(site: Site, patience: Duration) -> Verdict<Self> {
        let context = zmq::Context::new();
        let handler = |ident: &str| {
            let place = site.place(ident).ok_or_else(|| Problem::wrong(format!("there is no handler `{ident}`")))?;
            Handler::connect(&context, place, patience)
        };
        let (json, tnet, raw) = (handler("json")?, handler("tnet")?, handler("raw")?);
        Ok(Self { site, patience, json, tnet, raw })
    }

    /// Forgets what earlier cases have left behind.
    pub fn forget(&self) {
        [&self.json, &self.tnet, &self.raw].into_iter().for_each(Handler::forget);
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// The server doesn't listen.
    pub fn client(&self) -> Verdict<Client> {
        Client::connect(self.site.address, self.patience)
    }

    /// Sends the head of a request, and takes the message that the handler of `/json` or `/tnet` gets; the client waits
    /// for its answer then.
    ///
    /// # Errors
    /// None comes.
    pub fn ask(&self, handler: &Handler, line: &str, headers: &str) -> Verdict<(Client, Message)> {
        let mut client = self.client()?;
        client.send(format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"))?;
        let target = line.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let message = handler.request(path)?;
        Ok((client, message))
    }

    /// Asks for something that no handler answers.
    ///
    /// # Errors
    /// There is no answer.
    pub fn answer(&self, line: &str, headers: &str, body: &str) -> Verdict<Answer> {
        ask(self.site.address, self.patience, line, headers, body)
    }
}
