//! What this machine has of what demos need.
//!
//! What can be had without root's rights is installed into the folder, but only if it isn't there yet: the network is not so
//! much as looked at before.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use tokio::process::Command;

use crate::error::say;
use crate::operator::quoted;

use super::child::output;
use super::demos::Need;
use super::python::Python;

/// Titles of the music that is made where there is none, and what makes it: a tone that goes up or down eight steps, twice a
/// second.
const MUSIC: [(&str, &str); 2] = [("Rising", "mod(floor(2*t),8)"), ("Falling", "7-mod(floor(2*t),8)")];

/// Something that a demo needs and that isn't there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lack {
    /// What.
    pub(super) why: String,
    /// The command that changes it.
    pub(super) hint: String,
}

/// What there is.
#[derive(Debug)]
pub(super) struct Tools {
    python: Result<Python, Lack>,
    node: Result<(), Lack>,
    /// PHP, and whether it has its extension zmq.
    php: Result<bool, Lack>,
    cgi: Result<(), Lack>,
    music: Result<(), Lack>,
}

impl Tools {
    /// Looks, and installs what can be.
    pub(super) async fn look(folder: &Path) -> Self {
        let javascript = folder.join("examples/javascript");
        let (python, node, php, cgi, music) =
            tokio::join!(Python::look(folder), node(&javascript), php(), cgi(), music(folder));
        Self { python, node, php, cgi, music }
    }

    /// Why a need isn't met, if it isn't.
    pub(super) fn lack(&self, need: Need) -> Option<Lack> {
        match (need, &self.python) {
            (Need::Python(_) | Need::PlainPython, Err(lack)) => Some(lack.clone()),
            (Need::Python(module), Ok(python)) => python.lack(module),
            (Need::PlainPython, Ok(_)) => None,
            (Need::Node, _) => self.node.clone().err(),
            (Need::Php, _) => match &self.php {
                Ok(true) => None,
                Ok(false) => Some(lack_of_php("PHP has no extension `zmq`")),
                Err(lack) => Some(lack.clone()),
            },
            (Need::PlainPhp, _) => self.php.clone().err(),
            (Need::Cgi, _) => self.cgi.clone().err(),
            (Need::Music, _) => self.music.clone().err(),
        }
    }
}

/// Node.js, and its package zeromq where the demo's modules look for it.
async fn node(folder: &Path) -> Result<(), Lack> {
    let lack = |why: String| Lack { why, hint: "apt-get install nodejs npm".into() };
    output(Command::new("node").arg("--version")).await.map_err(lack)?;
    if has_package(folder).await {
        return Ok(());
    }
    say(&format!("m2sh: installing zeromq into `{}` with npm, which takes a while", folder.display()));
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]);
    // Without a network it shall not take minutes to find that out.
    let installed = output(npm.args(["--fetch-retries=1", "--fetch-timeout=15000"])).await;
    if installed.is_ok() && has_package(folder).await {
        return Ok(());
    }
    let trouble = installed.err().unwrap_or_else(|| "what it has installed can't be imported".into());
    Err(Lack {
        why: format!("Node.js has no package `zeromq`, and npm can't install it: {trouble}"),
        hint: format!("apt-get install npm; npm install --prefix {}", quoted(folder.as_os_str())),
    })
}

async fn has_package(folder: &Path) -> bool {
    let mut node = Command::new("node");
    node.current_dir(folder).args(["--input-type=module", "--eval", "await import('zeromq')"]);
    output(&mut node).await.is_ok()
}

fn lack_of_php(why: impl Into<String>) -> Lack {
    Lack { why: why.into(), hint: "apt-get install php-cli php-zmq".into() }
}

/// PHP; gives whether it has its extension zmq.
async fn php() -> Result<bool, Lack> {
    let code = "echo PHP_VERSION_ID >= 80100 ? (extension_loaded('zmq') ? 'zmq' : '') : 'old';";
    match output(Command::new("php").args(["-r", code])).await.map_err(lack_of_php)?.as_str() {
        "old" => Err(lack_of_php("PHP is older than 8.1")),
        extension => Ok(extension == "zmq"),
    }
}

/// What runs a CGI script, and what the script itself runs.
async fn cgi() -> Result<(), Lack> {
    let lack = |why: String| Lack { why, hint: "apt-get install busybox curl util-linux".into() };
    let applets = output(Command::new("busybox").arg("--list")).await.map_err(lack)?;
    if !applets.lines().any(|applet| applet == "httpd") {
        return Err(lack("BusyBox has no `httpd`".into()));
    }
    for program in ["curl", "flock"] {
        output(Command::new(program).arg("--version")).await.map_err(lack)?;
    }
    Ok(())
}

/// Somebody's music, or some that ffmpeg makes.
async fn music(folder: &Path) -> Result<(), Lack> {
    let folder = folder.join("music");
    let is_music = |path: &Path| path.extension() == Some(OsStr::new("mp3"));
    if fs::read_dir(&folder).is_ok_and(|mut all| all.any(|file| file.is_ok_and(|file| is_music(&file.path())))) {
        return Ok(());
    }
    for (title, steps) in MUSIC {
        compose(&folder, title, steps).await.map_err(|why| Lack {
            why: format!("there are no MP3 files in `{}`, and none can be made: {why}", folder.display()),
            hint: "apt-get install ffmpeg".into(),
        })?;
    }
    Ok(())
}

async fn compose(folder: &Path, title: &str, steps: &str) -> Result<(), String> {
    let file = folder.join(format!("{}.mp3", title.to_lowercase()));
    let draft = file.with_extension("part");
    let sound = format!("aevalsrc='0.3*sin(2*PI*330*pow(2,({steps})/7)*t)*exp(-4*mod(t,0.5))':d=60");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", &sound]);
    ffmpeg.args(["-metadata", &format!("title={title}"), "-metadata", "artist=m2sh", "-b:a", "128k", "-f", "mp3"]);
    output(ffmpeg.arg(&draft)).await?;
    fs::rename(&draft, &file).map_err(|error| error.to_string())
}
