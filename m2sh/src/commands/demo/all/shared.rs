//! What a bridge and the room behind it share and nobody else knows: their ports and a token, in a file that is made once.

use std::fs;
use std::path::Path;

use uuid::Uuid;

use crate::error::Error;

use super::super::folder::write_new;
use super::demos::{DEMOS, Demo};
use super::ports::Ports;

/// In a service's command: the file.
pub(super) const WORD: &str = "@SHARED@";

/// The file of a demo, in the folder.
pub(super) fn name(demo: &Demo) -> String {
    format!("run/{}.env", demo.name)
}

/// The ports that such files of a folder name.
pub(super) fn ports(folder: &Path) -> Vec<u16> {
    // A file that isn't there names none.
    let texts = DEMOS.iter().map(|demo| fs::read_to_string(folder.join(name(demo))).unwrap_or_default());
    let port = |line: &str| line.split_once("_PORT=").and_then(|(_, port)| port.trim().parse().ok());
    texts.flat_map(|text| text.lines().filter_map(port).collect::<Vec<_>>()).collect()
}

/// Makes it, if the demo has one that isn't there.
///
/// # Errors
/// There are no ports, or it can't be written.
pub(super) fn make(folder: &Path, demo: &Demo, ports: &mut Ports) -> Result<(), Error> {
    let path = folder.join(name(demo));
    if path.exists() || !demo.services.iter().any(|(_, command)| command.contains(WORD)) {
        return Ok(());
    }
    let text = text(ports.take()?, ports.take()?);
    // Nobody else may read it.
    write_new(&path, &text, 0o600).map_err(|error| Error::cannot(format!("write `{}`", path.display()), error))
}

/// Each of the two random numbers has 122 bits that nobody can guess.
fn text(bridge: u16, room: u16) -> String {
    let token = [Uuid::new_v4(), Uuid::new_v4()].map(|uuid| uuid.simple().to_string()).concat();
    format!("BRIDGE_PORT={bridge}\nROOM_PORT={room}\nWS2HTTP_TOKEN={token}\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use super::*;

    fn run() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("run")).unwrap();
        folder
    }

    fn make_all(folder: &Path) {
        let mut others = Ports::besides(ports(folder));
        DEMOS.iter().for_each(|demo| make(folder, demo, &mut others).unwrap());
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(folder.join("run")).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn it_is_made_once_and_nobody_elses() {
        let folder = run();
        make_all(folder.path());
        let files = files(folder.path());
        assert_eq!(files.len(), 2, "{files:?}");
        for file in &files {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let texts = || files.iter().map(|file| fs::read_to_string(file).unwrap()).collect::<Vec<_>>();
        let before = texts();
        assert_ne!(before[0].rsplit_once('=').unwrap(), before[1].rsplit_once('=').unwrap());
        make_all(folder.path());
        assert_eq!(texts(), before);
    }

    #[test]
    fn no_port_is_there_twice() {
        let folder = run();
        make_all(folder.path());
        // One that was taken away gets ports that the other doesn't have.
        fs::remove_file(&files(folder.path())[0]).unwrap();
        make_all(folder.path());
        let all = ports(folder.path());
        assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (4, 4), "{all:?}");
    }
}
