//! What a bridge and the room behind it share and nobody else knows: their ports and a token, in a file that is made once.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use uuid::Uuid;

use crate::error::Error;

use super::contents::free_port;
use super::demos::Demo;

/// In a service's command: the file.
pub(super) const WORD: &str = "@SHARED@";

/// The file of a demo, in the folder.
pub(super) fn name(demo: &Demo) -> String {
    format!("run/{}.env", demo.name)
}

/// Makes it, if the demo has one that isn't there.
///
/// # Errors
/// It can't be written.
pub(super) fn make(folder: &Path, demo: &Demo) -> Result<(), Error> {
    if !demo.services.iter().any(|(_, command)| command.contains(WORD)) {
        return Ok(());
    }
    let path = folder.join(name(demo));
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).and_then(|mut file| fill(&mut file)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::cannot(format!("write `{}`", path.display()), error))
        }
        _ => Ok(()),
    }
}

/// Each of the two random numbers has 122 bits that nobody can guess.
fn fill(file: &mut impl io::Write) -> io::Result<()> {
    let token = [Uuid::new_v4(), Uuid::new_v4()].map(|uuid| uuid.simple().to_string()).concat();
    let bridge = free_port();
    let room = std::iter::repeat_with(free_port).find(|port| *port != bridge).expect("it goes on for ever");
    file.write_all(format!("BRIDGE_PORT={bridge}\nROOM_PORT={room}\nWS2HTTP_TOKEN={token}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::demos::DEMOS;
    use super::*;

    #[test]
    fn it_is_made_once_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("run")).unwrap();
        for demo in DEMOS {
            make(folder.path(), demo).unwrap();
        }
        let files: Vec<_> = fs::read_dir(folder.path().join("run")).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 2, "{files:?}");
        for file in &files {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let texts = || files.iter().map(|file| fs::read_to_string(file).unwrap()).collect::<Vec<_>>();
        let before = texts();
        assert_ne!(before[0], before[1]);
        DEMOS.iter().for_each(|demo| make(folder.path(), demo).unwrap());
        assert_eq!(texts(), before);
    }
}
