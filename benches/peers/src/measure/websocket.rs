//! WebSocket messages to a handler and back: each connection sends its next one when the last has come back.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::client::broken;
use crate::error::Error;
use crate::handler::SWITCH;
use crate::running::Running;
use crate::swarm::{Heard, Swarm};

/// The example of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Messages per second, the 99th percentile of the time that one takes, and the CPU time of one.
pub(super) fn measure(running: &Running, connections: usize, size: usize, turn: Duration) -> Result<Vec<f64>, Error> {
    let mut talks = Talks::open(running, connections, size).map_err(Error::doing("open a WebSocket"))?;
    let (cpu, began) = (running.cpu(), Instant::now());
    let mut times = talks.talk(began + turn).map_err(Error::doing("use a WebSocket"))?;
    let lasted = began.elapsed().as_secs_f64();
    let cpu = running.cpu().saturating_sub(cpu).as_secs_f64();
    times.sort_unstable();
    let count = times.len();
    let p99 = times.get(count * 99 / 100).copied().unwrap_or_default();
    Ok(vec![count as f64 / lasted, p99.as_secs_f64(), cpu / count as f64])
}

struct Talks {
    swarm: Swarm,
    connections: usize,
    sent: Vec<u8>,
    wanted: Vec<u8>,
}

impl Talks {
    /// Opens connections; all handshakes are done then.
    fn open(running: &Running, connections: usize, size: usize) -> io::Result<Self> {
        let mut swarm = Swarm::new()?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n",
            running.path("socket")
        );
        let answer = [SWITCH, ACCEPT, b"\r\n\r\n"].concat();
        for _ in 0..connections {
            swarm.join(running.site.address, request.as_bytes())?;
        }
        let mut open = 0;
        let mut got = vec![Vec::new(); connections];
        while open < connections {
            swarm.hear(|Heard { number, bytes, .. }| {
                open += usize::from(completes(&mut got[number], bytes, &answer)?);
                Ok(())
            })?;
        }
        let payload = vec![b'x'; size];
        Ok(Self { swarm, connections, sent: masked(&payload)?, wanted: unmasked(&payload)? })
    }

    /// Sends messages until then; gives how long each has taken.
    fn talk(&mut self, end: Instant) -> io::Result<Vec<Duration>> {
        let mut times = Vec::new();
        let mut open = self.connections;
        let mut got: Vec<Vec<u8>> = vec![Vec::new(); self.connections];
        let mut since = Vec::with_capacity(self.connections);
        for number in 0..self.connections {
            since.push(Instant::now());
            self.swarm.send(number, &self.sent)?;
        }
        while open > 0 {
            self.swarm.hear(|Heard { number, bytes, mut stream }| {
                if !completes(&mut got[number], bytes, &self.wanted)? {
                    return Ok(());
                }
                let now = Instant::now();
                times.push(now - since[number]);
                got[number].clear();
                since[number] = now;
                if now < end {
                    return stream.write_all(&self.sent);
                }
                open -= 1;
                Ok(())
            })?;
        }
        Ok(times)
    }
}

/// Whether `got` is all that is wanted once `bytes` are added.
fn completes(got: &mut Vec<u8>, bytes: &[u8], wanted: &[u8]) -> io::Result<bool> {
    got.extend_from_slice(bytes);
    if !wanted.starts_with(got) {
        return Err(broken("the answer isn't the wanted one"));
    }
    Ok(got.len() == wanted.len())
}

/// A text frame as a client sends it (RFC 6455, section 5.2).
fn masked(payload: &[u8]) -> io::Result<Vec<u8>> {
    let mut frame = vec![0x81, 0x80 | size(payload)?];
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    Ok(frame)
}

/// A text frame as a server sends it.
fn unmasked(payload: &[u8]) -> io::Result<Vec<u8>> {
    Ok([&[0x81, size(payload)?], payload].concat())
}

/// The size of a payload that has the shortest form of frame.
fn size(payload: &[u8]) -> io::Result<u8> {
    u8::try_from(payload.len()).ok().filter(|size| *size < 126).ok_or_else(|| broken("the payload is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_those_of_the_rfc() {
        // RFC 6455, section 5.7.
        assert_eq!(masked(b"Hello").unwrap(), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        assert_eq!(unmasked(b"Hello").unwrap(), b"\x81\x05Hello");
        assert!(masked(&[0; 126]).is_err());
    }

    #[test]
    fn an_answer_may_come_in_pieces_but_has_to_be_the_wanted_one() {
        let mut got = Vec::new();
        assert!(!completes(&mut got, b"a", b"abc").unwrap());
        assert!(completes(&mut got, b"bc", b"abc").unwrap());
        assert!(completes(&mut got, b"d", b"abc").is_err());
    }
}
