//! The supervisors: how each is configured, started and ended.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::Error;

/// A supervisor that is there.
#[derive(Debug)]
pub(super) enum Kind {
    Procer(PathBuf),
    Runit,
    Supervisord,
}

/// procer, and which of the others are installed.
pub(super) fn find(procer: Option<&Path>) -> Result<Vec<Kind>, Error> {
    let beside = std::env::current_exe().map_err(Error::doing("find this program"))?.with_file_name("procer");
    let mut kinds = vec![Kind::Procer(procer.map_or(beside, Path::to_owned))];
    for (program, kind) in [("runsvdir", Kind::Runit), ("supervisord", Kind::Supervisord)] {
        if Path::new("/usr/bin").join(program).exists() {
            kinds.push(kind);
        } else {
            eprintln!("{} is not installed", kind.name());
        }
    }
    Ok(kinds)
}

impl Kind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Procer(_) => "procer",
            Self::Runit => "runit",
            Self::Supervisord => "supervisord",
        }
    }

    /// Makes services that say that they have been started, and sleep.
    pub(super) fn configure(&self, folder: &Path, pipe: &Path, services: usize) -> io::Result<()> {
        let mut config = format!(
            "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={0}/pid\nchildlogdir={0}\nminfds=8192\n",
            folder.display()
        );
        for number in 0..services {
            let service = folder.join("services").join(format!("s{number}"));
            fs::create_dir_all(&service)?;
            let run = service.join("run");
            fs::write(&run, format!("#!/bin/sh\necho $$ > {}\nexec sleep 1000000\n", pipe.display()))?;
            fs::set_permissions(&run, fs::Permissions::from_mode(0o755))?;
            fs::write(service.join("restart"), "delay 0\n")?;
            config += &format!(
                "[program:s{number}]\ncommand={}\nautorestart=true\nstartsecs=0\nstdout_logfile=/dev/null\nstderr_logfile=/dev/null\n",
                run.display()
            );
        }
        fs::write(folder.join("supervisord.conf"), config)
    }

    /// Starts it in the foreground.
    pub(super) fn start(&self, folder: &Path) -> io::Result<Child> {
        let services = folder.join("services");
        let mut command = match self {
            Self::Procer(program) => Command::new(program),
            Self::Runit => Command::new("/usr/bin/runsvdir"),
            Self::Supervisord => Command::new("/usr/bin/supervisord"),
        };
        match self {
            Self::Procer(_) => command.arg("--foreground").arg(services).arg(folder.join("pid")),
            Self::Runit => command.arg(services),
            Self::Supervisord => command.arg("-c").arg(folder.join("supervisord.conf")),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    }

    /// Ends it and its services.
    pub(super) fn end(&self, folder: &Path, child: &mut Child) {
        let signal = match self {
            Self::Procer(program) => {
                // What it leaves behind is killed by whoever knows it.
                let _ = Command::new(program).arg("stop").arg("--profiles").arg(folder.join("services")).output();
                Signal::TERM
            }
            // runsvdir passes that on.
            Self::Runit => Signal::HUP,
            Self::Supervisord => Signal::TERM,
        };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        // It may have ended already.
        let _ = pid.map(|pid| kill_process(pid, signal));
        let _ = child.wait();
    }
}
