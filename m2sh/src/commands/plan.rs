//! `m2sh plan`: what `m2sh load` would change, and what that means for each server.

use mongrel2::config::Config;
use mongrel2::config::difference::{Change, difference};
use mongrel2::config::effect::{Affected, Effect, effects};
use serde_json::json;

use crate::args;
use crate::changes::{self, Counts};
use crate::error::{Error, say};
use crate::exit::Exit;
use crate::facts::facts;
use crate::operator::quoted;
use crate::plan::Plan;
use crate::session::Session;
use crate::show::{Form, escape};

use super::load::{refuse, run_script, script_path};

pub(super) fn run(args: &args::Plan, session: &mut Session) -> Result<Exit, Error> {
    let hint = format!("m2sh plan -db {} FILE", session.db.display());
    let path = script_path(args.script.named(), "plan", &hint)?;
    let outcome = match run_script(&path, &facts()) {
        Ok(outcome) => outcome,
        Err(troubles) => return refuse(&troubles, session).map(|()| Exit::Failure),
    };
    if !outcome.notes.is_empty() {
        say(&outcome.notes.to_string());
    }
    let base = session.base()?;
    let plan = Plan::new(&path, &session.operator, &base, outcome);
    if let Some(file) = &args.out {
        plan.write(file)?;
    }
    tell(args, &base, &plan, session)
}

fn tell(args: &args::Plan, base: &Config, plan: &Plan, session: &mut Session) -> Result<Exit, Error> {
    let changes = difference(base, &plan.config);
    let affected = effects(base, &plan.config);
    let Counts { add, change, remove } = Counts::of(&changes);
    if session.show.form() == Form::Json {
        session.show.json(&json!({
            "script": plan.script, "db": session.db.display().to_string(), "add": add, "change": change,
            "remove": remove, "changes": changes, "servers": affected,
        }))?;
    } else {
        lines(&changes, &affected, plan, session).iter().try_for_each(|line| session.show.line(line))?;
        if let Some(file) = &args.out {
            let (name, db) = (quoted(file.as_os_str()), quoted(session.db.as_os_str()));
            let told = format!("Saved as {}: `m2sh load -db {db} -plan {name}` loads it", file.display());
            session.show.line(&escape(&told))?;
        }
    }
    Ok(if changes.is_empty() { Exit::Success } else { Exit::Changes })
}

fn lines(changes: &[Change], affected: &[Affected], plan: &Plan, session: &Session) -> Vec<String> {
    let (script, db) = (&plan.script, session.db.display());
    if changes.is_empty() {
        return vec![escape(&format!("Nothing to change: {db} is as {script} says"))];
    }
    let Counts { add, change, remove } = Counts::of(changes);
    let mut lines = changes::whole(changes, &session.show);
    lines.push(format!("Plan: {add} to add, {change} to change, {remove} to remove"));
    lines.extend(affected.iter().map(meaning));
    lines
}

fn meaning(affected: &Affected) -> String {
    let because = match &affected.effect {
        Effect::Restart(names) => format!(" ({})", names.join(", ")),
        _ => String::new(),
    };
    escape(&format!("server {}: {}{because}", affected.label, affected.effect.word()))
}
