//! One sample of one server: the figures of [`Work::columns`], in that order; times in seconds.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, ask_all};
use crate::config::Site;
use crate::error::Error;
use crate::peer::Peer;
use crate::row::{Load, Work};
use crate::running::Running;
use crate::wrk::{Told, Wrk};

/// What a sample is taken of, and with.
#[derive(Debug)]
pub(crate) struct Stand<'a> {
    pub(crate) peer: &'a Peer,
    /// The servers that [`Work::sites`] wants.
    pub(crate) running: Vec<Running>,
    pub(crate) wrk: &'a Wrk,
    pub(crate) turn: Duration,
}

impl Stand<'_> {
    /// Takes a sample.
    ///
    /// # Errors
    /// The server can't be started or doesn't answer.
    pub(crate) fn sample(&self, work: &Work) -> Result<Vec<f64>, Error> {
        match (work, &self.running[..]) {
            (Work::Load(load), [running]) => self.load(running, *load),
            (Work::Routes { load, .. }, [few, many]) => self.routes(few, many, *load),
            (Work::Reload { every, lasting, connections }, [running]) => {
                Ok(reload(running, *every, *lasting, *connections))
            }
            (Work::Rest { lasting }, [running]) => Ok(rest(running, *lasting)),
            (Work::Memory { connections }, _) => memory(self.peer, *connections),
            (Work::Start { .. }, _) => start(self.peer),
            _ => unreachable!("what runs is what `Work::sites` says"),
        }
    }

    fn load(&self, running: &Running, load: Load) -> Result<Vec<f64>, Error> {
        let (told, cpu) = self.ask(running, load)?;
        Ok(vec![told.per_second, told.p99, cpu, told.failed])
    }

    fn routes(&self, few: &Running, many: &Running, load: Load) -> Result<Vec<f64>, Error> {
        let (_, few) = self.ask(few, load)?;
        let (_, many) = self.ask(many, load)?;
        Ok(vec![many / few, few, many])
    }

    /// Runs wrk; gives also the server's CPU time per request.
    fn ask(&self, running: &Running, load: Load) -> Result<(Told, f64), Error> {
        let before = running.cpu();
        let told = self.wrk.ask(running, load, self.turn)?;
        let cpu = running.cpu().saturating_sub(before);
        Ok((told, cpu.as_secs_f64() / told.requests))
    }
}

fn memory(peer: &Peer, connections: usize) -> Result<Vec<f64>, Error> {
    let running = Running::start(peer, Site::prepare(peer.kind, 0)?)?;
    let path = running.path("1k.txt");
    let before = running.memory();
    let mut clients = Vec::with_capacity(connections);
    for number in 1..=connections {
        let mut client =
            Client::connect(running.site.address).map_err(Error::doing(format!("open connection {number}")))?;
        client.get(&path).map_err(Error::doing(format!("use connection {number}")))?;
        clients.push(client);
    }
    let grown = running.memory().saturating_sub(before);
    Ok(vec![grown as f64 / connections as f64])
}

fn start(peer: &Peer) -> Result<Vec<f64>, Error> {
    let running = Running::start(peer, Site::prepare(peer.kind, 0)?)?;
    Ok(vec![running.start.as_secs_f64()])
}

fn reload(running: &Running, every: Duration, lasting: Duration, connections: usize) -> Vec<f64> {
    let end = Instant::now() + lasting;
    let path = running.path("1k.txt");
    let count = thread::scope(|scope| {
        let asking = scope.spawn(|| ask_all(running.site.address, &path, connections, end));
        while Instant::now() + every < end {
            thread::sleep(every);
            running.reload();
        }
        asking.join().expect("it doesn't panic")
    });
    vec![count.failed as f64, count.answered as f64]
}

fn rest(running: &Running, lasting: Duration) -> Vec<f64> {
    let before = running.cpu();
    thread::sleep(lasting);
    vec![running.cpu().saturating_sub(before).as_secs_f64()]
}
