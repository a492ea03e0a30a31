//! Tests of the behaviour of the draft socket types CLIENT, SERVER, SCATTER, GATHER, CHANNEL and PEER.

use super::pipeline::{assert_fair_queued, assert_round_robin};
use super::{PLACE, fan, message, net, star};
use core::time::Duration;
use sansmq_proto::connection::{ConnectionConfig, Link};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Any, Channel, Client, Dealer, Gather, Peer, Router, Scatter, Server};
use sansmq_proto::socket::{ConnectError, DropReason, UnbindError};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{
    Action, Buf, Connection, Endpoint, Event, Frame, Instant, Message, Options, RecvError, SendError, Socket,
    SocketType, SystemEntropy,
};
use sansmq_tests::{bodies, dropped, endings, events, for_seeds, recv_all};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Each draft socket type, with the socket type of its peers.
const PEER_TYPES: [(SocketType, SocketType); 6] = [
    (SocketType::Client, SocketType::Server),
    (SocketType::Server, SocketType::Client),
    (SocketType::Scatter, SocketType::Gather),
    (SocketType::Gather, SocketType::Scatter),
    (SocketType::Channel, SocketType::Channel),
    (SocketType::Peer, SocketType::Peer),
];

fn server() -> Options<Server> {
    Options::new()
}

fn client() -> Options<Client> {
    Options::new()
}

fn peer() -> Options<Peer> {
    Options::new()
}

fn channel() -> Options<Channel> {
    Options::new()
}

/// Sends a message from the socket `node` to the socket `to`. Returns the routing id of `node`, which is the first
/// frame of the message that `to` receives.
fn routing_id_of(net: &mut Net, node: NodeId, to: NodeId) -> Frame {
    net[node].send("hello").unwrap();
    net.settle();
    net[to].recv().expect("a message was just sent").head().clone()
}

#[test]
fn server_replies_to_each_client_by_routing_id() {
    let mut net = net();
    let (server, clients) = star(&mut net, server(), [client(), client(), client()]);
    for (name, node) in ["a", "b", "c"].into_iter().zip(clients) {
        net[node].send(name).unwrap();
    }
    let requests = recv_all(&mut net, server);
    assert_eq!(requests.len(), 3);
    for request in requests.into_iter().rev() {
        let [id, body] = request.into_array().expect("a routing id and the body");
        assert_eq!(id.len(), 4);
        net[server].send((id, format!("for {}", body.to_text()))).unwrap();
    }
    let received = clients.map(|node| recv_all(&mut net, node));
    assert_eq!(received, ["for a", "for b", "for c"].map(|answer| vec![Message::from(answer)]));
}

#[test]
fn routing_ids_start_at_random_and_are_not_reused() {
    let mut first = BTreeSet::new();
    for seed in 0..20 {
        let mut net = Net::seeded(seed);
        let (server, clients) = star(&mut net, server(), [(); 5].map(|()| client().no_reconnect()));
        let mut ids: BTreeSet<_> = clients.into_iter().map(|node| routing_id_of(&mut net, node, server)).collect();
        first.extend(ids.first().cloned());
        for node in clients {
            net.reset_connections(node);
        }
        for _ in 0..5 {
            let node = net.socket(client());
            net.connect(node, PLACE);
            let id = routing_id_of(&mut net, node, server);
            assert!(ids.insert(id), "the routing id of a lost peer was reused");
        }
    }
    assert_eq!(first.len(), 20);
}

