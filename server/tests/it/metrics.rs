//! Metrics over HTTP: in Prometheus' format, and the same numbers as the access log has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mongrel2::config::{Proxy, Target};
use testkit::wait;

use crate::harness::{Answer, Client, Peer, Running, Site, free_address, get, handler};

/// The samples of a page, each with its name and labels.
type Samples = BTreeMap<String, f64>;

fn ask(address: SocketAddr, request: &str) -> Answer {
    // Who takes too long to ask is let go.
    wait::until("an answer", || {
        let mut client = Client::connect(address);
        client.try_send(request);
        client.try_answer(request.starts_with("HEAD"))
    })
}

fn samples(address: SocketAddr) -> Samples {
    let answer = ask(address, &get("/metrics"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    parse(&answer.text())
}

/// Reads a page as Prometheus does: each sample belongs to the family before it, and comes once.
fn parse(page: &str) -> Samples {
    let mut samples = Samples::new();
    let mut family = "";
    for line in page.lines() {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            family = told.split(' ').next().unwrap();
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(!family.is_empty() && sample.starts_with(family), "{line}");
            assert_eq!(samples.insert(sample.to_owned(), value.parse().unwrap()), None, "{line}");
        }
    }
    samples
}

fn site() -> (Site, SocketAddr) {
    let metrics = free_address();
    let site = Site::new().files("/").file("static/index.html", "index");
    (site.setting("metrics.listen", &metrics.to_string()), metrics)
}

/// How often each status is in the access log.
fn logged(running: &Running) -> BTreeMap<u16, f64> {
    let mut statuses = BTreeMap::new();
    for line in running.log("access.log").lines() {
        *statuses.entry(line.split(' ').nth_back(1).unwrap().parse().unwrap()).or_default() += 1.0;
    }
    statuses
}

#[test]
fn metrics_say_what_the_access_log_says() {
    let (site, metrics) = site();
    let running = site.setting("access_log.format", "common").start();
    for path in ["/", "/", "/missing", "/"] {
        running.get(path);
    }
    running.ask("TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    running.ask("nonsense\r\n\r\n");
    wait::until("the access log", || (logged(&running).values().sum::<f64>() >= 6.0).then_some(()));
    // Looking takes nothing away.
    let page = (samples(metrics), samples(metrics)).1;
    let route = "host=\"localhost\",route=\"/\"";
    let of_status = |status: u16| -> f64 {
        let fits = |name: &str| {
            name.starts_with("mongrel2_requests_total{") && name.ends_with(&format!(",status=\"{status}\"}}"))
        };
        page.iter().filter(|(name, _)| fits(name)).map(|(_, value)| value).sum()
    };
    for (status, count) in logged(&running) {
        assert_eq!(of_status(status), count, "{status}");
    }
    assert_eq!(page[&format!("mongrel2_requests_total{{{route},status=\"200\"}}")], 3.0);
    assert_eq!(page["mongrel2_requests_total{host=\"localhost\",route=\"\",status=\"405\"}"], 1.0);
    assert_eq!(page["mongrel2_requests_total{host=\"\",route=\"\",status=\"400\"}"], 1.0);
    assert_eq!(page[&format!("mongrel2_request_duration_seconds_count{{{route}}}")], 4.0);
    assert_eq!(page[&format!("mongrel2_request_duration_seconds_bucket{{{route},le=\"+Inf\"}}")], 4.0);
    assert!(page[&format!("mongrel2_request_duration_seconds_sum{{{route}}}")] > 0.0);
    assert!(page[&format!("mongrel2_response_bytes_total{{{route}}}")] > 15.0);
    assert_eq!(page["mongrel2_connections_accepted_total"], 6.0);
    assert!(page["mongrel2_connections{kind=\"http\"}"] >= 0.0);
    assert_eq!(page[concat!("mongrel2_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}")], 1.0);
    assert!(page["process_start_time_seconds"] <= page["mongrel2_configuration_loaded_timestamp_seconds"]);
}

/// The names of the metrics, with their labels.
fn families(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut families = BTreeMap::new();
    for line in page.lines() {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            families.insert(told.split(' ').next().unwrap().to_owned(), BTreeSet::new());
        }
    }
    for (sample, _) in parse(page) {
        let (name, labels) = sample.split_once('{').unwrap_or((&sample, ""));
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let family = families.get_mut(histogram.filter(|_| name.contains("duration")).unwrap_or(name)).unwrap();
        let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('='));
        family.extend(labels.map(|(name, _)| name.to_owned()).filter(|name| name != "le"));
    }
    families
}

#[test]
fn the_manual_has_all_metrics_and_no_others() {
    let (site, metrics) = site();
    let running = site.route("/one", Target::Handler(handler("one"))).start();
    running.get("/");
    let manual = std::fs::read_to_string("../docs/manual.md").unwrap();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    let rows = manual.lines().filter(|line| line.starts_with("| `mongrel2_") || line.starts_with("| `process_"));
    let rows = rows.map(|row| row.trim_matches('|').split(" | ").map(names).collect::<Vec<_>>());
    let documented: BTreeMap<_, _> = rows.map(|row| (row[0].first().unwrap().clone(), row[1].clone())).collect();
    assert_eq!(families(&ask(metrics, &get("/metrics")).text()), documented);
}

