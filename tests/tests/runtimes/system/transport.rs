//! What a socket asks of the system's sockets below it: options, where connections come from, listeners made elsewhere.

use super::super::fixture::{PullSocket, PushSocket, RouterSocket, Socket, run, spawn};
use super::super::suite::{ANY, yield_now};
use futures_util::future::join;
use sansmq::kind::{Pull, Push};
#[allow(unused_imports, reason = "blocking sockets have their own")]
use sansmq::mio::BindListener;
use sansmq::{BindError, Endpoint, Event, Keepalive, Monitor, NetworkError, Options};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

#[test]
fn a_listener_that_is_open_already_serves_also_those_who_came_before() {
    run(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let push = PushSocket::new();
        let mut story = push.monitor();
        push.connect(format!("tcp://{address}")).unwrap();
        push.send("early").await.unwrap();
        assert!(matches!(story.next().await, Some(Event::Connecting { .. })));
        assert!(matches!(story.next().await, Some(Event::Connected { .. })), "the system answers for who is to come");

        let pull = PullSocket::new();
        let bound = pull.bind_listener(listener).await.unwrap();
        assert_eq!(bound, Endpoint::from(address));
        assert_eq!(pull.recv().await.unwrap().body(), "early");
        pull.unbind(&bound).await.unwrap();
        TcpListener::bind(address).expect("it is free");
    });
}

