//! Streams that a handler sends the same to: a piece for each of them in every round.
//!
//! A round is asked for with a request of its own, while few enough others are on their way: a queue that
//! overflows, or a client that is too slow, would be measured else.

use std::io;
use std::time::{Duration, Instant};

use crate::client::{broken, request};
use crate::error::Error;
use crate::handler::{ANSWER, PIECE, STREAM};
use crate::row::FanOut;
use crate::running::Running;
use crate::swarm::Swarm;

/// How many streams are opened before the heads of their answers are waited for.
const AT_ONCE: usize = 100;

/// Pieces per second, and the CPU time of one.
pub(super) fn measure(running: &Running, fan_out: FanOut, turn: Duration) -> Result<Vec<f64>, Error> {
    let mut crowd = Crowd::gather(running, fan_out).map_err(Error::doing("open streams"))?;
    let (cpu, began) = (running.cpu(), Instant::now());
    crowd.ask(began + turn).map_err(Error::doing("send to streams"))?;
    let lasted = began.elapsed().as_secs_f64();
    let cpu = running.cpu().saturating_sub(cpu).as_secs_f64();
    let pieces = (crowd.rounds.whole * fan_out.streams) as f64;
    Ok(vec![pieces / lasted, cpu / pieces])
}

/// The clients of the streams, and behind them a client for each round that may be on its way.
struct Crowd {
    swarm: Swarm,
    fan_out: FanOut,
    /// What asks for a round.
    request: String,
    /// How many bytes each client has got.
    got: Vec<usize>,
    rounds: Rounds,
}

impl Crowd {
    /// Opens the streams, and waits until each has its head.
    fn gather(running: &Running, fan_out: FanOut) -> io::Result<Self> {
        let stream = request(&running.path("stream"));
        let mut swarm = Swarm::new()?;
        let mut got = vec![0; fan_out.streams];
        let mut ready = 0;
        for number in 1..=fan_out.streams {
            swarm.join(running.site.address, stream.as_bytes())?;
            while (number % AT_ONCE == 0 || number == fan_out.streams) && ready < number {
                swarm.hear(|heard| {
                    ready += usize::from(begins(&mut got[heard.number], heard.bytes)?);
                    Ok(())
                })?;
            }
        }
        (0..fan_out.rounds).try_for_each(|_| swarm.join(running.site.address, b""))?;
        got.resize(fan_out.streams + fan_out.rounds, 0);
        let rounds = Rounds { streams: fan_out.streams, ..Rounds::default() };
        Ok(Self { swarm, fan_out, request: request(&running.path("round")), got, rounds })
    }

    /// Asks for rounds until then, and waits for the last.
    fn ask(&mut self, end: Instant) -> io::Result<()> {
        let Self { swarm, fan_out, request, got, rounds } = self;
        loop {
            while rounds.on_their_way() < fan_out.rounds && Instant::now() < end {
                // Its answer to the last one came before the pieces of that round, which are all there.
                swarm.send(fan_out.streams + rounds.asked() % fan_out.rounds, request.as_bytes())?;
                rounds.ask();
            }
            if rounds.on_their_way() == 0 {
                return Ok(());
            }
            swarm.hear(|heard| {
                let (got, size) = (&mut got[heard.number], heard.bytes.len());
                *got += size;
                if heard.number < fan_out.streams {
                    return rounds.note(*got - size - STREAM.len(), *got - STREAM.len());
                }
                let sound = ANSWER.starts_with(&heard.bytes[..size.min(12)]);
                if sound { Ok(()) } else { Err(broken("a round was refused")) }
            })?;
        }
    }
}

/// Takes the beginning of a stream; gives whether its head is whole.
fn begins(got: &mut usize, bytes: &[u8]) -> io::Result<bool> {
    if !STREAM[*got..].starts_with(bytes) {
        return Err(broken("that isn't the head of a stream"));
    }
    *got += bytes.len();
    Ok(*got == STREAM.len())
}

/// How far the rounds are that were asked for.
#[derive(Debug, Default)]
struct Rounds {
    streams: usize,
    /// How many streams have each of them.
    had: Vec<usize>,
    /// How many of them all streams have.
    whole: usize,
}

impl Rounds {
    fn asked(&self) -> usize {
        self.had.len()
    }

    fn on_their_way(&self) -> usize {
        self.had.len() - self.whole
    }

    fn ask(&mut self) {
        self.had.push(0);
    }

    /// Notes that a stream has not as many bytes any more, but so many.
    fn note(&mut self, before: usize, now: usize) -> io::Result<()> {
        let had = self.had.get_mut(before / PIECE..now / PIECE);
        had.ok_or_else(|| broken("more came than was sent"))?.iter_mut().for_each(|had| *had += 1);
        while self.had.get(self.whole) == Some(&self.streams) {
            self.whole += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_whole_when_the_slowest_stream_has_it() {
        let mut rounds = Rounds { streams: 2, ..Rounds::default() };
        rounds.ask();
        rounds.ask();
        rounds.note(0, 2 * PIECE).unwrap();
        rounds.note(0, PIECE - 1).unwrap();
        assert_eq!((rounds.on_their_way(), rounds.whole), (2, 0));
        rounds.note(PIECE - 1, PIECE).unwrap();
        assert_eq!((rounds.on_their_way(), rounds.whole), (1, 1));
        rounds.note(PIECE, 2 * PIECE).unwrap();
        assert_eq!((rounds.on_their_way(), rounds.whole), (0, 2));
        assert!(rounds.note(2 * PIECE, 3 * PIECE).is_err());
    }

    #[test]
    fn a_stream_begins_with_its_head() {
        let mut got = 0;
        assert!(!begins(&mut got, &STREAM[..9]).unwrap());
        assert!(begins(&mut got, &STREAM[9..]).unwrap());
        assert!(begins(&mut 0, b"HTTP/1.1 503 ").is_err());
    }
}
