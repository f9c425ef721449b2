//! The second argument of `commit`: settings and media types, as the database will have them.

use std::collections::BTreeMap;

use mongrel2::config::{closest, default_mimetypes, settings};
use rhai::{Dynamic, Map};

use super::session::{Commit, Session};
use super::source::Spot;
use super::words::{Kind, found};

/// What a script says beside its servers.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// Settings by name.
    pub(super) settings: BTreeMap<String, String>,
    /// Media types by extension.
    pub(super) mimetypes: BTreeMap<String, String>,
}

impl Options {
    /// Reads what was committed, and reports what it isn't.
    pub(super) fn read(session: &Session, commit: &Commit) -> Self {
        let mut reader =
            Reader { session, commit, options: Self { mimetypes: default_mimetypes(), ..Self::default() } };
        reader.options();
        reader.options
    }
}

/// Where the key is that those keys lead to; the call of `commit` if that can't be told.
pub(super) fn option_spot(session: &Session, commit: &Commit, path: &[&str]) -> Spot {
    session.sources().key(commit.spot, path)
}

struct Reader<'a> {
    session: &'a Session,
    commit: &'a Commit,
    options: Options,
}

impl Reader<'_> {
    fn options(&mut self) {
        if self.commit.options.is_unit() {
            return;
        }
        let Some(options) = self.commit.options.clone().try_cast::<Map>() else {
            let got = found(&self.commit.options);
            let message = format!("`commit` takes a map of settings and mimetypes as its second argument, not {got}");
            return self.fault(&[], message, Some("commit([server], #{settings: #{…}})".into()));
        };
        if let Some(value) = options.get("known_mimetypes") {
            self.known_mimetypes(value);
        }
        for (name, value) in options {
            match (name.as_str(), value.clone().try_cast::<Map>()) {
                ("known_mimetypes", _) => {}
                ("settings", Some(map)) => self.settings(map),
                ("mimetypes", Some(map)) => self.mimetypes(map),
                ("settings" | "mimetypes", None) => {
                    let message = format!("`{name}` has to be a map, not {}", found(&value));
                    self.fault(&[&name], message, None);
                }
                _ => self.unknown_option(&name),
            }
        }
    }

    fn known_mimetypes(&mut self, value: &Dynamic) {
        if !Kind::Truth.takes(value) {
            let message = format!("`known_mimetypes` has to be {}, not {}", Kind::Truth.wanted(), found(value));
            self.fault(&["known_mimetypes"], message, None);
        } else if matches!((value.as_bool(), value.as_int()), (Ok(false), _) | (_, Ok(0))) {
            self.options.mimetypes.clear();
        }
    }

    fn unknown_option(&self, name: &str) {
        let close =
            closest(name, ["settings", "mimetypes", "known_mimetypes"]).map(|close| format!("did you mean `{close}`?"));
        let hint = match settings::known(name) {
            Some(_) => format!("settings are one level deeper: #{{settings: #{{\"{name}\": …}}}}"),
            None => close.unwrap_or_else(|| "it takes `settings`, `mimetypes` and `known_mimetypes`".into()),
        };
        self.fault(&[name], format!("`commit` takes no `{name}`"), Some(hint));
    }

    fn settings(&mut self, map: Map) {
        for (name, value) in map {
            match setting(&value) {
                Some(text) => drop(self.options.settings.insert(name.into(), text)),
                None => {
                    let message = format!("the setting `{name}` has to be a number, a string, true or false");
                    let message = format!("{message}, not {}", found(&value));
                    self.fault(&["settings", &name], message, None);
                }
            }
        }
    }

    fn mimetypes(&mut self, map: Map) {
        for (extension, value) in map {
            match value.clone().into_string() {
                _ if value.is_unit() => drop(self.options.mimetypes.remove(extension.as_str())),
                Ok(mimetype) => drop(self.options.mimetypes.insert(extension.into(), mimetype)),
                Err(_) => {
                    let message = format!("the media type of `{extension}` has to be a string, not {}", found(&value));
                    self.fault(&["mimetypes", &extension], message, None);
                }
            }
        }
    }

    fn fault(&self, path: &[&str], message: String, hint: Option<String>) {
        self.session.fault(option_spot(self.session, self.commit, path), message, hint);
    }
}

/// A setting's value as the database has it.
fn setting(value: &Dynamic) -> Option<String> {
    if let Ok(truth) = value.as_bool() {
        return Some(i32::from(truth).to_string());
    }
    (value.is_int() || value.is_float() || value.is_string()).then(|| value.to_string())
}