#[test]
fn server_returns_a_message_to_an_unknown_peer() {
    let mut net = net();
    let (server, [client]) = star(&mut net, server(), [client().no_reconnect()]);
    let id = routing_id_of(&mut net, client, server);
    let [mut other, mut longer] = [id.to_vec(), id.to_vec()];
    other[3] ^= 1;
    longer.push(0);
    for unknown in [other, longer, id[..3].to_vec(), vec![], vec![0; 4]] {
        let Err(SendError::Unroutable(returned)) = net[server].send((unknown.clone(), "x")) else {
            panic!("no peer has the routing id {unknown:?}");
        };
        assert_eq!(returned, Message::from((unknown, "x")));
    }
    let Err(SendError::Unaddressed(returned)) = net[server].send(&id) else {
        panic!("a message without a body must be rejected")
    };
    assert_eq!(returned, Message::from(&id));

    net[server].send((&id, "x")).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, client)), ["x"]);
    net.reset_connections(client);
    net.settle();
    assert!(matches!(net[server].send((&id, "x")), Err(SendError::Unroutable(_))), "the peer is disconnected");
}

#[test]
fn slow_client_blocks_only_its_own_replies() {
    let mut net = net().capacity(2000).chunks(1..=900);
    let (server, [slow, fast]) = star(&mut net, server().send_hwm(3), [client().recv_hwm(1), client()]);
    let [slow_id, fast_id] = [slow, fast].map(|node| routing_id_of(&mut net, node, server));
    let mut sent = 0;
    while let Ok(()) = net[server].send((&slow_id, vec![1; 5000])) {
        net.settle();
        sent += 1;
        assert!(sent < 100, "the high-water mark is never reached");
    }
    let Err(SendError::Full(returned)) = net[server].send((&slow_id, "too many")) else {
        panic!("the queue must be full")
    };
    assert_eq!(returned, Message::from((&slow_id, "too many")));
    net[server].send((&fast_id, "x")).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, fast)), ["x"]);
    assert_eq!(recv_all(&mut net, slow).len(), sent);
    net[server].send((&slow_id, "room again")).unwrap();
}

#[test]
fn writable_is_emitted_when_a_peer_has_room_or_is_gone() {
    for options in [server().send_hwm(1).erase(), peer().send_hwm(1).erase()] {
        let peer_type = options.socket_type().peers()[0];
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        let endpoint: Endpoint = PLACE.parse().unwrap();
        let pipe = socket.connect(endpoint.clone(), Instant::ORIGIN).unwrap();
        let id = socket.peer_stats().next().unwrap().routing_id;
        let mut link = socket.connected(pipe, Instant::ORIGIN).unwrap();
        complete_handshake(&mut link, peer_type);
        socket.send((&id, "one")).unwrap();
        assert!(matches!(socket.send((&id, "two")), Err(SendError::Full(_))));
        takes_writable(&mut socket);
        socket.exchange(pipe, &mut link).unwrap();
        assert!(takes_writable(&mut socket));

        socket.send((&id, "two")).unwrap();
        assert!(matches!(socket.send((&id, "three")), Err(SendError::Full(_))));
        takes_writable(&mut socket);
        socket.disconnect(&endpoint, Instant::ORIGIN).unwrap();
        assert!(takes_writable(&mut socket));
        assert!(matches!(socket.send((&id, "three")), Err(SendError::Unroutable(_))));
    }
}

/// Takes all queued actions of the socket. Returns `true` if one of them is [`Action::Writable`].
fn takes_writable(socket: &mut Socket) -> bool {
    core::iter::from_fn(|| socket.poll_action()).any(|action| action == Action::Writable)
}

#[test]
fn multipart_send_is_returned_by_every_type() {
    let multipart = message(["a", "", "c"]);
    let options: [Options<Any>; 3] = [client().erase(), Options::<Scatter>::new().erase(), channel().erase()];
    for options in options {
        let mut net = net();
        let peer_type = Options::of(options.socket_type().peers()[0]);
        let (one, [other]) = star(&mut net, options, [peer_type]);
        let Err(SendError::SingleFrame(returned)) = net[one].send(multipart.clone()) else {
            panic!("a message of three frames must be rejected")
        };
        assert_eq!(returned, multipart);
        net[one].send("one").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, other)), ["one"]);
    }
    let now = Instant::ORIGIN;
    for options in [server().erase(), peer().erase()] {
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        socket.connect(PLACE.parse().unwrap(), now).unwrap();
        let id = socket.peer_stats().next().unwrap().routing_id;
        let multipart = Message::from((&id, "a", "b"));
        let Err(SendError::SingleFrame(returned)) = socket.send(multipart.clone()) else {
            panic!("two frames after the routing id must be rejected")
        };
        assert_eq!(returned, multipart);
        socket.send((&id, "a")).unwrap();
    }
}

