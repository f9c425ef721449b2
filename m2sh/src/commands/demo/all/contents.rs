//! What the folder is made of: the demos' files, the page, and a script whose ports are the folder's own.

use std::net::{Ipv4Addr, TcpListener};

use uuid::Uuid;

use super::super::folder::Contents;
use super::demos::{DEMOS, LIBRARY};

/// What the server and the demos have for themselves.
const OWN: [&str; 7] = ["run", "logs", "tmp", "music", "profiles", "static", "examples"];

/// Ports that the system gives to nobody who doesn't ask for one (`net.ipv4.ip_local_port_range`).
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// All of it.
pub(super) fn contents() -> Contents {
    let examples = DEMOS.iter().flat_map(|demo| demo.files).chain(LIBRARY).copied();
    let files: Vec<_> = page().into_iter().chain(examples).collect();
    let mut folders = OWN.to_vec();
    for (path, _) in &files {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    Contents {
        files,
        folders,
        script: include_str!("../../../../../examples/demo/all/config.rhai"),
        elsewhere: r#""./demo-all""#,
        words: ["8089", "8090"].map(|port| (port, free_port().to_string())).into(),
        mark: "static/demo.css",
    }
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

/// A port that nobody has now, and, as it is any, most likely no other folder either.
pub(super) fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let any = || std::iter::repeat_with(|| FIRST + (Uuid::new_v4().as_u128() % u128::from(COUNT)) as u16);
    // If all of so many are taken, the program that gets one tells.
    any().take(100).find(is_free).unwrap_or(FIRST)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::commands::demo::folder::{Folder, SCRIPT};

    #[test]
    fn the_script_is_sound_wherever_the_folder_is_and_has_what_each_demo_needs() {
        let root = tempfile::tempdir().unwrap();
        for name in ["demo-all", r#"a "b" \c ä"#] {
            let path = root.path().join(name);
            Folder::at(&path, contents()).unwrap().fill().unwrap();
            let outcome = crate::script::run(&path.join(SCRIPT), &crate::script::Facts::default()).unwrap();
            assert!(outcome.notes.is_empty(), "{}", outcome.notes);
            let server = &outcome.checked.config().servers[0];
            assert_eq!((server.chroot.as_str(), server.port), (path.to_str().unwrap(), 6767));
            let routes: Vec<&str> = server.hosts[0].routes.iter().map(|route| route.path.as_str()).collect();
            let leads_to = |path: &str| {
                *routes.iter().filter(|route| path.starts_with(**route)).max_by_key(|route| route.len()).unwrap()
            };
            for demo in DEMOS {
                let is_page = demo.link.contains(".html");
                assert_eq!(leads_to(demo.link) == "/", is_page, "{}", demo.link);
                demo.probe.iter().for_each(|probe| assert_ne!(leads_to(probe), "/", "{probe}"));
                assert!(path.join("examples").join(demo.program).exists(), "{}", demo.program);
            }
        }
    }

    #[test]
    fn a_folder_has_each_file_once() {
        let Contents { files, folders, .. } = contents();
        let paths: BTreeSet<_> = files.iter().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), files.len());
        assert!(folders.contains(&"examples/chat/static"));
    }
}
