//! Where a server's files are, for a program that is not in the server's chroot.
//!
//! `chroot` counts from the working directory.  Every other path of a server counts from its `chroot`, with
//! or without a slash in front.  Nothing is looked up here; these are only names.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::tree::Server;

/// A path as it counts from the chroot, for a program whose working directory that is: `/run/x` is `run/x`.
pub fn inside_chroot(path: &str) -> PathBuf {
    let inside: PathBuf = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_))).collect();
    if inside.as_os_str().is_empty() { ".".into() } else { inside }
}

impl Server {
    /// The place of one of the server's paths: `/run/mongrel2.pid` in the chroot `./` is `run/mongrel2.pid`.
    pub fn under_chroot(&self, path: &str) -> PathBuf {
        let chroot = Path::new(&self.chroot).components().filter(|part| *part != Component::CurDir);
        chroot.chain(inside_chroot(path).components()).collect()
    }

    /// The PID file.
    pub fn pid_path(&self) -> PathBuf {
        self.under_chroot(&self.pid_file)
    }

    /// A ZeroMQ address of the server, as it is called outside of the chroot.
    pub fn outside(&self, spec: &str) -> String {
        match spec.strip_prefix("ipc://").filter(|path| !path.starts_with('@')) {
            Some(path) => format!("ipc://{}", self.under_chroot(path).display()),
            None => spec.to_owned(),
        }
    }

    /// The folders that the server writes to: those of its PID file and its logs, `run` and `tmp`.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let files = [&self.pid_file, &self.access_log, &self.error_log].map(|path| self.under_chroot(path));
        let parents = files.iter().filter_map(|path| path.parent()).map(Path::to_owned);
        let always = ["run", "tmp"].map(|folder| self.under_chroot(folder));
        parents.chain(always).filter(|folder| !folder.as_os_str().is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_from_the_chroot() {
        for (chroot, path, expected) in [
            ("./", "/run/mongrel2.pid", "run/mongrel2.pid"),
            (".", "run/x", "run/x"),
            ("/var/www", "/run/x", "/var/www/run/x"),
            ("/var/www/", "//run//x", "/var/www/run/x"),
            ("./a/./b", "x", "a/b/x"),
            ("../site", "/x", "../site/x"),
            ("/", "/x", "/x"),
            ("./", "/../x", "x"),
        ] {
            let server = Server { chroot: chroot.into(), ..Server::default() };
            assert_eq!(server.under_chroot(path), Path::new(expected), "{path} in {chroot}");
        }
    }

    #[test]
    fn addresses_of_files_count_from_the_chroot() {
        let server = Server { chroot: "/var/www".into(), ..Server::default() };
        for (spec, expected) in [
            ("ipc://run/control", "ipc:///var/www/run/control"),
            ("ipc:///run/control", "ipc:///var/www/run/control"),
            ("ipc://@control", "ipc://@control"),
            ("tcp://127.0.0.1:5000", "tcp://127.0.0.1:5000"),
        ] {
            assert_eq!(server.outside(spec), expected);
        }
    }

    #[test]
    fn folders_are_those_of_the_files() {
        let server = Server {
            chroot: "./".into(),
            access_log: "/logs/access.log".into(),
            error_log: "/logs/error.log".into(),
            pid_file: "/mongrel2.pid".into(),
            ..Server::default()
        };
        assert_eq!(server.folders(), ["logs", "run", "tmp"].map(PathBuf::from).into());
    }
}
