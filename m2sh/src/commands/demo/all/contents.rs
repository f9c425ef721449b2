//! What the folder is made of: the demos' files, the page, and a script whose ports are the folder's own.

use std::path::Path;

use crate::error::Error;

use super::super::folder::{Contents, SCRIPT};
use super::demos::{DEMOS, LIBRARY};
use super::ports::Ports;
use super::shared;

/// What the server and the demos have for themselves.
const OWN: [&str; 7] = ["run", "logs", "tmp", "music", "profiles", "static", "examples"];

/// The ports of the script's Proxies, which are others in each folder.
const PORTS: [&str; 2] = ["8089", "8090"];

/// All of it, for the folder at a path, whose server is to have a port.
///
/// # Errors
/// There is no port for a program of a new folder.
pub(super) fn contents(folder: &Path, server: Option<u16>) -> Result<Contents, Error> {
    let examples = DEMOS.iter().flat_map(|demo| demo.files).chain(LIBRARY).copied();
    let files: Vec<_> = page().into_iter().chain(examples).collect();
    let mut folders = OWN.to_vec();
    for (path, _) in &files {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    Ok(Contents {
        files,
        folders,
        script: include_str!("../../../../../examples/demo/all/config.rhai"),
        elsewhere: r#""./demo-all""#,
        words: words(folder, server)?,
        mark: "static/demo.css",
    })
}

/// Ports that neither the server nor the folder's other files have; nothing if its script is there already.
fn words(folder: &Path, server: Option<u16>) -> Result<Vec<(&'static str, String)>, Error> {
    if folder.join(SCRIPT).exists() {
        return Ok(Vec::new());
    }
    let mut ports = Ports::besides(shared::ports(folder).into_iter().chain(server));
    PORTS.into_iter().map(|port| Ok((port, ports.take()?.to_string()))).collect()
}

fn page() -> [(&'static str, &'static str); 6] {
    [
        ("static/index.html", include_str!("../../../../../examples/demo/all/static/index.html")),
        ("static/demo.css", include_str!("../../../../../examples/demo/all/static/demo.css")),
        ("static/index.js", include_str!("../../../../../examples/demo/all/static/index.js")),
        ("static/send.html", include_str!("../../../../../examples/demo/all/static/send.html")),
        ("static/files.html", include_str!("../../../../../examples/demo/all/static/files.html")),
        ("static/poll.html", include_str!("../../../../../examples/demo/all/static/poll.html")),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mongrel2::config::Target;

    use super::super::way;
    use super::*;
    use crate::commands::demo::folder::Folder;

    #[test]
    fn the_script_is_sound_wherever_the_folder_is_and_has_what_each_demo_needs() {
        let root = tempfile::tempdir().unwrap();
        for name in ["demo-all", r#"a "b" \c ä"#] {
            let path = root.path().join(name);
            Folder::at(&path, contents(&path, None).unwrap()).unwrap().fill().unwrap();
            let outcome = crate::script::run(&path.join(SCRIPT), &crate::script::Facts::default()).unwrap();
            assert!(outcome.notes.is_empty(), "{}", outcome.notes);
            let server = &outcome.checked.config().servers[0];
            assert_eq!((server.chroot.as_str(), server.port), (path.to_str().unwrap(), 6767));
            let proxies = server.hosts[0].routes.iter().filter_map(|route| match &route.target {
                Target::Proxy(proxy) => Some(proxy.port),
                _ => None,
            });
            let ports: BTreeSet<i64> = proxies.inspect(|port| assert!(*port >= 20_000, "{port}")).collect();
            assert_eq!(ports.len(), PORTS.len(), "{ports:?}");
            for demo in DEMOS {
                assert_eq!(way::missing(demo, server), None, "{}", demo.name);
                assert!(path.join("examples").join(demo.program).exists(), "{}", demo.program);
            }
        }
    }

    #[test]
    fn a_new_script_has_no_port_of_the_server_or_of_files_that_are_there() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("run")).unwrap();
        // Those from 20000 to 20019 are left; some of them may be in use on this machine.
        let lines: String = (20_020..30_000).map(|port| format!("A_PORT={port}\n")).collect();
        std::fs::write(root.path().join("run/ws2http.env"), lines).unwrap();
        for server in 20_000..20_020 {
            let words = words(root.path(), Some(server)).unwrap();
            let ports: BTreeSet<u16> = words.iter().map(|(_, port)| port.parse().unwrap()).collect();
            assert_eq!(ports.len(), 2, "{words:?}");
            assert!(ports.iter().all(|port| *port < 20_020 && *port != server), "{server}: {words:?}");
        }
    }

    #[test]
    fn a_folder_has_each_file_once() {
        let Contents { files, folders, .. } = contents(Path::new("nowhere"), None).unwrap();
        let paths: BTreeSet<_> = files.iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), files.len());
        assert!(folders.contains(&"examples/chat/static"));
    }
}
