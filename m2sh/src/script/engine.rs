//! The Rhai engine of a run: its limits, and the words of a configuration as its functions.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, INT, Map, NativeCallContext, OptimizationLevel, Position};
use uuid::Uuid;

use crate::error::say;

use super::import::Folder;
use super::object::{MOST_ENTRIES, Object, Part, Refusal};
use super::session::{Commit, Session};
use super::stop::thrown;
use super::words::{self, NOUNS, Noun};

/// How many steps a script may take.
pub(super) const MOST_STEPS: u64 = 10_000_000;
/// How deep calls may nest.
pub(super) const MOST_CALLS: usize = 64;
/// How deep expressions may nest.
pub(super) const MOST_DEPTH: usize = 128;
/// How many variables there may be at a time.
pub(super) const MOST_VARIABLES: usize = 10_000;
/// How long a script may run: a step may take long when it is about a long list.
pub(super) const LONGEST_RUN: Duration = Duration::from_secs(10);
/// How many bytes a string may have.
const LONGEST_STRING: usize = 1 << 20;

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// An engine whose functions tell `session` what a script says.
pub(super) fn new(session: &Rc<Session>) -> Engine {
    let mut engine = Engine::new();
    limit(&mut engine);
    talk(&mut engine, session);
    engine.set_module_resolver(Folder::new(Rc::clone(session)));
    for noun in NOUNS {
        register_noun(&mut engine, noun, session);
    }
    register_object(&mut engine, session);
    register_part(&mut engine, session);
    register_commit(&mut engine, session);
    register_facts(&mut engine, session);
    engine
}

fn limit(engine: &mut Engine) {
    engine
        // A script is run once, and the optimiser drops what it thinks idle, such as a last `import`.
        .set_optimization_level(OptimizationLevel::None)
        .set_max_operations(MOST_STEPS)
        .set_max_call_levels(MOST_CALLS)
        .set_max_expr_depths(MOST_DEPTH, MOST_DEPTH)
        .set_max_variables(MOST_VARIABLES)
        .set_max_string_size(LONGEST_STRING)
        .set_max_array_size(MOST_ENTRIES)
        .set_max_map_size(MOST_ENTRIES)
        .disable_symbol("eval");
    let start = Instant::now();
    // Rhai ends the script when it gets a value; asking the clock at every step would take longer than the step.
    engine.on_progress(move |steps| (steps % 256 == 0 && start.elapsed() > LONGEST_RUN).then_some(Dynamic::UNIT));
    engine.register_fn("sleep", |_: INT| sleepless());
    engine.register_fn("sleep", |_: FLOAT| sleepless());
}

fn sleepless() -> Result<()> {
    Err(thrown("`sleep` is switched off".into(), "a configuration has nothing to wait for".into()))
}

/// Stdout is for data; what a script prints is talk.
fn talk(engine: &mut Engine, session: &Session) {
    let main = session.sources().main().display().to_string();
    let script = main.clone();
    engine.on_print(move |text| say(&format!("{script}: {text}")));
    engine.on_debug(move |text, source, position| {
        say(&format!("{}:{}: {text}", source.unwrap_or(&main), position.line().unwrap_or(0)));
    });
}

fn register_noun(engine: &mut Engine, noun: &'static Noun, session: &Rc<Session>) {
    let session = Rc::clone(session);
    engine.register_fn(noun.name, move |context: NativeCallContext<'_>, given: Dynamic| {
        let spot = session.spot(&context);
        let got = words::found(&given);
        Object::new(
            noun,
            given.try_cast::<Map>().unwrap_or_else(|| {
                let hint = format!("{}(#{{{}: …}})", noun.name, noun.fields[0].name);
                session.fault(spot, format!("`{}` takes a map of its fields, not {got}", noun.name), Some(hint));
                Map::new()
            }),
            spot,
            &session,
        )
    });
}

fn register_object(engine: &mut Engine, session: &Rc<Session>) {
    engine.register_type_with_name::<Object>("object");
    let here = Rc::clone(session);
    let get = move |context: NativeCallContext<'_>, object: &mut Object, name: &str| -> Result<Dynamic> {
        if object.noun().field(name).is_none() {
            let position = here.sources().after(here.spot(&context)).position();
            return Err(unknown(object.noun(), name, position));
        }
        let value = || object.value(name).map_or(Dynamic::UNIT, |value| value.clone());
        Ok(Part::new(object, name).map_or_else(value, Dynamic::from))
    };
    engine.register_indexer_get(get);
    let session = Rc::clone(session);
    let set = move |context: NativeCallContext<'_>, object: &mut Object, name: &str, value: Dynamic| {
        // Rhai's position is that of the `.` or `[` before the name.
        let spot = session.sources().after(session.spot(&context));
        object.set(name, value, spot, &session);
    };
    engine.register_indexer_set(set);
}