#[test]
fn reloads_are_counted_and_counts_outlive_them() {
    let (site, metrics) = site();
    let mut running =
        site.route("/gone/", Target::Proxy(Proxy { addr: "localhost".into(), port: 1, ..Proxy::default() })).start();
    running.get("/");
    running.get("/gone/");
    running.change(|config| drop(config.servers[0].hosts[0].routes.pop()));
    running.get("/");
    running.change(|config| config.servers[0].default_host = "nobody".into());
    let page = samples(metrics);
    assert_eq!(page["mongrel2_requests_total{host=\"localhost\",route=\"/\",status=\"200\"}"], 2.0);
    assert!(!page.keys().any(|name| name.contains("/gone/")), "{page:?}");
    assert_eq!(page["mongrel2_reloads_total{result=\"ok\"}"], 1.0);
    assert_eq!(page["mongrel2_reloads_total{result=\"failed\"}"], 1.0);
    assert_eq!(page["mongrel2_configuration_generation"], 2.0);
    assert!(page["process_start_time_seconds"] < page["mongrel2_configuration_loaded_timestamp_seconds"]);
}

#[test]
fn messages_that_wait_and_connections_are_counted() {
    let (site, metrics) = site();
    let one = || Target::Handler(handler("one"));
    let running = site.route("/one", one()).route("@one", one()).start();
    let mut socket = running.connect();
    socket.send("@one {}\0");
    let clients: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = running.connect();
            client.send(get("/one"));
            client
        })
        .collect();
    let are = |expected: [f64; 5]| {
        let page = samples(metrics);
        let kinds =
            ["http", "json", "xml", "websocket"].map(|kind| page[&format!("mongrel2_connections{{kind=\"{kind}\"}}")]);
        let waiting = page["mongrel2_handler_queue_length{send_spec=\"ipc://run/one.requests\"}"];
        ([&kinds[..], &[waiting]].concat() == expected).then_some(())
    };
    wait::until("four messages in the queue", || are([3.0, 1.0, 0.0, 0.0, 4.0]));
    let peer = Peer::connect(running.site.path(), "one");
    (0..4).for_each(|_| drop(peer.request()));
    wait::until("the queue to be empty", || are([3.0, 1.0, 0.0, 0.0, 0.0]));
    drop((clients, socket));
    wait::until("the connections to be gone", || {
        (samples(metrics)["mongrel2_connections{kind=\"http\"}"] == 0.0).then_some(())
    });
}

#[test]
fn nothing_is_lost_while_many_look() {
    let (site, metrics) = site();
    let running = site.start();
    let done = Arc::new(AtomicBool::new(false));
    let lookers: Vec<_> = (0..6)
        .map(|_| {
            let done = Arc::clone(&done);
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    samples(metrics);
                }
            })
        })
        .collect();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = running.connect();
                for _ in 0..250 {
                    client.send(get("/"));
                    assert_eq!(client.answer().status, 200);
                }
            });
        }
    });
    done.store(true, Ordering::Relaxed);
    lookers.into_iter().for_each(|looker| looker.join().unwrap());
    let name = "mongrel2_requests_total{host=\"localhost\",route=\"/\",status=\"200\"}";
    // The last one is counted when its answer has gone.
    wait::until("2000 requests", || (samples(metrics)[name] == 2000.0).then_some(()));
}

#[test]
fn there_is_nothing_else() {
    let (site, metrics) = site();
    let _running = site.start();
    let page = ask(metrics, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((page.status, page.header("connection")), (200, Some("close")));
    assert!(page.body.is_empty() && page.header("content-length").unwrap().parse::<usize>().unwrap() > 100);
    assert_eq!(ask(metrics, &get("/")).status, 404);
    let refused = ask(metrics, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(ask(metrics, "nonsense\r\n").status, 400);
    // Who says nothing is left alone, and keeps nobody else from the page.
    let mut silent: Vec<Client> = (0..10).map(|_| Client::connect(metrics)).collect();
    assert_eq!(ask(metrics, &get("/metrics")).status, 200);
    assert!(silent.iter_mut().all(Client::is_closed));
}

#[test]
fn a_reload_takes_another_address_or_none() {
    let (site, first) = site();
    let mut running = site.start();
    let second = free_address();
    let set = |running: &mut Running, address: &str| {
        let address = address.to_owned();
        running.change(|config| drop(config.settings.insert("metrics.listen".into(), address)));
    };
    set(&mut running, &second.to_string());
    assert_eq!(samples(second)["mongrel2_configuration_generation"], 2.0);
    wait::until("the first address to be free", || TcpListener::bind(first).ok().map(drop));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    set(&mut running, &taken.local_addr().unwrap().to_string());
    running.process.wait_for_stderr("cannot reload, the old configuration goes on: cannot show metrics at 127.0.0.1:");
    assert_eq!(samples(second)["mongrel2_reloads_total{result=\"failed\"}"], 1.0);
    set(&mut running, "");
    wait::until("the second address to be free", || TcpListener::bind(second).ok().map(drop));
    assert_eq!(running.get("/").status, 200);
}
