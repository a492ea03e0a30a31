//! Messages that a connect or a disconnect causes: hello, disconnect and hiccup messages, and the messages by which a
//! ROUTER notifies its application.

use super::{PLACE, bound, close, connected, s};
use sansmq_proto::kind::{Client, Dealer, Peer, Router, Server};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options};
use sansmq_tests::{bodies, recv_all};

/// Creates a ROUTER at [`PLACE`], and a connected DEALER with the routing id `d`.
fn router_and_dealer(router: Options<Router>, dealer: Options<Dealer>) -> (Net, NodeId, NodeId) {
    let mut net = Net::seeded(1).chunks(1..=9);
    let router = bound(&mut net, router);
    let dealer = connected(&mut net, dealer.routing_id("d").unwrap());
    (net, router, dealer)
}

/// Returns the message that a ROUTER receives when the DEALER `d` sends `body`.
fn from_d(body: &str) -> Message {
    Message::from(["d", body])
}

#[test]
fn hello_message_is_first_on_every_connection() {
    let (mut net, router, dealer) =
        router_and_dealer(Options::new().hello_message("welcome"), Options::new().hello_message("hello"));
    net[dealer].send("queued before").unwrap();
    for _ in 0..2 {
        assert_eq!(recv_all(&mut net, router)[0], from_d("hello"));
        assert_eq!(bodies(&recv_all(&mut net, dealer)), ["welcome"]);
        net.reset_connections(dealer);
        net.advance(s(10));
    }
}

#[test]
fn disconnect_message_follows_the_last_message_of_the_peer() {
    let (mut net, router, dealer) = router_and_dealer(Options::new().disconnect_message("gone"), Options::new());
    net[dealer].send("last message").unwrap();
    net.settle();
    close(&mut net, dealer);
    net.advance(s(2));
    assert_eq!(recv_all(&mut net, router), [from_d("last message"), from_d("gone")]);
}

#[test]
fn disconnect_message_is_not_received_on_local_disconnect() {
    let mut net = Net::seeded(1);
    let server = bound(&mut net, Options::<Server>::new().disconnect_message("gone"));
    let clients = [(); 2].map(|()| {
        let client = connected(&mut net, Options::<Client>::new().no_reconnect());
        net[client].send("hello").unwrap();
        net.settle();
        client
    });
    let ids: Vec<_> = recv_all(&mut net, server).iter().map(|message| message.head().clone()).collect();
    let now = net.now();
    net[server].disconnect_peer(ids[0].clone(), now).unwrap();
    net.advance(s(2));
    assert_eq!(recv_all(&mut net, server), []);
    close(&mut net, clients[1]);
    net.advance(s(2));
    assert_eq!(recv_all(&mut net, server), [Message::from([ids[1].clone(), "gone".into()])]);
}

#[test]
fn hiccup_message_is_received_before_a_reconnect() {
    let (mut net, _, dealer) = router_and_dealer(Options::new(), Options::new().hiccup_message("hiccup"));
    net.settle();
    for _ in 0..2 {
        net.reset_connections(dealer);
        net.settle();
        assert_eq!(bodies(&recv_all(&mut net, dealer)), ["hiccup"]);
        net.advance(s(10));
    }
}

#[test]
fn hiccup_message_is_not_received_without_reconnect() {
    let (mut net, _, dealer) =
        router_and_dealer(Options::new(), Options::new().hiccup_message("hiccup").no_reconnect());
    net.settle();
    net.reset_connections(dealer);
    net.settle();
    assert_eq!(bodies(&recv_all(&mut net, dealer)), Vec::<String>::new());
}

#[test]
fn peer_notices_carry_the_routing_id_of_the_lost_peer() {
    let mut net = Net::seeded(1);
    let options = || Options::<Peer>::new().disconnect_message("gone").hiccup_message("hiccup");
    let bound = bound(&mut net, options());
    let dialling = net.socket(options());
    let now = net.now();
    let (_, id) = net[dialling].connect_peer(PLACE.parse().unwrap(), now).unwrap();
    net.settle();
    net.reset_connections(bound);
    net.settle();
    assert_eq!(recv_all(&mut net, dialling), [Message::from([id, "hiccup".into()])]);
    assert_eq!(bodies(&recv_all(&mut net, bound)), ["gone"]);
}

#[test]
fn router_notices_are_enabled_separately() {
    for (connects, disconnects) in [(true, true), (true, false), (false, true), (false, false)] {
        let options = Options::new().notify_connect(connects).notify_disconnect(disconnects);
        let (mut net, router, dealer) = router_and_dealer(options, Options::new());
        net[dealer].send("message").unwrap();
        net.settle();
        close(&mut net, dealer);
        net.advance(s(2));
        let notice = |enabled: bool| enabled.then(|| from_d(""));
        let expected: Vec<_> =
            notice(connects).into_iter().chain([from_d("message")]).chain(notice(disconnects)).collect();
        assert_eq!(recv_all(&mut net, router), expected);
    }
}

#[test]
fn notices_ignore_the_receive_hwm() {
    let (mut net, router, dealer) = router_and_dealer(
        Options::new().notify_disconnect(true).disconnect_message("gone").recv_hwm(1),
        Options::new(),
    );
    net[dealer].send("message").unwrap();
    net.settle();
    net.reset_connections(dealer);
    net.settle();
    assert_eq!(recv_all(&mut net, router)[..3], [from_d("message"), from_d("gone"), from_d("")]);
}

#[test]
fn failed_handshake_causes_no_router_notice() {
    let mut net = Net::seeded(1);
    let router = bound(&mut net, Options::<Router>::new().notify_connect(true).notify_disconnect(true));
    connected(&mut net, Options::<Server>::new());
    net.advance(s(10));
    assert_eq!(recv_all(&mut net, router), []);
}
