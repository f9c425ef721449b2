//! Chapter 4 of the original's manual: its deployment, by its printed steps, with the server and the handlers `hello`.
//!
//! What differs: the handlers are those of this repository, ports are free ones, and before procer is started again the one
//! that runs is ended, as a second one is refused.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::http::{Client, status_soon};
use testkit::{free_address, program, wait};

use crate::stage::{is_root, kill, lives, number, procer};

/// The folder `deployment`, in which lines are typed.
struct Shell {
    folder: tempfile::TempDir,
    path: String,
}

impl Shell {
    fn new() -> Self {
        let programs = program("m2sh").parent().unwrap().to_owned();
        let path = std::env::var("PATH").unwrap();
        Self { folder: tempfile::tempdir().unwrap(), path: format!("{}:{path}", programs.display()) }
    }

    fn deployment(&self) -> PathBuf {
        self.folder.path().join("deployment")
    }

    /// Types a line in a folder below the deployment; it has to work.
    fn types(&self, folder: &str, line: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.deployment().join(folder)).env("PATH", &self.path);
        let output = shell.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{line}: {}{}", text(&output.stdout), text(&output.stderr));
    }

    /// The process that a PID file names.
    fn pid(&self, file: &str) -> i32 {
        number(&self.deployment().join(file)).unwrap_or_else(|| panic!("{file}"))
    }

    /// The process that takes the place of another one.
    fn other(&self, file: &str, old: i32) -> i32 {
        wait::until(&format!("another process in {file}"), || {
            number(&self.deployment().join(file)).filter(|pid| *pid != old && lives(*pid))
        })
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for log in ["profiles/error.log", "profiles/run.log", "logs/error.log"] {
                eprintln!("{log}:\n{}", fs::read_to_string(self.deployment().join(log)).unwrap_or_default());
            }
        }
        for word in ["stop", "quit"] {
            let _ = procer().arg(word).arg("--profiles").arg(self.deployment().join("profiles")).output();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The run script of a handler, as the manual has it.
fn handler(name: &str, command: &str, addresses: &[SocketAddr; 3], deployment: &Path) -> String {
    format!(
        "#!/bin/sh\nset -e\n\nDEPLOY={}\nSOURCE={}\n\ncd $SOURCE/examples/hello\n\
         nohup {command} tcp://{} tcp://{} 2>&1 > $DEPLOY/logs/{name}.log &\necho $! > $DEPLOY/profiles/{name}/{name}.pid\n",
        deployment.display(),
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().display(),
        addresses[1],
        addresses[2],
    )
}

/// What the server answers; while it is started again nobody does.
fn answer(address: SocketAddr, path: &str) -> String {
    wait::until(&format!("an answer to {path}"), || {
        // Before the server listens, it tries for a moment whether it could.
        status_soon(address, &format!("GET {path}")).filter(|status| *status == 200)?;
        let mut client = Client::connect(address);
        client.request(&format!("GET {path}"), "");
        let answer = client.answer();
        (answer.status == 200).then(|| answer.text())
    })
}

#[test]
fn the_deployment_of_chapter_4() {
    let shell = Shell::new();
    fs::create_dir(shell.deployment()).unwrap();
    let deployment = shell.deployment();
    let addresses = [free_address(), free_address(), free_address()];
    let python = testkit::python();
    let names: &[&str] = if python.is_some() { &["hello", "hellopy"] } else { &["hello"] };

    // Source 14 and section 4.4: the folders and the configuration.
    shell.types("", "mkdir run tmp logs static profiles");
    shell.types("profiles", &format!("mkdir {} mongrel2", names.join(" ")));
    shell.types("", "m2sh init -db config.sqlite");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join("hello");
    let mut config = fs::read_to_string(example.join("config.rhai")).unwrap();
    for (port, address) in [("6767", addresses[0]), ("9997", addresses[1]), ("9996", addresses[2])] {
        config = config.replace(port, &address.port().to_string());
    }
    fs::write(deployment.join("config.rhai"), config).unwrap();
    fs::copy(example.join("static/index.html"), deployment.join("static/index.html")).unwrap();
    shell.types("", "m2sh load -db config.sqlite -config config.rhai");

    // Source 16: skeletons, which procer tries and says what is wrong with.
    shell.types("profiles", "for i in *; do touch $i/restart; done");
    shell.types("profiles", "for i in *; do touch $i/depends; done");
    shell.types("profiles", "for i in *; do echo $PWD/$i/$i.pid > $i/pid_file; done");
    shell.types("profiles", "for i in *; do echo '#!/bin/sh' > $i/run; done");
    shell.types("profiles", "for i in *; do chmod u+x $i/run; done");
    shell.types("profiles", "procer $PWD $PWD/../run/procer.pid");
    wait::until("the log to tell", || {
        let log = fs::read_to_string(deployment.join("profiles/error.log")).unwrap();
        names
            .iter()
            .all(|name| log.contains(&format!("{name}: has died: `run` has ended, but its PID file")))
            .then_some(())
    });
    shell.types("profiles", "procer quit");
    wait::until("procer to have ended", || (!deployment.join("run/procer.pid").exists()).then_some(()));

    // Sources 18 and 19: the server.  Who isn't root asks for the background.
    if is_root() {
        shell.types("", "chown root:root profiles/mongrel2");
    }
    let background = if is_root() { "" } else { " -background" };
    shell.types("", "echo \"$PWD/run/mongrel2.pid\" > profiles/mongrel2/pid_file");
    shell.types("", "echo \"cd $PWD\" >> profiles/mongrel2/run");
    shell.types(
        "",
        &format!("echo \"m2sh start -db config.sqlite -host localhost{background}\" >> profiles/mongrel2/run"),
    );
    shell.types("", "rm profiles/error.log");
    // Section 4.5.1: the handlers.
    let script = |name: &str, command: &str| {
        let draft = deployment.join("tmp/draft");
        fs::write(&draft, handler(name, command, &addresses, &deployment)).unwrap();
        shell.types("", &format!("cat tmp/draft > profiles/{name}/run"));
    };
    script("hello", "hello");
    if let Some(python) = &python {
        script("hellopy", &format!("{} -u hello.py", python.display()));
    }
    shell.types("", "procer $PWD/profiles $PWD/procer.pid");
    shell.types("", "procer wait");
    assert!(answer(addresses[0], "/").contains("<html"));
    assert!(answer(addresses[0], "/hello?to=you").contains("Hello from"));

    // "and watch Mongrel2 come right back", 4.5.2: each of them, however it has ended.
    let server = shell.pid("run/mongrel2.pid");
    shell.types("", "m2sh stop -db config.sqlite -host localhost -murder");
    let mut server = shell.other("run/mongrel2.pid", server);
    assert!(answer(addresses[0], "/hello").contains("Hello from"));
    kill(server);
    server = shell.other("run/mongrel2.pid", server);
    for name in names {
        let file = format!("profiles/{name}/{name}.pid");
        let pid = shell.pid(&file);
        shell.types("", &format!("kill -TERM `cat {file}`"));
        let pid = shell.other(&file, pid);
        kill(pid);
        shell.other(&file, pid);
    }
    assert!(answer(addresses[0], "/hello").contains("Hello from"));

    // 4.5.3: procer may be stopped and started, and steps on nothing.
    shell.types("", "kill `cat procer.pid`");
    wait::until("procer to have ended", || (!deployment.join("procer.pid").exists()).then_some(()));
    assert!(lives(server));
    shell.types("", "procer $PWD/profiles $PWD/run/procer.pid");
    shell.types("", "procer wait");
    assert_eq!(shell.pid("run/mongrel2.pid"), server);
    assert!(answer(addresses[0], "/hello").contains("Hello from"));
}
