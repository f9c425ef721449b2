//! The handler that the servers pass requests to: a process of its own, so that what it uses isn't the server's.
//!
//! It is this program with the arguments `be-handler REQUESTS REPLIES FOLDER` ([`program`]): a bare loop over two
//! ZeroMQ sockets.  [`message`] takes requests apart and puts replies together; [`answers`] decides what is
//! answered, by the last word of the path.

mod answers;
mod message;
mod program;

use std::io;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::args::Place;
use crate::error::Error;
use crate::handler::answers::Answers;
use crate::handler::message::Request;

pub(crate) use answers::{ANSWER, PIECE, STREAM, SWITCH};
pub(crate) use program::Program;

/// Answers until the process that started it ends, or ends it.
///
/// # Errors
/// The sockets don't work.
pub(crate) fn run(place: &Place) -> Result<(), Error> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Error::doing("ask for an end with its parent")(io::Error::from(error)))?;
    Ok(serve(place)?)
}

fn serve(place: &Place) -> zmq::Result<()> {
    let context = zmq::Context::new();
    let replies = subscribed(&context, &place.replies)?;
    let requests = context.socket(zmq::PULL)?;
    requests.connect(&place.requests)?;
    let mut answers = Answers::new(place.folder.clone());
    let mut message = zmq::Message::new();
    loop {
        // It waits only when there is nothing; as long as there is more, it makes no system call.
        requests.recv(&mut message, 0)?;
        if let Some(request) = Request::parse(&message) {
            answers.answer(&request, |reply| replies.send(reply, 0))?;
        }
    }
}

/// Connects the socket for replies and waits until the server listens: what is sent earlier is lost.
fn subscribed(context: &zmq::Context, address: &str) -> zmq::Result<zmq::Socket> {
    let replies = context.socket(zmq::XPUB)?;
    // Nothing is thrown away: how much is on its way is decided by who asks.
    replies.set_sndhwm(0)?;
    replies.connect(address)?;
    replies.recv_bytes(0)?;
    Ok(replies)
}
