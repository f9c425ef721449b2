//! Shells complete the command line of m2sh, and its pages can be read.

use std::path::Path;
use std::process::Command;

use super::bench::{Bench, server};
use super::terminal::{INTERRUPT, Person};

/// A bench with a server, and the completion scripts of the shells.
fn scripted() -> Bench {
    let bench = Bench::with(vec![server("alpha", "uuid-1", 6767), server("two words", "uuid-2", 6768)]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = bench.m2sh(&format!("completions {shell}")).prints();
        assert!(script.contains(&format!(" complete {shell} -- ")), "{script}");
        bench.script(shell, &script);
    }
    bench
}

/// A shell that finds the m2sh of this build in the bench.
fn prepared(mut shell: Command, bench: &Bench) -> Command {
    let folder = Path::new(env!("CARGO_BIN_EXE_m2sh")).parent().unwrap().to_owned();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&inherited))).unwrap();
    std::fs::create_dir_all(bench.path("home")).unwrap();
    shell.current_dir(bench.path("")).env("PATH", path).env("HOME", bench.path("home")).env("TERM", "xterm");
    shell
}

fn told(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn bash_completes() {
    let Some(bash) = testkit::installed("bash") else { return };
    let bench = scripted();
    let mut bash = prepared(bash, &bench);
    bench.script("rc", "source ./bash; PS1='$ '; PROMPT_COMMAND=\n");
    bash.args(["--noprofile", "--rcfile", "rc", "-i"]);
    let mut person = Person::runs(&bash);
    person.sees("$ ");
    for (typed, shown) in [
        ("m2sh relo\t", "m2sh reload "),
        ("m2sh start -na\tal\t", "m2sh start -name alpha "),
        ("m2sh start --name=al\t", "m2sh start --name=alpha "),
        ("m2sh start -name=tw\t", "m2sh start -name=two\\ words "),
        ("m2sh -db config.sqlite stop --uuid uuid-2\t-mu\t", "--uuid uuid-2 -murder "),
        ("m2sh load -config pow\t", "m2sh load -config powershell "),
        ("m2sh control sta\tne\t", "m2sh control status net "),
    ] {
        person.types(typed);
        person.sees(shown);
        person.types(INTERRUPT);
        person.sees("$ ");
    }
    person.types("exit\r");
    assert_eq!(person.ends(), Some(130), "as after any interrupt");
}

#[test]
fn fish_completes() {
    let Some(fish) = testkit::installed("fish") else { return };
    let bench = scripted();
    let mut fish = prepared(fish, &bench);
    let lines =
        ["m2sh relo", "m2sh start -name al", "m2sh start -uuid=uuid-2", "m2sh stop --mu", "m2sh load -config fi"];
    let asked: String = lines.iter().map(|line| format!("complete -C '{line}'; ")).collect();
    let found = told({
        fish.args(["--no-config", "-c", &format!("source fish; {asked}")]);
        fish
    });
    let found: Vec<&str> = found.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(found, ["reload", "alpha", "-uuid=uuid-2", "--murder", "fish"]);
}

#[test]
fn zsh_reads_its_script() {
    let Some(zsh) = testkit::installed("zsh") else { return };
    let bench = scripted();
    let mut zsh = prepared(zsh, &bench);
    zsh.args(["-f", "-c", "compdef() { print -r -- $@ }; source ./zsh"]);
    assert_eq!(told(zsh), "_m2sh m2sh\n");
}

#[test]
fn a_completion_says_nothing_of_what_it_does_not_know() {
    let bench = Bench::empty();
    for words in ["complete bash", "complete fish -- x", "complete elvish -- start -name a", "complete zsh -- frob"] {
        assert_eq!(bench.m2sh(words).prints(), "", "{words}");
    }
    assert!(!bench.m2sh("help").prints().contains("  complete "), "it is for scripts");
}

#[test]
fn pages_can_be_read() {
    let bench = Bench::empty();
    let mut m2sh = bench.m2sh("man pages/man1");
    m2sh.command.env("SOURCE_DATE_EPOCH", "1795161671");
    let told = m2sh.prints();
    assert_eq!(told, format!("Wrote {} pages into pages/man1\n", pages(&bench).len()));
    let page = std::fs::read_to_string(bench.path("pages/man1/m2sh-start.1")).unwrap();
    assert!(page.contains(".TH m2sh-start 1 2026-11-20 ") && page.contains("with one dash or with two"), "{page}");
    let main = bench.m2sh("man").prints();
    assert!(main.contains("m2sh\\-access(1)") && !main.contains("m2sh\\-complete(1)"), "{main}");
    let Some(groff) = testkit::installed("groff") else { return };
    for page in pages(&bench) {
        let mut groff = Command::new(groff.get_program());
        let output = groff.args(["-man", "-Tutf8", "-ww", "-z"]).arg(&page).output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaints.is_empty(), "{}: {complaints}", page.display());
    }
}

fn pages(bench: &Bench) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(bench.path("pages/man1")).unwrap().map(|entry| entry.unwrap().path()).collect()
}