#[test]
fn received_multipart_is_dropped_without_disconnect() {
    for (socket_type, peer_type) in PEER_TYPES {
        let mut socket = Socket::new(Options::of(socket_type), SeededEntropy::new(1));
        socket.monitor(true);
        let pipe = socket.connect(PLACE.parse().unwrap(), Instant::ORIGIN).unwrap();
        let mut link = socket.connected(pipe, Instant::ORIGIN).unwrap();
        let mut raw_peer = complete_handshake(&mut link, peer_type);
        for sent in [message(["before"]), message(["a", "b"]), message(["", "", ""]), message(["after"])] {
            raw_peer.give(sent.into());
        }
        let output = raw_peer.poll_transmit().unwrap();
        link.handle_input(&output.copy_to_bytes(output.remaining()), Instant::ORIGIN).unwrap();
        socket.exchange(pipe, &mut link).unwrap();

        let received: Vec<_> = core::iter::from_fn(|| socket.recv().ok()).collect();
        let expected: &[&str] = if socket_type == SocketType::Scatter { &[] } else { &["before", "after"] };
        assert_eq!(bodies(&received), expected, "{socket_type}");
        let events: Vec<_> = core::iter::from_fn(|| socket.poll_event()).collect();
        assert_eq!(dropped(&events, DropReason::Multipart), 2, "{socket_type}");
        assert_eq!(endings(&events).len(), 0, "{socket_type}");
    }
}

/// Creates a connection of a socket of the type `peer_type`, and completes its handshake with the connection `link`.
/// Returns the created connection.
fn complete_handshake(link: &mut Connection, peer_type: SocketType) -> Connection {
    let now = Instant::ORIGIN;
    let mut peer = Connection::new(&Arc::new(ConnectionConfig::new(peer_type)), &mut SystemEntropy, now);
    for _ in 0..2 {
        if let Some(out) = link.poll_transmit() {
            peer.handle_input(&out.copy_to_bytes(out.remaining()), now).unwrap();
        }
        if let Some(out) = peer.poll_transmit() {
            link.handle_input(&out.copy_to_bytes(out.remaining()), now).unwrap();
        }
    }
    assert!(link.peer().is_some() && peer.peer().is_some(), "the handshake is not complete");
    peer
}

#[test]
fn client_and_scatter_send_round_robin() {
    let mut net = net();
    let (client, servers) = fan(&mut net, client(), [server(), server(), server()]);
    assert_round_robin(&mut net, client, servers);
    let mut net = super::net();
    let gathers = [(); 3].map(|()| Options::<Gather>::new());
    let (scatter, gathers) = fan(&mut net, Options::<Scatter>::new(), gathers);
    assert_round_robin(&mut net, scatter, gathers);
}

#[test]
fn server_gather_and_client_receive_fair_queued() {
    let mut net = net();
    let (server, clients) = star(&mut net, server(), [client(), client(), client()]);
    assert_fair_queued(&mut net, server, clients);
    let mut net = super::net();
    let scatters = [(); 3].map(|()| Options::<Scatter>::new());
    let (gather, scatters) = star(&mut net, Options::<Gather>::new(), scatters);
    assert_fair_queued(&mut net, gather, scatters);

    let mut net = super::net();
    let (client, servers) = fan(&mut net, Options::<Client>::new(), [(); 3].map(|()| Options::<Server>::new()));
    for node in servers {
        net[client].send("request").unwrap();
        net.settle();
        let id = net[node].recv().unwrap().head().clone();
        for _ in 0..2 {
            net[node].send((&id, format!("{node:?}"))).unwrap();
        }
        net.settle();
    }
    let received = bodies(&recv_all(&mut net, client));
    assert_eq!((received.len(), &received[..3]), (6, &received[3..]), "the second round has the order of the first");
    assert_eq!(received.iter().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn client_can_send_again_after_its_server_reads() {
    let mut net = net().capacity(2000).chunks(1..=900);
    let (server, [client]) = star(&mut net, server().recv_hwm(1), [client().send_hwm(3)]);
    let mut sent = 0;
    while let Ok(()) = net[client].send(vec![1; 5000]) {
        net.settle();
        sent += 1;
        assert!(sent < 100, "the high-water mark is never reached");
    }
    assert!(!net[client].can_send());
    assert_eq!(recv_all(&mut net, server).len(), sent);
    net[client].send("room again").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, server)), ["room again"]);
}

