//! Everything is killed at random, procer too; then exactly what is wanted runs, once each.
//!
//! `PROCER_SOAK` is how many seconds it takes.

use std::time::{Duration, Instant};

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use testkit::wait;

use crate::stage::{SLEEP, Stage, kill, lives};

/// Services of each kind.
const KIND: usize = 6;

#[test]
fn a_soak_of_kills() {
    let seconds = std::env::var("PROCER_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut pick = move |below: usize| random.next_u32() as usize % below;
    let stage = Stage::new();
    let names: Vec<String> = (0..KIND).flat_map(|n| [format!("fg{n}"), format!("bg{n}"), format!("kids{n}")]).collect();
    for name in &names {
        match &name[..2] {
            "fg" => stage.kept(name, &format!("echo hello; {SLEEP}")),
            "bg" => stage.daemon(name),
            _ => stage.kept(name, "sleep 1000000 &\nwait"),
        }
        stage.write(&format!("{name}/restart"), "delay 20ms\nmax_delay 100ms\nstable 50ms");
    }
    stage.write("fg1/depends", "bg1");
    stage.write("bg1/dependents", "restart");
    stage.start();
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut kills, mut procers, mut asked) = (0, 0, 0);
    while Instant::now() < end {
        match pick(20) {
            0 => {
                stage.kill_procer();
                procers += 1;
                // Services die while nobody looks.
                let victims = stage.processes(&names[pick(names.len())]);
                victims.into_iter().for_each(kill);
                stage.start();
            }
            1 => {
                let (word, name) = (["restart", "stop", "start"][pick(3)], &names[pick(names.len())]);
                stage.tell(&format!("{word} --no-wait {name}"));
                asked += 1;
            }
            _ => {
                let victims = stage.processes(&names[pick(names.len())]);
                if !victims.is_empty() {
                    kill(victims[pick(victims.len())]);
                    kills += 1;
                }
            }
        }
    }
    if !lives(stage.procer()) {
        stage.start();
    }
    eprintln!("killed {kills} processes and {procers} procers, asked {asked} times");
    stage.told("start");
    for name in &names {
        let wanted = if name.starts_with("kids") { 2 } else { 1 };
        // Once each: what was there too much is found by looking for a while.
        let is_well = || stage.state(name) == "ready" && stage.processes(name).len() == wanted;
        wait::until(&format!("`{name}` to run once"), || is_well().then_some(()));
        assert!(stage.processes(name).contains(&stage.pid(name)), "{name}");
    }
    let all = stage.processes("").len();
    assert_eq!(all, names.len() + KIND, "and nothing else");
}
