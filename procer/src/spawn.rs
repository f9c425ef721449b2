//! From a profile to a running program.
//!
//! The child is a session of its own.  It waits at a gate before it becomes the program, until procer has written down
//! which process it is: if procer dies before, so does the child, and no process runs that nobody knows of.

use std::ffi::{CString, NulError, OsStr};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal as Number, sigprocmask};
use nix::unistd::{ForkResult, Gid, Uid, execve, fork, setgroups, setresgid, setresuid};
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, chdir, getpriority_process, setpriority_process, setrlimit, setsid, umask};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::process::start;
use crate::profile::Profile;
use crate::service::Process;

/// Signals that procer, or who has started it, may ignore; programs expect that nobody does.
const RESET: [Number; 8] = [
    Number::SIGHUP,
    Number::SIGINT,
    Number::SIGQUIT,
    Number::SIGPIPE,
    Number::SIGTERM,
    Number::SIGCHLD,
    Number::SIGUSR1,
    Number::SIGUSR2,
];

/// What becomes of a child that can't become the program, as with shells.
const CANNOT_EXECUTE: i32 = 126;

/// How often a program that is being written is tried.
const BUSY: u32 = 100;

/// What every child gets.
#[derive(Debug)]
pub(crate) struct Nursery {
    /// `/dev/null`.
    null: std::fs::File,
    /// How many descriptors a program may have: procer takes more for itself.
    nofile: Rlimit,
}

/// A program that is about to be run.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) program: &'a Path,
    pub(crate) profile: &'a Profile,
    /// Its variables beside procer's and the profile's.
    pub(crate) env: Vec<(String, String)>,
    /// Where it writes.
    pub(crate) output: BorrowedFd<'a>,
}

/// A child that waits at the gate.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) process: Process,
    gate: PipeWriter,
}

impl Child {
    /// Lets it become the program.
    pub(crate) fn go(mut self) {
        // If it has ended, that is noticed like any other end.
        let _ = self.gate.write_all(&[1]);
    }
}

/// What execve(2) and the calls before it take: nothing is allocated in the child.
struct Image {
    program: CString,
    arguments: Vec<CString>,
    env: Vec<CString>,
    shell: CString,
    shell_arguments: Vec<CString>,
    directory: CString,
}

