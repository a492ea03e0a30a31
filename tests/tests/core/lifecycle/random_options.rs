//! Random options as text on live sockets of each pair of types, with the largest and smallest values.

use super::{PLACE, s};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::Any;
use sansmq_proto::socket::{SetOptionsError, SocketOption};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options, SocketType};
use sansmq_tests::{TracedNet, for_seeds};
use std::time::Duration;

/// Texts that are values of some options.
const TEXTS: &[&str] = &[
    "0",
    "1",
    "2",
    "7",
    "4096",
    "18446744073709551615",
    "none",
    "true",
    "false",
    "0s",
    "1ns",
    "1500us",
    "100ms",
    "60s",
    "18446744073709551615s",
    "0s 0s",
    "1ns 18446744073709551615s",
    "1ns 1ns 0s",
    "1s 1s 1s",
    "18446744073709551615s 18446744073709551615s 6553s",
    "1 1",
    "0 0",
    "none 1",
    "text",
    "hex:",
    "hex:00ff",
    "ü",
    "never",
    "disconnected error_received",
    "refused handshake_failed",
    "drop_oldest",
    "disconnect",
    "block",
    "idle=60s count=3",
    "off",
    "null",
    "X-a b",
    "X-a hex:ff",
    "proxy:1080",
    "proxy:1080 ann secret",
];

/// Options that hold back the peers of a test on purpose: a dial over a proxy waits for the answer of the proxy.
const HOLD_BACK: &[&str] = &["socks_proxy", "socks_proxy_as"];

fn below(dice: &mut SeededEntropy, end: usize) -> usize {
    usize::try_from(dice.below(end as u64)).unwrap()
}

fn present(net: &Net, node: NodeId) -> Options {
    net[node].options::<Any>().unwrap()
}

fn texts(options: &Options) -> Vec<String> {
    options.iter().map(|option| option.to_string()).collect()
}

#[test]
fn options_as_text_on_live_sockets_are_in_effect() {
    let every: Vec<SocketOption> = SocketOption::NAMES
        .iter()
        .filter(|name| !HOLD_BACK.contains(name))
        .flat_map(|name| TEXTS.iter().filter_map(|text| SocketOption::parse(name, text).ok()))
        .collect();
    for name in SocketOption::NAMES.iter().filter(|name| !HOLD_BACK.contains(name)) {
        let has_value = every.iter().any(|option| option.name() == *name);
        assert!(has_value || *name == "authenticator", "{name} has no value");
    }
    let pairs = SocketType::ALL.into_iter().flat_map(|one| one.peers().iter().map(move |&other| (one, other)));
    let pairs: Vec<_> = pairs.collect();
    for_seeds(2, |seed| {
        for &(one, other) in &pairs {
            let mut dice = SeededEntropy::new(seed);
            let mut net = TracedNet(Net::seeded(seed));
            let types = [one, other];
            let nodes = types.map(|socket_type| net.socket(Options::of(socket_type)));
            net.bind(nodes[0], PLACE);
            net.connect(nodes[1], PLACE);
            net.settle();
            for _ in 0..100 {
                let (socket, option) = (below(&mut dice, 2), every[below(&mut dice, every.len())].clone());
                let node = nodes[socket];
                let before = present(&net, node);
                let result = net[node].set_option(option.clone());
                let expected = match before.clone().set(option.clone()) {
                    Ok(options) if !matches!(result, Err(SetOptionsError::InUse(_))) => options,
                    Ok(_) | Err(_) => before,
                };
                assert_eq!(texts(&present(&net, node)), texts(&expected), "{}: {option}", types[socket]);
                for node in nodes {
                    for first in ["", "group", "\u{1}a"] {
                        let _ = net[node].send(Message::from([first, "body"]));
                        let _ = net[node].send(first);
                    }
                    while below(&mut dice, 4) > 0 && net[node].recv().is_ok() {}
                }
                if below(&mut dice, 8) == 0 {
                    net.reset_connections(nodes[1]);
                }
                let wait = [Duration::ZERO, Duration::from_micros(1), Duration::from_millis(200)][below(&mut dice, 3)];
                net.advance(wait);
            }
            // The options that are fixed after the first endpoint still have their defaults.
            for (node, socket_type) in nodes.into_iter().zip(types) {
                net[node].set_options(Options::of(socket_type)).unwrap();
                assert_eq!(texts(&present(&net, node)), texts(&Options::of(socket_type)));
            }
            net.reset_connections(nodes[0]);
            net.advance(s(60));
            // A dial may have ended for good.
            if net[nodes[1]].stats().ready_peers == 0 {
                net.connect(nodes[1], PLACE);
            }
            net.advance(s(60));
            assert!(
                nodes.iter().all(|&node| net[node].stats().ready_peers > 0),
                "{one} and {other} have no connection"
            );
        }
    });
}