#[test]
fn send_without_a_peer_is_full() {
    for options in [client().erase(), Options::<Scatter>::new().erase(), channel().erase()] {
        let mut net = net();
        let node = net.socket(options);
        assert!(!net[node].can_send());
        let Err(SendError::Full(returned)) = net[node].send("x") else { panic!("a send without a peer must fail") };
        assert_eq!(returned, message(["x"]));
    }
}

#[test]
fn unsupported_operation_names_the_draft_socket_type() {
    let mut net = net();
    let (gather, [scatter]) = star(&mut net, Options::<Gather>::new(), [Options::<Scatter>::new()]);
    assert_eq!(net[scatter].recv(), Err(RecvError::Unsupported(SocketType::Scatter)));
    assert!(matches!(net[gather].send("x"), Err(SendError::Unsupported(_, SocketType::Gather))));
}

#[test]
fn channel_accepts_a_second_peer_after_the_first_left() {
    for_seeds(20, |seed| {
        let mut net = Net::seeded(seed).latency(Duration::ZERO..=Duration::from_millis(20));
        let (bound, [first]) = star(&mut net, channel(), [channel().no_reconnect()]);
        let second = net.socket(channel());
        net.connect(second, PLACE);
        net[second].send("dropped").unwrap();
        net.settle();
        assert_eq!(net[bound].recv(), Err(RecvError::Empty));
        let reason = "a PAIR or CHANNEL socket accepts one peer only, and already has a peer";
        assert_eq!(endings(&events(&mut net, bound)), [reason]);
        net[first].send("to bound").unwrap();
        net[bound].send("to first").unwrap();
        assert_eq!(recv_all(&mut net, bound), [message(["to bound"])]);
        assert_eq!(recv_all(&mut net, first), [message(["to first"])]);
        let now = net.now();
        assert_eq!(net[first].connect("tcp://other:1".parse().unwrap(), now), Err(ConnectError::PairInUse));

        net.reset_connections(first);
        net.advance(Duration::from_secs(10));
        net[bound].send("welcome").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, second)), ["welcome"]);
    });
}

#[test]
fn connect_peer_id_is_valid_before_and_after_connecting() {
    let mut net = net();
    let dialler = net.socket(peer());
    let now = net.now();
    let (_, id) = net[dialler].connect_peer(PLACE.parse().unwrap(), now).unwrap();
    let (_, other) = net[dialler].connect_peer("tcp://nowhere:1".parse().unwrap(), now).unwrap();
    assert_eq!((id.len(), id == other), (4, false));
    net[dialler].send((&id, "early")).unwrap();
    let bound = net.socket(peer());
    net.bind(bound, PLACE);
    net.advance(Duration::from_secs(1));
    let [own_id, body] = net[bound].recv().unwrap().into_array().unwrap();
    assert_eq!(body, "early");
    net[bound].send((&own_id, "hello")).unwrap();
    assert_eq!(recv_all(&mut net, dialler), [Message::from((&id, "hello"))]);

    net.reset_connections(dialler);
    net.advance(Duration::from_secs(1));
    net[dialler].send((&id, "again")).unwrap();
    let received = recv_all(&mut net, bound);
    assert_eq!(
        (bodies(&received), received[0].head() == &own_id),
        (vec!["again".to_owned()], false),
        "the bound PEER assigns a new routing id to each connection"
    );
}

