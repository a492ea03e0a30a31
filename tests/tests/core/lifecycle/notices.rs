//! What is said when connections come and go: hello, disconnect and hiccup messages, and a ROUTER's notices.

use super::{PLACE, bound, close, connected, s};
use sansmq_proto::kind::{Client, Dealer, Peer, Router, Server};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options};
use sansmq_tests::{bodies, recv_all};

/// A ROUTER at [`PLACE`], and a DEALER called `d` that is connected to it.
fn couple(router: Options<Router>, dealer: Options<Dealer>) -> (Net, NodeId, NodeId) {
    let mut net = Net::seeded(1).chunks(1..=9);
    let router = bound(&mut net, router);
    let dealer = connected(&mut net, dealer.routing_id("d").unwrap());
    (net, router, dealer)
}

fn from_d(body: &str) -> Message {
    Message::from(["d", body])
}

#[test]
fn a_hello_message_comes_first_on_every_connection_to_either_side() {
    let (mut net, router, dealer) =
        couple(Options::new().hello_message("welcome"), Options::new().hello_message("hello"));
    net[dealer].send("queued before").unwrap();
    for _ in 0..2 {
        assert_eq!(recv_all(&mut net, router)[0], from_d("hello"));
        assert_eq!(bodies(&recv_all(&mut net, dealer)), ["welcome"]);
        net.cut(dealer);
        net.pass(s(10));
    }
}

#[test]
fn a_disconnect_message_is_received_from_a_peer_that_is_gone_after_what_it_sent() {
    let (mut net, router, dealer) = couple(Options::new().disconnect_message("gone"), Options::new());
    net[dealer].send("last words").unwrap();
    net.settle();
    close(&mut net, dealer);
    net.pass(s(2));
    assert_eq!(recv_all(&mut net, router), [from_d("last words"), from_d("gone")]);
}

#[test]
fn no_disconnect_message_is_received_from_a_peer_that_we_disconnect() {
    let mut net = Net::seeded(1);
    let server = bound(&mut net, Options::<Server>::new().disconnect_message("gone"));
    let clients = [(); 2].map(|()| {
        let client = connected(&mut net, Options::<Client>::new().no_reconnect());
        net[client].send("here").unwrap();
        net.settle();
        client
    });
    let ids: Vec<_> = recv_all(&mut net, server).iter().map(|message| message.head().clone()).collect();
    let now = net.now();
    net[server].disconnect_peer(ids[0].clone(), now).unwrap();
    net.pass(s(2));
    assert_eq!(recv_all(&mut net, server), []);
    close(&mut net, clients[1]);
    net.pass(s(2));
    assert_eq!(recv_all(&mut net, server), [Message::from([ids[1].clone(), "gone".into()])]);
}

#[test]
fn a_hiccup_message_is_received_when_a_connection_is_lost_that_is_dialled_again() {
    let (mut net, _, dealer) = couple(Options::new(), Options::new().hiccup_message("hiccup"));
    net.settle();
    for _ in 0..2 {
        net.cut(dealer);
        net.settle();
        assert_eq!(bodies(&recv_all(&mut net, dealer)), ["hiccup"]);
        net.pass(s(10));
    }
}

#[test]
fn no_hiccup_message_is_received_when_it_is_not_dialled_again() {
    let (mut net, _, dealer) = couple(Options::new(), Options::new().hiccup_message("hiccup").no_reconnect());
    net.settle();
    net.cut(dealer);
    net.settle();
    assert_eq!(bodies(&recv_all(&mut net, dealer)), Vec::<String>::new());
}

#[test]
fn a_peer_hears_of_each_end_by_the_number_of_that_peer() {
    let mut net = Net::seeded(1);
    let options = || Options::<Peer>::new().disconnect_message("gone").hiccup_message("hiccup");
    let bound = bound(&mut net, options());
    let dialling = net.socket(options());
    let now = net.now();
    let (_, number) = net[dialling].connect_peer(PLACE.parse().unwrap(), now).unwrap();
    net.settle();
    net.cut(bound);
    net.settle();
    assert_eq!(recv_all(&mut net, dialling), [Message::from([number, "hiccup".into()])]);
    assert_eq!(bodies(&recv_all(&mut net, bound)), ["gone"]);
}

#[test]
fn a_router_is_told_of_peers_that_come_and_go_if_it_asks_and_of_each_by_itself() {
    for (connects, disconnects) in [(true, true), (true, false), (false, true), (false, false)] {
        let options = Options::new().notify_connect(connects).notify_disconnect(disconnects);
        let (mut net, router, dealer) = couple(options, Options::new());
        net[dealer].send("word").unwrap();
        net.settle();
        close(&mut net, dealer);
        net.pass(s(2));
        let notice = |wanted: bool| wanted.then(|| from_d(""));
        let expected: Vec<_> =
            notice(connects).into_iter().chain([from_d("word")]).chain(notice(disconnects)).collect();
        assert_eq!(recv_all(&mut net, router), expected);
    }
}

#[test]
fn notices_come_beyond_the_mark() {
    let (mut net, router, dealer) =
        couple(Options::new().notify_disconnect(true).disconnect_message("gone").recv_hwm(1), Options::new());
    net[dealer].send("word").unwrap();
    net.settle();
    net.cut(dealer);
    net.settle();
    assert_eq!(recv_all(&mut net, router)[..3], [from_d("word"), from_d("gone"), from_d("")]);
}

#[test]
fn a_router_hears_nothing_of_a_peer_whose_handshake_failed() {
    let mut net = Net::seeded(1);
    let router = bound(&mut net, Options::<Router>::new().notify_connect(true).notify_disconnect(true));
    connected(&mut net, Options::<Server>::new());
    net.pass(s(10));
    assert_eq!(recv_all(&mut net, router), []);
}
