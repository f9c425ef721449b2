//! What is done at the control port's command.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mongrel2::wire::control::{
    Answer, COMMANDS, Command, Failure, Language, Selector, Status, Table, parse_request, render_answer,
};
use mongrel2::wire::tnetstring::Value;

use super::{End, Reloaded, Running};
use crate::control::{Task, about, ask, late, net, sessions, tasks};
use crate::worker::Mail;

impl Running {
    /// Answers a request; gives how the server is to end, if it is.
    pub(super) async fn serve(&mut self, request: &[u8]) -> Option<End> {
        let (language, command) = (Language::of(request), parse_request(request));
        let answer = match &command {
            Ok(command) => self.execute(command).await,
            Err(failure) => Err(failure.clone()),
        };
        if matches!(command, Ok(Command::ControlStop)) {
            self.control.conceal();
        }
        self.control.reply(&render_answer(language, command.as_ref().ok(), &answer));
        match command {
            Ok(Command::Stop) => Some(End::Drained),
            Ok(Command::Terminate) => Some(End::Cut),
            Ok(Command::ControlStop) => {
                self.control.close();
                None
            }
            _ => None,
        }
    }

    async fn execute(&mut self, command: &Command) -> Answer {
        if !matches!(command, Command::Help | Command::Time | Command::Uuid | Command::Info | Command::Status(_)) {
            tracing::info!("told at the control port: {command}");
        }
        match command {
            Command::Help => Ok(help()),
            Command::Stop | Command::Terminate => Ok(Table::row([("msg", "signal sent to server".into())])),
            Command::ControlStop => Ok(Table::row([("msg", "stopping the control port".into())])),
            Command::Time => Ok(Table::row([("time", now().to_string().as_str().into())])),
            Command::Uuid => Ok(Table::row([("uuid", self.command.uuid.as_str().into())])),
            Command::Info => Ok(about(self.server(), &self.about, self.state())),
            Command::Status(Status::Net) => Ok(self.net().await),
            Command::Status(Status::Tasks) => Ok(self.tasks().await),
            Command::Status(Status::Sessions) => Ok(sessions(self.kept.proxies.sessions(Instant::now()))),
            Command::KillSession(number) if self.kept.proxies.end(*number) => Ok(Table::row([("status", "OK".into())])),
            Command::KillSession(_) => Err(Failure::INVALID_ARGUMENT),
            Command::Kill(selector) => self.kill(selector).await,
            Command::Reload if self.is_stopping => Err(Failure::reload_failed("the server is about to stop".into())),
            Command::Reload => match self.reload().await {
                Ok(Reloaded { generation, warnings }) => Ok(Table::row([
                    ("status", "OK".into()),
                    ("generation", Value::Integer(generation)),
                    ("warnings", Value::List(warnings.iter().map(|warning| warning.as_str().into()).collect())),
                ])),
                Err(error) => Err(Failure::reload_failed(error.to_string())),
            },
        }
    }

    /// What the server does, in one word.
    fn state(&self) -> &'static str {
        if self.is_stopping { "stopping" } else { "serving" }
    }

    async fn net(&self) -> Table {
        let answers = ask(&self.workers, Mail::Net).await;
        let note = late(&answers);
        Table { note, ..net(answers.into_iter().flatten().flatten()) }
    }

    async fn tasks(&self) -> Table {
        let answers = ask(&self.workers, Mail::Activity).await;
        let waiting = self.workers.iter().map(|worker| worker.waiting());
        let workers = answers.iter().zip(waiting).enumerate();
        let workers = workers.map(|(index, (answer, waiting))| Task::worker(index, answer.as_ref(), waiting));
        let mut all = vec![Task::main(self.state()), Task::control(self.control.spec().unwrap_or_default())];
        all.extend(workers);
        all.extend(self.kept.sockets.addresses().into_iter().map(|(spec, waiting)| Task::handler(spec, waiting)));
        Table { note: late(&answers), ..tasks(&all) }
    }

    async fn kill(&self, selector: &Selector) -> Answer {
        let answers = ask(&self.workers, |done| Mail::Kill(selector.clone(), done)).await;
        let (count, note) = (answers.iter().flatten().sum::<usize>(), late(&answers));
        let ok = ("status", Value::from("OK"));
        match selector {
            // A worker that is late may have it.
            Selector::Id(_) if count == 0 && note.is_none() => Err(Failure::INVALID_ARGUMENT),
            Selector::Id(_) => Ok(Table { note, ..Table::row([ok]) }),
            _ => Ok(Table { note, ..Table::row([ok, ("count", Value::from(count as u64))]) }),
        }
    }
}

fn help() -> Table {
    let row = |(name, help): (&str, &str)| vec![name.into(), help.into()];
    Table::new(&["name", "help"], COMMANDS.into_iter().map(row).collect())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
