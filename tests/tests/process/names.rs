//! Host names, on each runtime: names for which the resolver gives no answer, and names with an address that does not
//! answer. The child processes have a resolver for such names: `support/preload/preload.c`.

use futures_util::FutureExt;
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketType, connect, listen, socket};
use sansmq::kind::{Any, Dealer, Pull, Push};
use sansmq::{Endpoint, Event, Handle, Monitor, Options};
use sansmq_tests::harness::ANY;
use sansmq_tests::leak_check::{Counts, on_each_with, wait_for_release};
use sansmq_tests::runtimes::{RuntimeHandle, TestRuntime};
use sansmq_tests::{TempDir, report_skipped};
use std::env;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// File to which the resolver of `preload.c` appends a byte for each lookup.
const LOOKUPS: &str = "SANSMQ_LOOKUPS";

/// Runs a test on each runtime with the resolver of `preload.c`. Skips the test on systems without this resolver.
fn with_resolver(test: impl Fn(&mut dyn TestRuntime, Counts) + Send + Sync + 'static) {
    let directory = TempDir::new();
    let library = match (env::var_os("LD_PRELOAD"), sansmq_tests::preload::library()) {
        (Some(library), _) => library,
        (None, Ok(library)) => library.into_os_string(),
        (None, Err(error)) => return report_skipped(error),
    };
    let lookups = directory.socket().into_os_string();
    on_each_with(&[("LD_PRELOAD", &library), (LOOKUPS, &lookups)], move |runtime, before| {
        if env::var_os("LD_PRELOAD").is_none() {
            return report_skipped("with one test thread there is no child process with another resolver");
        }
        test(runtime, before);
    });
}

/// Connects a socket to a name for which the resolver gives no answer. Returns its monitor too.
fn connect_to_hanging_name(handle: &RuntimeHandle) -> (Handle<Dealer>, Monitor) {
    let dealer = handle.socket(Options::<Dealer>::new().connect_timeout(None));
    let monitor = dealer.monitor();
    dealer.connect("tcp://first.hang.test:1").unwrap();
    (dealer, monitor)
}

/// Returns true if the lookup of [`connect_to_hanging_name`] has ended. It lasts 30 seconds.
fn has_failed(monitor: &mut Monitor) -> bool {
    let events = core::iter::from_fn(|| monitor.next().now_or_never().flatten());
    events.into_iter().any(|event| matches!(event, Event::ConnectFailed { .. }))
}

/// Returns a bound PULL and its port.
async fn bound_pull(handle: &RuntimeHandle) -> (Handle<Pull>, u16) {
    let pull = handle.socket(Options::<Pull>::new());
    let port = pull.bind(ANY).await.unwrap().socket_addr().unwrap().port();
    (pull, port)
}

async fn send_through(handle: &RuntimeHandle, pull: &Handle<Pull>, endpoint: &str) -> Handle<Push> {
    let push = handle.socket(Options::<Push>::new().connect_timeout(None));
    push.connect(endpoint).unwrap();
    push.send(endpoint).await.unwrap();
    assert_eq!(pull.recv().await.unwrap().body(), endpoint);
    push
}

#[test]
fn hanging_name_among_a_thousand_dials_stalls_only_itself() {
    with_resolver(|runtime, before| {
        let handle = runtime.handle();
        runtime.run(Box::pin(async {
            let (_dealer, mut monitor) = connect_to_hanging_name(&handle);
            let (pull, port) = bound_pull(&handle).await;
            let push = handle.socket(Options::<Push>::new().connect_timeout(None));
            for number in 0..999 {
                push.connect(format!("tcp://name-{number}.dual.test:{port}")).unwrap();
            }
            while pull.stats().peers < 999 {
                push.send("to one of them").await.unwrap();
                pull.recv().await.unwrap();
            }
            assert!(!has_failed(&mut monitor), "the other dials have waited for the hanging name");
        }));
        wait_for_release(runtime, before, "dials of names");
    });
}