fn unknown(noun: &Noun, name: &str, position: Position) -> Box<EvalAltResult> {
    let mut error = thrown(format!("`{name}` is not a field of {}", noun.name), noun.suggest(name));
    error.set_position(position);
    error
}

fn register_part(engine: &mut Engine, session: &Rc<Session>) {
    engine.register_type_with_name::<Part>("list");
    for name in ["push", "add", "+="] {
        let session = Rc::clone(session);
        engine.register_fn(name, move |context: NativeCallContext<'_>, part: &mut Part, value: Dynamic| {
            part.add(None, value, session.spot(&context)).map_err(refused)
        });
    }
    let here = Rc::clone(session);
    let set = move |context: NativeCallContext<'_>, part: &mut Part, key: &str, value: Dynamic| -> Result<()> {
        let spot = here.sources().after(here.spot(&context));
        part.add(Some(key), value, spot).map_err(refused)
    };
    engine.register_indexer_set(set);
    engine.register_indexer_get(|part: &mut Part, key: &str| {
        part.value().read_lock::<Map>().and_then(|map| map.get(key).cloned()).unwrap_or_default()
    });
    engine.register_indexer_get(|part: &mut Part, index: INT| {
        usize::try_from(index).ok().and_then(|index| part.entries().into_iter().nth(index)).unwrap_or_default()
    });
    engine.register_fn("len", |part: &mut Part| INT::try_from(part.entries().len()).unwrap_or(INT::MAX));
    engine.register_iterator::<Part>();
}

fn refused(refusal: Refusal) -> Box<EvalAltResult> {
    let (message, hint) = match refusal {
        Refusal::List => ("this is a list, whose entries have no names", "add to it with `push`"),
        Refusal::Map => ("this is a map of paths to targets", "add to it with `host.routes[\"/path\"] = target`"),
        Refusal::Pages => {
            ("this is a map of statuses to paths", "add to it with `host.error_pages[\"404\"] = \"/404.html\"`")
        }
        Refusal::Full => ("this has 100000 entries already", "look for a loop that never ends"),
    };
    thrown(message.into(), hint.into())
}

fn register_commit(engine: &mut Engine, session: &Rc<Session>) {
    let here = Rc::clone(session);
    engine.register_fn("commit", move |context: NativeCallContext<'_>, servers: Dynamic| {
        here.commit(Commit { spot: here.spot(&context), servers, options: Dynamic::UNIT });
    });
    let here = Rc::clone(session);
    engine.register_fn("commit", move |context: NativeCallContext<'_>, servers: Dynamic, options: Dynamic| {
        here.commit(Commit { spot: here.spot(&context), servers, options });
    });
}

fn register_facts(engine: &mut Engine, session: &Rc<Session>) {
    engine.register_fn("uuid", || Uuid::new_v4().to_string());
    let here = Rc::clone(session);
    engine.register_fn("hostname", move || here.hostname());
    let here = Rc::clone(session);
    engine.register_fn("env", move |name: &str| -> Result<String> {
        here.variable(name).map(str::to_owned).ok_or_else(|| {
            let hint = format!("set it, or say what to do without: `env(\"{name}\", \"…\")`");
            thrown(format!("the environment has no variable `{name}`"), hint)
        })
    });
    let here = Rc::clone(session);
    engine.register_fn("env", move |name: &str, default: Dynamic| match here.variable(name) {
        Some(value) => like(&default, name, value),
        None => Ok(default),
    });
    let here = Rc::clone(session);
    engine.register_fn("secret", move |name: &str| -> Result<String> {
        here.secret(name).map_err(|(message, hint)| thrown(message, hint))
    });
}

/// An environment's value in the type of the default.
fn like(default: &Dynamic, name: &str, value: &str) -> Result<Dynamic> {
    let parsed = if default.is_int() {
        value.parse::<INT>().ok().map(Dynamic::from)
    } else if default.is_bool() {
        ["0", "1", "false", "true"].iter().position(|word| *word == value).map(|index| (index % 2 == 1).into())
    } else {
        Some(value.to_owned().into())
    };
    parsed.ok_or_else(|| {
        let message = format!("the environment's `{name}` is `{value}`, not {}", words::found(default));
        thrown(message, "it has to be of the same kind as the default".into())
    })
}
