//! A SOCKS5 proxy between two sockets.

use super::{connected, push};
use sansmq_proto::kind::Stream;
use sansmq_proto::socket::OptionsError;
use sansmq_proto::testing::Net;
use sansmq_proto::{Action, Endpoint, Instant, Message, Options};
use sansmq_tests::recv_all;

#[test]
fn who_dials_through_a_proxy_is_put_through_by_it() {
    let mut net = Net::seeded(1).chunks(1..=3);
    // A STREAM plays the proxy, and then the peer behind it.
    let proxy = net.socket(Options::<Stream>::new().notify(false));
    net.bind(proxy, "tcp://proxy:1080");
    let push = connected(&mut net, push().socks_proxy("proxy:1080").unwrap());
    net[push].send("through").unwrap();
    let mut said = Vec::new();
    for answer in [&[5, 0][..], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]] {
        let heard = recv_all(&mut net, proxy);
        let id = heard[0].head().clone();
        said.push(heard.iter().flat_map(|message| message.body().to_vec()).collect::<Vec<u8>>());
        net[proxy].send(Message::from([id, answer.into()])).unwrap();
    }
    assert_eq!(said, [&[5, 1, 0][..], b"\x05\x01\0\x03\x05place\0\x01"]);
    let greeting = recv_all(&mut net, proxy);
    let greeting: Vec<_> = greeting.iter().flat_map(|message| message.body().to_vec()).collect();
    assert_eq!(greeting, b"\xff\0\0\0\0\0\0\0\x01\x7f", "now it greets");
}

#[test]
fn only_tcp_goes_through_a_proxy() {
    let (tcp, ipc) = ("tcp://place:1".parse::<Endpoint>().unwrap(), "ipc:///place".parse::<Endpoint>().unwrap());
    let options = push().socks_proxy_as("proxy:1080", "user", "password").unwrap();
    let mut socket = sansmq_proto::Socket::new(options, sansmq_proto::entropy::SeededEntropy::new(1));
    let from: Endpoint = "tcp://127.0.0.1:7;place:1".parse().unwrap();
    for (endpoint, dialled) in [
        (tcp, "tcp://proxy:1080".parse().unwrap()),
        (from, "tcp://127.0.0.1:7;proxy:1080".parse().unwrap()),
        (ipc.clone(), ipc),
    ] {
        let pipe = socket.connect(endpoint, Instant::ORIGIN).unwrap();
        let actions: Vec<_> = core::iter::from_fn(|| socket.poll_action()).collect();
        assert!(actions.contains(&Action::Dial(pipe, dialled)));
    }
}

#[test]
fn what_is_no_proxy_is_refused() {
    for proxy in ["proxy", "proxy:0", "*:1080", "tcp://proxy:1080"] {
        assert_eq!(push().socks_proxy(proxy).unwrap_err(), OptionsError::Proxy(proxy.into()));
    }
    for (user, password) in [("", "x"), ("x", ""), ("x", &"x".repeat(256))] {
        assert_eq!(push().socks_proxy_as("proxy:1", user, password).unwrap_err(), OptionsError::ProxyUser);
    }
}
