//! Tests of options of the operating system's sockets, and of source addresses.

use super::super::fixture::{DealerSocket, Monitor, PullSocket, PushSocket, RouterSocket, Socket, run};
use super::super::suite::{ANY, yield_now};
use sansmq::kind::{Pull, Push};
use sansmq::{AuthReply, BindError, Endpoint, Event, Keepalive, NetworkError, Options};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

#[test]
fn authenticator_receives_address_behind_dialled_name() {
    run(|| async {
        let options = Options::<Pull>::new().zap_domain("global").unwrap();
        let pull = Socket::with_options(options.authenticate(|request| AuthReply::accept_as(request.address.clone())));
        let push = PushSocket::new();
        let Endpoint::Tcp { port, .. } = push.bind(ANY).await.unwrap() else { panic!("not a TCP endpoint") };
        pull.connect(format!("tcp://localhost:{port}")).unwrap();
        let peer = pull.wait_connected(1).await.unwrap().remove(0);
        assert_eq!(peer.user_id.as_deref(), Some(&b"127.0.0.1"[..]));
        assert_eq!(peer.address.as_ref().map(ToString::to_string), Some(format!("tcp://127.0.0.1:{port}")));
    });
}

#[test]
fn bind_accepts_the_name_of_an_interface() {
    run(|| async {
        let loopback = if cfg!(target_os = "linux") { "lo" } else { "lo0" };
        let pull = PullSocket::new();
        let bound = pull.bind(format!("tcp://{loopback}:*")).await.unwrap();
        assert_eq!(bound.socket_addr().unwrap().ip(), Ipv4Addr::LOCALHOST, "the first IPv4 address");
        let push = PushSocket::new();
        push.connect(&bound).unwrap();
        push.send("over the interface").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "over the interface");
        let error = pull.bind("tcp://no-such-interface0:*").await.unwrap_err();
        assert!(matches!(error, BindError::Network { error: NetworkError::UnknownHost, .. }), "{error}");
    });
}

#[test]
fn dial_that_meets_itself_is_repeated_until_a_server_listens() {
    run(|| async {
        // The source address makes each dial meet itself; without one, the system may choose this port by chance.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let dealer =
            DealerSocket::with_options(Options::new().reconnect(Duration::from_millis(1), Duration::from_millis(1)));
        let mut monitor = dealer.monitor();
        let to_itself = format!("tcp://{address};{address}");
        dealer.connect(&to_itself).unwrap();
        for _ in 0..3 {
            let outcome = monitor.find(|event| match event {
                Event::Connected { .. } => Some(None),
                Event::ConnectFailed { error, retry, .. } => Some(Some((error, retry.is_some()))),
                _ => None,
            });
            assert_eq!(outcome.await.unwrap(), Some((NetworkError::Refused, true)));
        }
        dealer.disconnect(&to_itself).unwrap();

        let router = RouterSocket::new();
        let bound = router.bind(format!("tcp://{address}")).await.expect("the address is free at once");
        dealer.connect(&bound).unwrap();
        dealer.send("hello").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "hello");
    });
}

/// Waits for an accepted connection and returns its source address and port.
async fn accepted_source(monitor: &mut Monitor) -> (IpAddr, u16) {
    let from = monitor.find(|event| match event {
        Event::Accepted { from, .. } => from.socket_addr(),
        _ => None,
    });
    let from = from.await.unwrap();
    (from.ip(), from.port())
}

#[test]
#[cfg(target_os = "linux")]
fn connection_uses_source_address_of_endpoint() {
    run(|| async {
        let pull = PullSocket::new();
        let mut monitor = pull.monitor();
        let Endpoint::Tcp { port, .. } = pull.bind(ANY).await.unwrap() else { panic!("not a TCP endpoint") };
        let source = IpAddr::from([127, 0, 0, 2]);
        // All of 127.0.0.0/8 is this machine. Only addresses of the family of the source are tried.
        for host in ["127.0.0.1", "localhost"] {
            let push = PushSocket::new();
            let endpoint = format!("tcp://{source}:*;{host}:{port}");
            push.connect(&endpoint).unwrap();
            let (ip, from) = accepted_source(&mut monitor).await;
            assert!(ip == source && from != 0, "{ip}:{from}");
            push.disconnect(&endpoint).unwrap();
        }
        let source_port = TcpListener::bind((source, 0)).unwrap().local_addr().unwrap().port();
        for (address, expected) in [(source.to_string(), source), ("*".into(), Ipv4Addr::LOCALHOST.into())] {
            let push = PushSocket::new();
            push.connect(format!("tcp://{address}:{source_port};127.0.0.1:{port}")).unwrap();
            assert_eq!(accepted_source(&mut monitor).await, (expected, source_port));
            push.send("from the source").await.unwrap();
            assert_eq!(pull.recv().await.unwrap().body(), "from the source");
        }
    });
}