#[test]
#[cfg(unix)]
fn an_adopted_unix_listener_leaves_the_file_to_its_maker() {
    use std::os::unix::net::UnixListener;
    run(|| async {
        let place = sansmq_tests::TempDir::new();
        let pull = PullSocket::new();
        let bound = pull.bind_listener(UnixListener::bind(place.socket()).unwrap()).await.unwrap();
        assert_eq!(bound.to_string(), place.endpoint());
        let push = PushSocket::new();
        push.connect(&bound).unwrap();
        push.send("through the file").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "through the file");
        pull.unbind(&bound).await.unwrap();
        assert!(place.socket().exists());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn what_does_not_listen_cannot_be_bound() {
    use std::net::UdpSocket;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    run(|| async {
        let router = RouterSocket::new();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::from(datagrams.local_addr().unwrap());
        let error = router.bind_listener(TcpListener::from(OwnedFd::from(datagrams))).await.unwrap_err();
        assert_eq!(error, BindError::Network { endpoint, error: NetworkError::NotListening });
        let (stream, _other) = UnixStream::pair().unwrap();
        let error = router.bind_listener(TcpListener::from(OwnedFd::from(stream))).await.unwrap_err();
        assert!(matches!(error, BindError::Listener(_)), "{error}");
        router.close().await;
        let late = router.bind_listener(TcpListener::bind("127.0.0.1:0").unwrap()).await;
        assert_eq!(late, Err(BindError::Closed));
    });
}

/// Where the next connection to a bound socket comes from.
async fn next_source(monitor: &mut Monitor) -> (IpAddr, u16) {
    let from = monitor.find(|event| match event {
        Event::Accepted { from, .. } => from.socket_addr(),
        _ => None,
    });
    let from = from.await.unwrap();
    (from.ip(), from.port())
}

#[test]
#[cfg(target_os = "linux")]
fn a_connection_comes_from_where_its_endpoint_says() {
    run(|| async {
        let pull = PullSocket::new();
        let mut monitor = pull.monitor();
        let Endpoint::Tcp { port, .. } = pull.bind(ANY).await.unwrap() else { panic!("it is tcp") };
        let source = IpAddr::from([127, 0, 0, 2]);
        // All of 127.0.0.0/8 is this machine. Of a host's addresses only those are tried that the source leads to.
        for host in ["127.0.0.1", "localhost"] {
            let push = PushSocket::new();
            let endpoint = format!("tcp://{source}:*;{host}:{port}");
            push.connect(&endpoint).unwrap();
            let (ip, from) = next_source(&mut monitor).await;
            assert!(ip == source && from != 0, "{ip}:{from}");
            push.disconnect(&endpoint).unwrap();
        }
        let spare = TcpListener::bind((source, 0)).unwrap().local_addr().unwrap().port();
        for (own, expected) in [(source.to_string(), source), ("*".into(), Ipv4Addr::LOCALHOST.into())] {
            let push = PushSocket::new();
            push.connect(format!("tcp://{own}:{spare};127.0.0.1:{port}")).unwrap();
            assert_eq!(next_source(&mut monitor).await, (expected, spare));
            push.send("from there").await.unwrap();
            assert_eq!(pull.recv().await.unwrap().body(), "from there");
        }
    });
}

#[test]
fn a_source_cannot_be_bound_and_one_that_is_not_here_is_told() {
    run(|| async {
        let pull = PullSocket::new();
        let endpoint: Endpoint = "tcp://127.0.0.1:0;127.0.0.1:0".parse().unwrap();
        let error = pull.bind(&endpoint).await.unwrap_err();
        assert_eq!(error, BindError::Network { endpoint, error: NetworkError::HasSource });

        let push = PushSocket::new();
        let mut story = push.monitor();
        push.connect("tcp://192.0.2.1:0;127.0.0.1:1").unwrap();
        assert_eq!(dial_failure(&mut story).await, NetworkError::AddressUnavailable);
    });
}

async fn dial_failure(story: &mut Monitor) -> NetworkError {
    let failure = story.find(|event| match event {
        Event::ConnectFailed { error, .. } => Some(error),
        _ => None,
    });
    failure.await.unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn an_option_that_the_system_refuses_fails_the_bind_and_the_dial() {
    run(|| async {
        let missing = NetworkError::NoSuchDevice;
        let pull = Socket::with(Options::<Pull>::new().bind_to_device("no-such-device").unwrap());
        let error = pull.bind(ANY).await.unwrap_err();
        assert!(matches!(error, BindError::Network { error, .. } if error == missing), "{error}");
        let push = Socket::with(Options::<Push>::new().bind_to_device("no-such-device").unwrap());
        let mut story = push.monitor();
        push.connect("tcp://127.0.0.1:1").unwrap();
        assert_eq!(dial_failure(&mut story).await, missing);
    });
}

/// The milliseconds until the system asks the peer of this connection for a sign of life, if it is going to.
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
fn both_ends_of_a_connection_have_their_options() {
    run(|| async {
        let seconds = Duration::from_secs;
        let keepalive = |idle| Keepalive::new().idle(seconds(idle)).unwrap();
        let pull = Socket::with(Options::<Pull>::new().keepalive(keepalive(1000)));
        let mut monitor = pull.monitor();
        let Endpoint::Tcp { port: there, .. } = pull.bind(ANY).await.unwrap() else { panic!("it is tcp") };
        let push = Socket::with(Options::<Push>::new().keepalive(keepalive(2000)));
        push.connect(format!("tcp://127.0.0.1:{there}")).unwrap();
        push.send("x").await.unwrap();
        pull.recv().await.unwrap();
        let (_, here) = next_source(&mut monitor).await;
        // While something is unacknowledged another timer runs.
        for (from, to, idle) in [(there, here, 1_000_000), (here, there, 2_000_000)] {
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
fn a_dual_stack_wildcard_takes_ipv6_and_ipv4() {
    run(|| async {
        let pull = Socket::with(Options::<Pull>::new().dual_stack(true));
        let bound = pull.bind("tcp://*:*").await.unwrap();
        let Endpoint::Tcp { port, .. } = bound else { panic!("it is tcp") };
        assert_eq!(bound.to_string(), format!("tcp://[::]:{port}"));
        for host in ["127.0.0.1", "[::1]"] {
            let push = PushSocket::new();
            push.connect(format!("tcp://{host}:{port}")).unwrap();
            push.send(host).await.unwrap();
            assert_eq!(pull.recv().await.unwrap().body(), host);
        }
        pull.unbind(&bound).await.unwrap();
        let unasked = PullSocket::new();
        let Endpoint::Tcp { port, .. } = unasked.bind("tcp://*:*").await.unwrap() else { panic!("it is tcp") };
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        assert!(TcpStream::connect(("::1", port)).is_err(), "`*` is IPv4 unless asked otherwise");
    });
}

#[test]
fn unbinding_a_listener_that_is_being_adopted_leaves_nobody_waiting() {
    run(|| async {
        for _ in 0..20 {
            let pull = PullSocket::new();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let adopting = spawn({
                let pull = pull.clone();
                async move { pull.bind_listener(listener).await }
            });
            let (adopted, ()) = join(adopting, async {
                pull.close().await;
            })
            .await;
            assert!(adopted == Ok(address.into()) || adopted == Err(BindError::Closed), "{adopted:?}");
            TcpListener::bind(address).expect("it is free");
        }
    });
}
