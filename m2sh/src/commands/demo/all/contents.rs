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

/// All of it, for the folder at a path.
///
/// # Errors
/// There is no port for a program of a new folder.
pub(super) fn contents(folder: &Path) -> Result<Contents, Error> {
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
        words: words(folder)?,
        mark: "static/demo.css",
    })
}

/// Ports that the folder's other files don't have; nothing if its script is there already.
fn words(folder: &Path) -> Result<Vec<(&'static str, String)>, Error> {
    if folder.join(SCRIPT).exists() {
        return Ok(Vec::new());
    }
    let mut ports = Ports::besides(shared::ports(folder));
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
            Folder::at(&path, contents(&path).unwrap()).unwrap().fill().unwrap();
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
    fn a_folder_has_each_file_once() {
        let Contents { files, folders, .. } = contents(Path::new("nowhere")).unwrap();
        let paths: BTreeSet<_> = files.iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), files.len());
        assert!(folders.contains(&"examples/chat/static"));
    }
}