impl Nursery {
    /// Takes as many descriptors as this process may have, and remembers how many programs get.
    pub(crate) fn new() -> io::Result<Self> {
        let nofile = rustix::process::getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: nofile.maximum, maximum: nofile.maximum })?;
        let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
        Ok(Self { null, nofile })
    }

    /// Makes a child that waits.
    ///
    /// # Errors
    /// What the system says; what goes wrong in the child it says itself, to its output.
    pub(crate) fn spawn(&self, order: &Order<'_>) -> io::Result<Child> {
        let image = image(order).map_err(io::Error::other)?;
        let (waits, gate) = io::pipe()?;
        // SAFETY: procer has one thread, so that no lock is held, and the child is a whole copy of this process.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => {
                let pid = child.as_raw();
                let start = start(pid).ok_or_else(|| io::Error::other("its process has ended at once"))?;
                Ok(Child { process: Process { pid, start }, gate })
            }
            ForkResult::Child => {
                drop(gate);
                let problem = self.become_program(order, &image, waits).unwrap_or_else(|error| error);
                // Whoever reads the log learns why; where nobody does there is nobody to tell.
                let _ = writeln!(io::stderr(), "procer: cannot run `{}`: {problem}", order.program.display());
                // SAFETY: it only ends this process, without what Rust or C do at an exit.
                unsafe { nix::libc::_exit(CANNOT_EXECUTE) }
            }
        }
    }

    /// Doesn't return but with a problem.
    fn become_program(&self, order: &Order<'_>, image: &Image, mut gate: PipeReader) -> io::Result<io::Error> {
        setsid()?;
        dup2_stdin(&self.null)?;
        dup2_stdout(order.output)?;
        dup2_stderr(order.output)?;
        for signal in RESET {
            // SAFETY: the default is no handler, which could do something that isn't allowed.
            unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        umask(order.profile.umask.map_or(Mode::WGRP | Mode::WOTH, Mode::from_raw_mode));
        setrlimit(Resource::Nofile, self.nofile)?;
        // Whoever owns the folder without being root gets no more than the kernel would give to them.
        if order.profile.privileged {
            limit(order.profile)?;
            become_user(order.profile)?;
        } else {
            become_user(order.profile)?;
            limit(order.profile)?;
        }
        chdir(&image.directory)?;
        let mut byte = [0];
        if gate.read(&mut byte)? == 0 {
            return Ok(io::Error::other("procer has ended meanwhile"));
        }
        let mut error = execute(&image.program, &image.arguments, &image.env);
        // Somebody is still writing it, or has just forked while doing so.
        for _ in 0..BUSY {
            if error != nix::errno::Errno::ETXTBSY {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
            error = execute(&image.program, &image.arguments, &image.env);
        }
        if error == nix::errno::Errno::ENOEXEC {
            // A script that doesn't say what it is for: as execvp(3) has it.
            execute(&image.shell, &image.shell_arguments, &image.env);
        }
        Ok(error.into())
    }
}

/// Returns only if it fails.
fn execute(program: &CString, arguments: &[CString], env: &[CString]) -> nix::errno::Errno {
    let Err(error) = execve(program, arguments, env);
    error
}

fn limit(profile: &Profile) -> io::Result<()> {
    for limit in &profile.limits.resources {
        setrlimit(limit.resource(), limit.rlimit())?;
    }
    match profile.nice {
        Some(nice) if nice != getpriority_process(None)? => Ok(setpriority_process(None, nice)?),
        _ => Ok(()),
    }
}

fn become_user(profile: &Profile) -> io::Result<()> {
    let Some(user) = &profile.user else { return Ok(()) };
    let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    setgroups(&groups)?;
    setresgid(gid, gid, gid)?;
    Ok(setresuid(uid, uid, uid)?)
}

fn image(order: &Order<'_>) -> Result<Image, NulError> {
    let program = text(order.program.as_os_str())?;
    let shell = CString::new("/bin/sh")?;
    let directory = order.profile.directory.as_deref().unwrap_or(&order.profile.folder);
    Ok(Image {
        arguments: vec![program.clone()],
        shell_arguments: vec![shell.clone(), program.clone()],
        env: env(order)?,
        directory: text(directory.as_os_str())?,
        program,
        shell,
    })
}

fn text(text: &OsStr) -> Result<CString, NulError> {
    CString::new(text.as_bytes())
}

/// procer's own variables, those that go with the user, those of the profile, and procer's words to the program.
fn env(order: &Order<'_>) -> Result<Vec<CString>, NulError> {
    let mut all: std::collections::BTreeMap<_, _> = std::env::vars_os().collect();
    // Said to procer by whoever has started it.
    all.remove(OsStr::new("NOTIFY_SOCKET"));
    let person = order.profile.user.as_ref().and_then(|user| user.person.as_ref());
    if let Some(person) = person {
        let own = [("HOME", &person.home), ("USER", &person.name), ("LOGNAME", &person.name), ("SHELL", &person.shell)];
        all.extend(own.map(|(name, value)| (name.into(), value.into())));
    }
    all.extend(order.profile.env.iter().map(|(name, value)| (name.into(), value.into())));
    all.extend(order.env.iter().map(|(name, value)| (name.into(), value.into())));
    let line = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        CString::new([name.into_vec(), value.into_vec()].join(&b'='))
    };
    all.into_iter().map(line).collect()
}

/// The hook of that name, if the profile has one.
pub(crate) fn hook(profile: &Profile, name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = profile.folder.join(name);
    let found = std::fs::metadata(&path).ok()?;
    (found.is_file() && found.permissions().mode() & 0o111 != 0).then_some(path)
}