#[test]
fn thousand_hanging_names_do_not_delay_another_name() {
    with_resolver(|runtime, before| {
        let handle = runtime.handle();
        runtime.run(Box::pin(async {
            let (_dealer, mut monitor) = connect_to_hanging_name(&handle);
            let hanging = handle.socket(Options::<Dealer>::new().connect_timeout(None));
            for number in 0..1000 {
                hanging.connect(format!("tcp://name-{number}.hang.test:1")).unwrap();
            }
            let (pull, port) = bound_pull(&handle).await;
            send_through(&handle, &pull, &format!("tcp://good.dual.test:{port}")).await;
            assert!(!has_failed(&mut monitor), "the dial has waited for the hanging names");
        }));
        wait_for_release(runtime, before, "dials of hanging names");
    });
}

#[test]
fn dials_of_one_hanging_name_share_its_lookup() {
    with_resolver(|runtime, before| {
        let handle = runtime.handle();
        let file = env::var_os(LOOKUPS).unwrap();
        let lookups = || std::fs::read(&file).map_or(0, |bytes| bytes.len());
        // The other runtimes use the same file.
        let options = || {
            let brief = Duration::from_millis(1);
            Options::<Dealer>::new().connect_timeout(Duration::from_millis(20)).reconnect(brief, brief)
        };
        let name = format!("tcp://{}.hang.test:1", std::process::id());
        runtime.run(Box::pin(async {
            let sockets: Vec<Handle<Any>> = (0..10).map(|_| handle.socket(options().erase())).collect();
            let mut monitors: Vec<_> = sockets.iter().map(Handle::monitor).collect();
            for socket in &sockets {
                socket.connect(name.parse::<Endpoint>().unwrap()).unwrap();
            }
            for monitor in &mut monitors {
                for _ in 0..10 {
                    monitor.find(|event| matches!(event, Event::ConnectFailed { .. }).then_some(())).await.unwrap();
                }
            }
            let lookups = lookups();
            assert!(lookups <= 5, "{lookups} lookups of 5 processes");
        }));
        wait_for_release(runtime, before, "repeated dials of a hanging name");
    });
}

/// IPv6 address that does not answer: its queue of waiting connections is full, so further requests to connect are
/// dropped.
struct BlackHole {
    listener: TcpListener,
    _queue: Vec<OwnedFd>,
}

impl BlackHole {
    /// Returns `None` if this machine has no IPv6, or connects although the queue is full.
    fn new() -> Option<Self> {
        let listener = TcpListener::bind("[::1]:0").ok()?;
        let address = listener.local_addr().ok()?;
        listen(&listener, 0).ok()?;
        let queue = (0..8).map(|_| {
            let stream = socket(AddressFamily::INET6, SocketType::STREAM, None).unwrap();
            rustix::io::ioctl_fionbio(&stream, true).unwrap();
            let _ = connect(&stream, &address);
            stream
        });
        let hole = Self { _queue: queue.collect(), listener };
        TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_err().then_some(hole)
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

#[test]
fn silent_ipv6_address_does_not_delay_ipv4() {
    if BlackHole::new().is_none() {
        return report_skipped("there is no IPv6, or a full queue of connections accepts more");
    }
    with_resolver(|runtime, before| {
        let hole = BlackHole::new().unwrap();
        let handle = runtime.handle();
        runtime.run(Box::pin(async {
            let pull = handle.socket(Options::<Pull>::new());
            let port = hole.address().port();
            pull.bind(format!("tcp://127.0.0.1:{port}")).await.unwrap();
            let start = Instant::now();
            send_through(&handle, &pull, &format!("tcp://name.dual.test:{port}")).await;
            // The attempt with IPv6 ends after two minutes, and the next attempt begins after 250 ms.
            let elapsed = start.elapsed();
            assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
        }));
        drop(hole);
        wait_for_release(runtime, before, "an address without answer");
    });
}