#[test]
fn invalid_source_address_fails_bind_and_connect() {
    run(|| async {
        let pull = PullSocket::new();
        let endpoint: Endpoint = "tcp://127.0.0.1:0;127.0.0.1:0".parse().unwrap();
        let error = pull.bind(&endpoint).await.unwrap_err();
        assert_eq!(error, BindError::Network { endpoint, error: NetworkError::HasSource });

        let push = PushSocket::new();
        let mut monitor = push.monitor();
        push.connect("tcp://192.0.2.1:0;127.0.0.1:1").unwrap();
        assert_eq!(dial_failure(&mut monitor).await, NetworkError::AddressUnavailable);
    });
}

async fn dial_failure(monitor: &mut Monitor) -> NetworkError {
    let failure = monitor.find(|event| match event {
        Event::ConnectFailed { error, .. } => Some(error),
        _ => None,
    });
    failure.await.unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn option_rejected_by_system_fails_bind_and_connect() {
    run(|| async {
        let missing = NetworkError::NoSuchDevice;
        let pull = Socket::with_options(Options::<Pull>::new().bind_to_device("no-such-device").unwrap());
        let error = pull.bind(ANY).await.unwrap_err();
        assert!(matches!(error, BindError::Network { error, .. } if error == missing), "{error}");
        let push = Socket::with_options(Options::<Push>::new().bind_to_device("no-such-device").unwrap());
        let mut monitor = push.monitor();
        push.connect("tcp://127.0.0.1:1").unwrap();
        assert_eq!(dial_failure(&mut monitor).await, missing);
    });
}

/// Returns the milliseconds until Linux sends a keep-alive probe on the connection from the port `from` to the port
/// `to`; `None` if the keep-alive timer is not running.
#[cfg(target_os = "linux")]
fn keepalive_timer(from: u16, to: u16) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let row = table.lines().find_map(|row| {
        let fields: Vec<_> = row.split_whitespace().collect();
        let (own, other) = (format!("0100007F:{from:04X}"), format!("0100007F:{to:04X}"));
        (*fields.get(1)? == own && *fields.get(2)? == other).then(|| fields[5].to_owned())
    });
    let ticks = row?.strip_prefix("02:")?.to_owned();
    Some(u64::from_str_radix(&ticks, 16).unwrap() * 10)
}

#[test]
#[cfg(target_os = "linux")]
fn accepted_and_connected_sockets_get_keepalive_options() {
    run(|| async {
        let seconds = Duration::from_secs;
        let keepalive = |idle| Keepalive::new().idle(seconds(idle)).unwrap();
        let pull = Socket::with_options(Options::<Pull>::new().keepalive(keepalive(1000)));
        let mut monitor = pull.monitor();
        let Endpoint::Tcp { port: pull_port, .. } = pull.bind(ANY).await.unwrap() else { panic!("not a TCP endpoint") };
        let push = Socket::with_options(Options::<Push>::new().keepalive(keepalive(2000)));
        push.connect(format!("tcp://127.0.0.1:{pull_port}")).unwrap();
        push.send("x").await.unwrap();
        pull.recv().await.unwrap();
        let (_, push_port) = accepted_source(&mut monitor).await;
        // The table shows the retransmission timer while sent data is not acknowledged.
        for (from, to, idle) in [(pull_port, push_port, 1_000_000), (push_port, pull_port, 2_000_000)] {
            let left = loop {
                match keepalive_timer(from, to) {
                    Some(left) => break left,
                    None => yield_now().await,
                }
            };
            assert!((idle / 2..=idle).contains(&left), "{left} of {idle} ms are left");
        }
    });
}

#[test]
fn dual_stack_wildcard_accepts_ipv6_and_ipv4() {
    run(|| async {
        let pull = Socket::with_options(Options::<Pull>::new().dual_stack(true));
        let bound = pull.bind("tcp://*:*").await.unwrap();
        let Endpoint::Tcp { port, .. } = bound else { panic!("not a TCP endpoint") };
        assert_eq!(bound.to_string(), format!("tcp://[::]:{port}"));
        for host in ["127.0.0.1", "[::1]"] {
            let push = PushSocket::new();
            push.connect(format!("tcp://{host}:{port}")).unwrap();
            push.send(host).await.unwrap();
            assert_eq!(pull.recv().await.unwrap().body(), host);
        }
        pull.unbind(&bound).await.unwrap();
        let default = PullSocket::new();
        let Endpoint::Tcp { port, .. } = default.bind("tcp://*:*").await.unwrap() else { panic!("not a TCP endpoint") };
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        assert!(TcpStream::connect(("::1", port)).is_err(), "`*` is IPv4 only by default");
    });
}
