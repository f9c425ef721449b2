//! `m2sh profile new`: the folder of one more service for procer.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use procer::order::{Fault, Order};
use serde_json::json;

use crate::args::NewProfile;
use crate::error::Error;
use crate::exit::Exit;
use crate::profile::{Profile, all, as_it_is, fault, in_background};
use crate::session::Session;
use crate::show::escape;

pub(super) fn run(args: &NewProfile, session: &mut Session) -> Result<Exit, Error> {
    let doing = format!("make the profile `{}`", args.name);
    let profile = planned(args).map_err(|cause| Error::usage(&doing, cause))?;
    let there = all(&args.dir).map_err(|error| no_folder(&doing, &args.dir, &error))?;
    known(&profile, &there).map_err(|(cause, hint)| {
        let error = Error::cannot(&doing, cause);
        hint.into_iter().fold(error, Error::hint)
    })?;
    profile.write(&args.dir).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let folder = args.dir.join(&profile.name);
            Error::cannot(&doing, format!("there is `{}` already", folder.display()))
                .hint("name another, or change its files: procer looks at them when it starts the service again")
        }
        _ => Error::cannot(&doing, error),
    })?;
    session.record(&session.operator.entry("profile", args.because.why.as_deref()));
    let folder = args.dir.join(&profile.name).display().to_string();
    let json = json!({
        "name": profile.name, "folder": folder, "pid_file": profile.pid_file, "depends": profile.depends, "restart": profile.restart,
    });
    session.show.either(&escape(&format!("Made {folder}")), &json)?;
    Ok(Exit::Success)
}

/// The profile that was asked for.
fn planned(args: &NewProfile) -> Result<Profile, String> {
    for name in std::iter::once(&args.name).chain(&args.depends()) {
        if let Some(fault) = fault(name) {
            return Err(format!("`{name}` is no name of a profile: {fault}"));
        }
    }
    if args.run.trim().is_empty() || args.run.contains(['\n', '\0']) {
        return Err("what it runs is one line".into());
    }
    let here = PathBuf::from(plain(std::env::current_dir().map_err(|error| error.to_string())?)?);
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| error.to_string());
    let (run, pid_file) = match &args.pid_file {
        Some(pid_file) => (as_it_is(&here, &args.run), absolute(pid_file)?),
        None => {
            (in_background(&here, &args.run), absolute(&args.dir.join(&args.name).join(format!("{}.pid", args.name)))?)
        }
    };
    let pid_file = plain(pid_file)?;
    let (name, depends, more) = (args.name.clone(), args.depends(), Vec::new());
    Ok(Profile { name, run, pid_file: Some(pid_file), restart: args.restart, depends, more })
}

/// A path as a line of a file can have it.
fn plain(path: PathBuf) -> Result<String, String> {
    let text = path.into_os_string().into_string().map_err(|path| format!("`{}` is not UTF-8", path.display()))?;
    if text.contains(char::is_control) {
        Err(format!("there is a control character in `{}`", escape(&text)))
    } else {
        Ok(text)
    }
}

/// That everything it depends on is there, and does not depend on it; else why not, and what may be meant.
fn known(profile: &Profile, there: &BTreeMap<String, Vec<String>>) -> Result<(), (String, Option<String>)> {
    let others = there.iter().filter(|(name, _)| **name != profile.name);
    let services = others.chain([(&profile.name, &profile.depends)]);
    let order = Order::new(services.map(|(name, depends)| (name.as_str(), depends.as_slice())));
    let (missing, near) = match order.fault(&profile.name) {
        None => return Ok(()),
        Some(Fault::Circle(way)) => return Err((format!("it would depend on itself: {}", way.join(" -> ")), None)),
        Some(Fault::Unknown(missing, near)) => (missing, near.as_ref()),
    };
    // It may be the new one itself that has such a name.
    let meant = near.filter(|near| **near != profile.name).map(|near| format!("did you mean `{near}`?"));
    let names = there.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let every = (!names.is_empty()).then(|| format!("every profile that there is: {names}"));
    Err((format!("there is no profile `{missing}`"), meant.or(every)))
}

fn no_folder(doing: &str, folder: &Path, error: &io::Error) -> Error {
    let refusal = Error::cannot(doing, format!("the folder of profiles `{}`: {error}", folder.display()));
    match error.kind() {
        io::ErrorKind::NotFound => {
            refusal.hint("name it with `-dir`, or be in the deployment's folder: `m2sh new` makes one")
        }
        _ => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_however_long() {
        let there: BTreeMap<String, Vec<String>> = [("a", "b"), ("b", "c d"), ("c", "web"), ("d", "a"), ("x", "")]
            .map(|(name, depends)| (name.to_owned(), depends.split_whitespace().map(str::to_owned).collect()))
            .into();
        let check = |depends: &str, expected: Option<&str>| {
            let depends = depends.split_whitespace().map(str::to_owned).collect();
            let (run, pid_file, more) = (String::new(), None, Vec::new());
            let profile = Profile { name: "web".into(), run, pid_file, restart: false, depends, more };
            let found = known(&profile, &there).err().map(|(cause, _)| cause);
            assert_eq!(found, expected.map(|way| format!("it would depend on itself: {way}")));
        };
        check("", None);
        check("a", Some("web -> a -> b -> c -> web"));
        check("web", Some("web -> web"));
        check("x", None);
    }

    #[test]
    fn what_is_meant_is_told_or_what_there_is() {
        let there: BTreeMap<String, Vec<String>> =
            ["hello", "mongrel2"].map(|name| (name.to_owned(), Vec::new())).into();
        for (depends, expected) in [
            ("mongrel", "did you mean `mongrel2`?"),
            ("helo", "did you mean `hello`?"),
            ("qqq", "every profile that there is: `hello`, `mongrel2`"),
            // Most like it is the new one, which it can't depend on.
            ("wep", "every profile that there is: `hello`, `mongrel2`"),
        ] {
            let (run, pid_file, more) = (String::new(), None, Vec::new());
            let depends = vec![depends.to_owned()];
            let profile = Profile { name: "web".into(), run, pid_file, restart: false, depends, more };
            let (cause, hint) = known(&profile, &there).unwrap_err();
            assert_eq!(cause, format!("there is no profile `{}`", profile.depends[0]));
            assert_eq!(hint.as_deref(), Some(expected));
        }
    }
}
