//! What wrk measures.

use crate::error::Error;
use crate::measure::{Stand, memory};
use crate::row::Load;
use crate::running::Running;
use crate::wrk::Told;

impl Stand<'_> {
    pub(super) fn load(&self, running: &Running, load: Load) -> Result<Vec<f64>, Error> {
        let (told, cpu) = self.ask(running, load)?;
        Ok(vec![told.per_second, told.p99, cpu, told.failed])
    }

    pub(super) fn beside(&self, running: &Running, parked: usize, load: Load) -> Result<Vec<f64>, Error> {
        let _waiting = memory::park(running, parked)?;
        self.load(running, load)
    }

    pub(super) fn compare(&self, few: &Running, many: &Running, load: Load) -> Result<Vec<f64>, Error> {
        let (few_told, few) = self.ask(few, load)?;
        let (many_told, many) = self.ask(many, load)?;
        Ok(vec![many / few, few, many, few_told.per_second, many_told.per_second])
    }

    /// Runs wrk; gives also the server's CPU time per request.
    fn ask(&self, running: &Running, load: Load) -> Result<(Told, f64), Error> {
        let before = running.cpu();
        let told = self.wrk.ask(running, load, self.turn)?;
        let cpu = running.cpu().saturating_sub(before);
        Ok((told, cpu.as_secs_f64() / told.requests))
    }
}
