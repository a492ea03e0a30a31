//! Tests that operating system sockets have the configured options, and that a rejected option is an error.

use super::*;
use sansmq_proto::address::Keepalive;
use std::net::IpAddr;

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Returns a configuration with all socket options that a process without privileges can set.
fn all_options() -> TransportConfig {
    let second = Duration::from_secs(1);
    let keepalive = Keepalive::new().idle(50 * second).unwrap();
    let keepalive = keepalive.interval(7 * second).unwrap().count(3).unwrap();
    let mut transport = TransportConfig::new();
    transport.keepalive = KeepaliveConfig::On(keepalive);
    transport.max_retransmit_timeout = Some(Duration::from_millis(12_345));
    transport.send_buffer = Some(30_000);
    transport.recv_buffer = Some(20_000);
    transport.tos = Some(0xb8);
    transport.priority = Some(5);
    transport
}

fn keepalive_config(keepalive: Keepalive) -> TransportConfig {
    let mut transport = TransportConfig::new();
    transport.keepalive = KeepaliveConfig::On(keepalive);
    transport
}

/// Returns both streams of a new connection to `listener`: the connecting stream, then the accepted stream.
fn pair(listener: &TcpListener, transport: &TransportConfig) -> [TcpStream; 2] {
    let stream = dial(listener.local_addr().unwrap(), transport);
    listener.set_nonblocking(false).unwrap();
    let (other, _) = listener.accept().unwrap();
    accepted(&other, transport);
    [stream, other]
}

fn dial(to: SocketAddr, transport: &TransportConfig) -> TcpStream {
    connect(Route { from: None, to }, transport).unwrap()
}

#[cfg(target_os = "linux")]
fn assert_has_all_options(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    let times = (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
    assert_eq!(times, (Duration::from_secs(50), Duration::from_secs(7)));
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_millis(12_345)));
    // Linux doubles the sizes.
    assert_eq!((socket.send_buffer_size().unwrap(), socket.recv_buffer_size().unwrap()), (60_000, 40_000));
    assert_eq!(socket.priority().unwrap(), 5);
    let six = stream.local_addr().unwrap().is_ipv6();
    assert_eq!(if six { socket.tclass_v6() } else { socket.tos_v4() }.unwrap(), 0xb8);
}

#[test]
#[cfg(target_os = "linux")]
fn options_are_set_on_connecting_and_accepted_sockets() {
    for at in [LOCAL, "[::1]:0".parse().unwrap()] {
        let listener = listen(at, &all_options()).unwrap();
        pair(&listener, &all_options()).iter().for_each(assert_has_all_options);
        let adopted = from_listener(TcpListener::bind(at).unwrap(), &all_options()).unwrap();
        pair(&adopted, &all_options()).iter().for_each(assert_has_all_options);
    }
}

#[test]
fn default_sockets_are_nonblocking_without_nagle() {
    let transport = TransportConfig::new();
    let listener = listen(LOCAL, &transport).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    #[cfg(not(windows))]
    assert!(SockRef::from(&listener).reuse_address().unwrap());
    for stream in pair(&listener, &transport) {
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().unwrap() && !socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!((socket.tcp_user_timeout().unwrap(), socket.priority().unwrap()), (None, 0));
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), 128 << 10, "little unsent output is held");
    }
    let stream = dial(listener.local_addr().unwrap(), &transport);
    assert!(
        io::Read::read(&mut &stream, &mut [0])
            .is_err_and(|error| { error.kind() == ErrorKind::WouldBlock || error.kind() == ErrorKind::NotConnected })
    );
}

