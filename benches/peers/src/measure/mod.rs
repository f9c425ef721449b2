//! One sample of one server: the figures of [`Work::columns`], in that order; times in seconds.
//!
//! A file for each way of measuring: [`load`] by wrk, [`memory`], [`life`] of a server, [`fan_out`], [`websocket`],
//! [`upload`], [`download`], [`handshake`], and [`operate`] of m2sh.

mod download;
mod fan_out;
mod handshake;
mod life;
mod load;
mod memory;
mod operate;
mod upload;
mod websocket;

use std::cell::OnceCell;
use std::time::Duration;

use crate::error::Error;
use crate::peer::Peer;
use crate::row::{Servers, Task, Work};
use crate::running::Running;
use crate::wrk::Wrk;

pub(crate) use self::operate::Desk;

/// What a sample is taken of, and with.
#[derive(Debug)]
pub(crate) struct Stand<'a> {
    pub(crate) peer: &'a Peer,
    /// The servers that are [kept](Servers::Kept).
    pub(crate) running: Vec<Running>,
    pub(crate) wrk: &'a Wrk,
    pub(crate) turn: Duration,
    /// Where m2sh works, in the rows about that.
    pub(crate) desk: OnceCell<Desk>,
}

impl Stand<'_> {
    /// Takes a sample.
    ///
    /// # Errors
    /// The server can't be started or doesn't answer.
    pub(crate) fn sample(&self, work: &Work) -> Result<Vec<f64>, Error> {
        match work.servers() {
            Servers::Kept(_) => self.measure(work, &self.running),
            Servers::Fresh(setup) => {
                let running = Running::start(self.peer, setup)?;
                self.measure(work, &[running])
            }
        }
    }

    fn measure(&self, work: &Work, running: &[Running]) -> Result<Vec<f64>, Error> {
        match (work, running) {
            (Work::Load(load), [running]) => self.load(running, *load),
            (Work::Beside { parked, load }, [running]) => self.beside(running, *parked, *load),
            (Work::Compare { load, .. }, [few, many]) => self.compare(few, many, *load),
            (Work::Memory { connections }, [running]) => memory::idle(running, *connections),
            (Work::Parked { connections }, [running]) => memory::parked(running, *connections),
            (Work::FanOut(fan_out), [running]) => fan_out::measure(running, *fan_out, self.turn),
            (Work::WebSocket { connections, size }, [running]) => {
                websocket::measure(running, *connections, *size, self.turn)
            }
            (Work::Download { path, .. }, [running]) => download::measure(running, path, self.turn),
            (Work::Handshakes { connections }, [running]) => Ok(handshake::measure(running, *connections, self.turn)),
            (Work::Pinned { sessions }, [running]) => memory::pinned(running, *sessions),
            (Work::Upload { size }, [running]) => upload::measure(running, *size),
            (Work::Reload { every, lasting, connections }, [running]) => {
                Ok(life::reload(running, *every, *lasting, *connections))
            }
            (Work::Rest { lasting }, [running]) => Ok(life::rest(running, *lasting)),
            (Work::Start { .. }, [running]) => Ok(vec![running.start.as_secs_f64()]),
            (Work::Operate(task), []) => self.operate(*task),
            _ => unreachable!("what runs is what `Work::servers` says"),
        }
    }

    /// What the first sample prepares serves all of them.
    fn operate(&self, task: Task) -> Result<Vec<f64>, Error> {
        if self.desk.get().is_none() {
            let desk = Desk::prepare(self.peer, task)?;
            self.desk.set(desk).expect("there was none");
        }
        self.desk.get().expect("there is one").measure(task)
    }
}
