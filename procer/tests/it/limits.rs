//! What a service gets, and what it may use.

use crate::stage::{SLEEP, Stage, kill};

#[test]
fn a_service_gets_what_its_profile_says() {
    let stage = Stage::new();
    let script = "(ulimit -n; ulimit -Hn; umask; pwd; nice; echo $GREETING $PORT) > got.txt; mv got.txt $PLACE; exec sleep 1000000";
    let folder = stage.path("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    let place = stage.path("got.txt");
    stage.service(
        "web",
        script,
        &[
            ("limits", "nofile 100:200\ncore 0\n"),
            ("umask", "027\n"),
            ("directory", folder.to_str().unwrap()),
            ("nice", "7\n"),
            ("env", &format!("# comment\nGREETING=Hello, world\nPORT=6767\nPLACE={}\n", place.display())),
        ],
    );
    stage.start();
    stage.told("wait web");
    let text = testkit::wait::until("the file", || std::fs::read_to_string(&place).ok());
    assert_eq!(text, format!("100\n200\n0027\n{}\n7\nHello, world 6767\n", folder.display()));
}

#[test]
fn procers_own_limit_is_not_inherited() {
    let stage = Stage::new();
    stage.kept("web", "ulimit -Sn > got.txt; exec sleep 1000000");
    stage.start();
    stage.told("wait web");
    let own = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    stage.wait_text("web/got.txt", &own.map_or("unlimited".into(), |own| format!("{own}\n")));
}

#[test]
fn variables_may_be_files() {
    let stage = Stage::new();
    stage.service("web", "echo $PORT > got.txt; exec sleep 1000000", &[("env/PORT", "6767\nrest\n")]);
    stage.start();
    stage.wait_text("web/got.txt", "6767\n");
}

#[test]
fn one_that_takes_too_much_memory_is_restarted() {
    let stage = Stage::new();
    // The first one grows, the second one doesn't.
    let script = "test -e grown && exec sleep 1000000; touch grown\nx=x; while test ${#x} -lt 30000000; do x=$x$x; done; sleep 1000000";
    stage.service("web", script, &[("limits", "memory 20M"), ("restart", "")]);
    stage.start();
    stage.wait_text("error.log", "web: it uses ");
    stage.wait_text("error.log", "more than 20 MiB");
    stage.told("wait web");
    assert_eq!(stage.status("web")["restarts"], 1);
}

#[test]
fn a_limit_that_cannot_be_had_is_told() {
    let stage = Stage::new();
    stage.service("web", SLEEP, &[("directory", "/nowhere/at/all")]);
    stage.service(
        "chat",
        "echo $$ > chat.pid; exec sleep 1000000",
        &[("pid_file", "chat.pid"), ("directory", "/nowhere")],
    );
    stage.start();
    stage.wait_state("web", "failed");
    stage.wait_text("web/log/current", "procer: cannot run `");
    stage.wait_state("chat", "failed");
    stage.wait_text("run.log", "No such file or directory");
    kill(stage.procer());
}