#[test]
fn monitor_events_carry_the_routing_id() {
    let mut net = net();
    let (server, [client]) = star(&mut net, server(), [client().no_reconnect()]);
    let id = routing_id_of(&mut net, client, server);
    let now = net.now();
    net[server].disconnect_peer(&id, now).unwrap();
    net.settle();
    let ids: Vec<_> = events(&mut net, server)
        .into_iter()
        .filter_map(|event| match event {
            Event::Ready { routing_id, .. } | Event::Disconnected { routing_id, .. } => Some(routing_id),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [id.clone(), id]);
}

#[test]
fn disconnect_peer_sends_queued_messages_and_closes() {
    let mut net = net();
    let (server, [gone, stays]) = star(&mut net, server(), [client().no_reconnect(), client()]);
    let [id, other] = [gone, stays].map(|node| routing_id_of(&mut net, node, server));
    let now = net.now();
    net[gone].send("not received").unwrap();
    net.settle();
    net[server].send((&id, "goodbye")).unwrap();
    net[server].disconnect_peer(&id, now).unwrap();
    assert!(matches!(net[server].send((&id, "x")), Err(SendError::Unroutable(_))), "the routing id is invalid at once");
    assert_eq!(net[server].disconnect_peer(&id, now), Err(UnbindError::UnknownPeer(id)));
    assert_eq!(bodies(&recv_all(&mut net, gone)), ["goodbye"]);
    assert_eq!((net.connections(gone), net[gone].peers(), net[server].peers()), (0, 0, 1));
    assert_eq!(net[server].recv(), Err(RecvError::Empty));
    net[server].send((&other, "still here")).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, stays)), ["still here"]);
}

#[test]
fn disconnected_client_reconnects_with_a_new_routing_id() {
    let mut net = net();
    let (server, [client]) = star(&mut net, server(), [client()]);
    let id = routing_id_of(&mut net, client, server);
    let now = net.now();
    net[server].disconnect_peer(&id, now).unwrap();
    net.advance(Duration::from_secs(10));
    assert_eq!(net.connections(server), 1);
    assert_ne!(routing_id_of(&mut net, client, server), id);
}

#[test]
fn disconnect_peer_prevents_a_redial() {
    let mut net = net();
    let (bound, dialler) = (net.socket(peer()), net.socket(peer()));
    let now = net.now();
    let (_, id) = net[dialler].connect_peer(PLACE.parse().unwrap(), now).unwrap();
    net.bind(bound, PLACE);
    net.advance(Duration::from_secs(1));
    assert_eq!((net.connections(dialler), net.connections(bound)), (1, 1));
    net[dialler].disconnect_peer(&id, now).unwrap();
    net.advance(Duration::from_secs(20));
    assert_eq!((net.connections(dialler), net.connections(bound), net[dialler].peers()), (0, 0, 0));
}

#[test]
fn only_server_and_peer_assign_routing_ids() {
    let mut net = net();
    let (router, [dealer]) =
        star(&mut net, Options::<Router>::new(), [Options::<Dealer>::new().routing_id("name").unwrap()]);
    let now = net.now();
    assert_eq!(net[router].disconnect_peer("name", now), Err(UnbindError::Unsupported(SocketType::Router)));
    assert_eq!(net.connections(dealer), 1);
    let error = net[dealer].connect_peer("tcp://other:1".parse().unwrap(), now).unwrap_err();
    assert_eq!(error, ConnectError::Unsupported("connect_peer", SocketType::Dealer, vec![SocketType::Peer]));
    let mut server = Socket::new(server(), SeededEntropy::new(1));
    let error = server.connect_peer(PLACE.parse().unwrap(), now).unwrap_err();
    assert_eq!(error.to_string(), "a SERVER socket does not have `connect_peer`; it exists for PEER");
}
