//! Connections of sockets through a SOCKS5 proxy.

use super::{connected, push};
use sansmq_proto::kind::Stream;
use sansmq_proto::socket::OptionsError;
use sansmq_proto::testing::Net;
use sansmq_proto::{Action, Endpoint, Instant, Message, Options};
use sansmq_tests::recv_all;

#[test]
fn connect_through_a_socks_proxy_reaches_the_peer() {
    let mut net = Net::seeded(1).chunks(1..=3);
    // A STREAM socket acts as the proxy, and then as the peer behind the proxy.
    let proxy = net.socket(Options::<Stream>::new().notify(false));
    net.bind(proxy, "tcp://proxy:1080");
    let push = connected(&mut net, push().socks_proxy("proxy:1080").unwrap());
    net[push].send("message").unwrap();
    let mut requests = Vec::new();
    for reply in [&[5, 0][..], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]] {
        let received = recv_all(&mut net, proxy);
        let id = received[0].head().clone();
        requests.push(received.iter().flat_map(|message| message.body().to_vec()).collect::<Vec<u8>>());
        net[proxy].send(Message::from([id, reply.into()])).unwrap();
    }
    assert_eq!(requests, [&[5, 1, 0][..], b"\x05\x01\0\x03\x05place\0\x01"]);
    let greeting = recv_all(&mut net, proxy);
    let greeting: Vec<_> = greeting.iter().flat_map(|message| message.body().to_vec()).collect();
    assert_eq!(greeting, b"\xff\0\0\0\0\0\0\0\x01\x7f", "the ZMTP greeting follows the SOCKS handshake");
}

#[test]
fn only_tcp_uses_the_socks_proxy() {
    let (tcp, ipc) = ("tcp://place:1".parse::<Endpoint>().unwrap(), "ipc:///place".parse::<Endpoint>().unwrap());
    let options = push().socks_proxy_as("proxy:1080", "user", "password").unwrap();
    let mut socket = sansmq_proto::Socket::new(options, sansmq_proto::entropy::SeededEntropy::new(1));
    let with_source: Endpoint = "tcp://127.0.0.1:7;place:1".parse().unwrap();
    for (endpoint, dialled) in [
        (tcp, "tcp://proxy:1080".parse().unwrap()),
        (with_source, "tcp://127.0.0.1:7;proxy:1080".parse().unwrap()),
        (ipc.clone(), ipc),
    ] {
        let pipe = socket.connect(endpoint, Instant::ORIGIN).unwrap();
        let actions: Vec<_> = core::iter::from_fn(|| socket.poll_action()).collect();
        assert!(actions.contains(&Action::Dial(pipe, dialled)));
    }
}

#[test]
fn invalid_socks_proxy_is_rejected() {
    for proxy in ["proxy", "proxy:0", "*:1080", "tcp://proxy:1080"] {
        assert_eq!(push().socks_proxy(proxy).unwrap_err(), OptionsError::Proxy(proxy.into()));
    }
    for (user, password) in [("", "x"), (&"x".repeat(256), ""), ("x", &"x".repeat(256))] {
        assert_eq!(push().socks_proxy_as("proxy:1", user, password).unwrap_err(), OptionsError::ProxyUser);
    }
    assert!(push().socks_proxy_as("proxy:1", "x", "").is_ok(), "as libzmq, which sends an empty password");
}