#[test]
fn keepalive_off_overrides_adopted_listener() {
    let listener = TcpListener::bind(LOCAL).unwrap();
    SockRef::from(&listener).set_keepalive(true).unwrap();
    let mut transport = TransportConfig::new();
    transport.keepalive = KeepaliveConfig::Off;
    let listener = from_listener(listener, &transport).unwrap();
    for stream in pair(&listener, &transport) {
        assert!(!SockRef::from(&stream).keepalive().unwrap());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn backlog_is_as_configured_and_large_by_default() {
    use std::io::ErrorKind::{NotConnected, WouldBlock};
    let is_connected = |stream: &TcpStream| !matches!(stream.peer_addr(), Err(error) if error.kind() == NotConnected);
    for (backlog, expected) in [(Some(3), 4), (None, 200)] {
        let mut transport = TransportConfig::new();
        transport.backlog = backlog;
        let listener = listen(LOCAL, &transport).unwrap();
        let to = listener.local_addr().unwrap();
        // Over the loopback interface, a connection is made at once, or waits for room in the backlog.
        let waiting: Vec<_> = (0..200).map(|_| dial(to, &TransportConfig::new())).take_while(is_connected).collect();
        assert_eq!(waiting.len(), expected, "Linux allows one connection more than the backlog");
        let accepted = core::iter::from_fn(|| listener.accept().ok()).count();
        assert_eq!(accepted, expected);
        assert_eq!(listener.accept().unwrap_err().kind(), WouldBlock);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn rejected_options_are_errors() {
    let to = listen(LOCAL, &TransportConfig::new()).unwrap().local_addr().unwrap();
    let refused = |transport: &TransportConfig| {
        let failure = listen(LOCAL, transport).unwrap_err();
        assert_eq!(connect(Route { from: None, to }, transport).unwrap_err(), failure);
        failure
    };
    let mut transport = TransportConfig::new();
    transport.device = Some("no-such-device".into());
    assert_eq!(refused(&transport), NetworkError::NoSuchDevice);
    let mut transport = TransportConfig::new();
    transport.max_retransmit_timeout = Some(Duration::from_millis(u32::MAX.into()));
    assert_eq!(refused(&transport), NetworkError::OptionRejected(TransportOption::MaxRetransmitTimeout));
    let datagrams = std::net::UdpSocket::bind(LOCAL).unwrap();
    let not_listening = TcpListener::from(std::os::fd::OwnedFd::from(datagrams));
    assert_eq!(from_listener(not_listening, &TransportConfig::new()).unwrap_err(), NetworkError::NotListening);
}

/// Each option either reaches the operating system, or is an error that names the option and the system.
#[test]
fn option_that_the_system_lacks_is_an_error_with_both_names() {
    use TransportOption as O;
    let linux = cfg!(any(target_os = "linux", target_os = "android"));
    let keepalive = keepalive_config;
    let second = Duration::from_secs(1);
    let config = |set: fn(&mut TransportConfig)| {
        let mut transport = TransportConfig::new();
        set(&mut transport);
        transport
    };
    let has_keepalive_times = !cfg!(target_os = "openbsd");
    let cases = [
        (O::Priority, linux, config(|transport| transport.priority = Some(1))),
        (
            O::MaxRetransmitTimeout,
            linux,
            config(|transport| transport.max_retransmit_timeout = Some(Duration::from_secs(9))),
        ),
        (O::Tos, !cfg!(windows), config(|transport| transport.tos = Some(0xb8))),
        (O::KeepaliveIdle, has_keepalive_times, keepalive(Keepalive::new().idle(50 * second).unwrap())),
        (O::KeepaliveInterval, has_keepalive_times, keepalive(Keepalive::new().interval(7 * second).unwrap())),
        (O::KeepaliveCount, has_keepalive_times, keepalive(Keepalive::new().count(3).unwrap())),
    ];
    for (option, exists, transport) in cases {
        let result = listen(LOCAL, &transport).map(drop);
        // Some versions of Windows have no count.
        let exists = exists && !(cfg!(windows) && option == O::KeepaliveCount && result.is_err());
        let expected = if exists { Ok(()) } else { Err(NetworkError::UnsupportedOption(option)) };
        assert_eq!(result, expected, "{option}");
    }
    if !linux {
        let device = config(|transport| transport.device = Some("lo".into()));
        assert_eq!(listen(LOCAL, &device).unwrap_err(), NetworkError::UnsupportedOption(O::BindToDevice));
    }
    let text = NetworkError::UnsupportedOption(O::Priority).to_string();
    let names_the_system = text.to_lowercase().contains(std::env::consts::OS) || text.contains("this system");
    assert!(text.contains("`priority`") && names_the_system, "{text}");
}

#[test]
fn keepalive_parameters_that_are_not_set_stay_those_of_the_system() {
    let plain = listen(LOCAL, &keepalive_config(Keepalive::new())).unwrap();
    let counted = listen(LOCAL, &keepalive_config(Keepalive::new().count(3).unwrap()));
    for listener in [Some(plain), counted.ok()].into_iter().flatten() {
        assert!(SockRef::from(&listener).keepalive().unwrap());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn sockets_are_bound_to_device() {
    let mut transport = TransportConfig::new();
    transport.device = Some("lo".into());
    let listener = listen(LOCAL, &transport).unwrap();
    let [dialled, _] = pair(&listener, &transport);
    for socket in [SockRef::from(&listener), SockRef::from(&dialled)] {
        assert_eq!(socket.device().unwrap().as_deref(), Some(b"lo".as_slice()));
    }
}

#[test]
fn reused_port_has_several_listeners_where_the_system_supports_it() {
    let mut transport = TransportConfig::new();
    transport.reuse_port = true;
    let supports = cfg!(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ));
    if !supports {
        assert_eq!(listen(LOCAL, &transport).unwrap_err(), NetworkError::UnsupportedOption(TransportOption::ReusePort));
        return;
    }
    let first = listen(LOCAL, &transport).unwrap();
    let at = first.local_addr().unwrap();
    let second = listen(at, &transport).unwrap();
    assert_eq!(second.local_addr().unwrap(), at);
    assert_eq!(listen(at, &TransportConfig::new()).unwrap_err(), NetworkError::AddressInUse);
    let other = listen(LOCAL, &TransportConfig::new()).unwrap().local_addr().unwrap();
    assert_ne!(other, at, "the system does not choose a port that is in use");
}

#[test]
fn source_port_is_used_and_reusable() {
    let transport = TransportConfig::new();
    let listener = listen(LOCAL, &transport).unwrap();
    listener.set_nonblocking(false).unwrap();
    let to = listener.local_addr().unwrap();
    let spare = TcpListener::bind(LOCAL).unwrap().local_addr().unwrap();
    for _ in 0..3 {
        let stream = connect(Route { from: Some(spare), to }, &transport).unwrap();
        let (other, from) = listener.accept().unwrap();
        assert_eq!(from, spare);
        // The end that closes first keeps its port in TIME_WAIT, so the accepted end closes first.
        drop(other);
        stream.set_nonblocking(false).unwrap();
        assert_eq!(io::Read::read(&mut &stream, &mut [0]).unwrap(), 0);
    }
}

#[test]
fn connect_to_itself_is_refused_and_frees_the_address() {
    for (at, to) in [("127.0.0.1:0", "127.0.0.1:0"), ("127.0.0.1:0", "0.0.0.0:0"), ("[::1]:0", "[::1]:0")] {
        let from = TcpListener::bind(at).unwrap().local_addr().unwrap();
        let to = SocketAddr::new(to.parse::<SocketAddr>().unwrap().ip(), from.port());
        let result = connect(Route { from: Some(from), to }, &TransportConfig::new());
        assert_eq!(result.unwrap_err(), NetworkError::Refused, "from {from} to {to}");
        TcpListener::bind(from).expect("the address is free at once");
    }
}

#[test]
fn dual_stack_listener_accepts_ipv4() {
    let mut transport = if cfg!(target_os = "linux") { all_options() } else { TransportConfig::new() };
    transport.dual_stack = true;
    let listener = listen("[::]:0".parse().unwrap(), &transport).unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(!SockRef::from(&listener).only_v6().unwrap());
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    listener.set_nonblocking(false).unwrap();
    let (other, from) = listener.accept().unwrap();
    accepted(&other, &transport);
    assert_eq!(from.ip().to_canonical(), Ipv4Addr::LOCALHOST);
    #[cfg(target_os = "linux")]
    assert_eq!(SockRef::from(&other).tos_v4().unwrap(), 0xb8, "its packets are IPv4 packets");
    drop(stream);
}
