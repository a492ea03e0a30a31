//! CLIENT and SERVER, SCATTER and GATHER, CHANNEL, PEER.

use super::pipeline::{receives_in_turn, sends_in_turn};
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

/// Each type beside the one it speaks with.
const COUPLES: [(SocketType, SocketType); 6] = [
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

/// Has `node` say something, and gives the routing id under which `to` hears of it.
fn number_of(net: &mut Net, node: NodeId, to: NodeId) -> Frame {
    net[node].send("who am I?").unwrap();
    net.settle();
    net[to].recv().expect("it has just spoken").head().clone()
}

#[test]
fn a_server_answers_each_client_by_the_number_it_gave() {
    let mut net = net();
    let (server, clients) = star(&mut net, server(), [client(), client(), client()]);
    for (name, node) in ["a", "b", "c"].into_iter().zip(clients) {
        net[node].send(name).unwrap();
    }
    let asked = recv_all(&mut net, server);
    assert_eq!(asked.len(), 3);
    for request in asked.into_iter().rev() {
        let [id, body] = request.into_array().expect("a routing id and what the CLIENT sent");
        assert_eq!(id.len(), 4);
        net[server].send((id, format!("for {}", body.to_text()))).unwrap();
    }
    let got = clients.map(|node| recv_all(&mut net, node));
    assert_eq!(got, ["for a", "for b", "for c"].map(|answer| vec![Message::from(answer)]));
}

#[test]
fn numbers_begin_anywhere_and_are_not_given_twice() {
    let mut first = BTreeSet::new();
    for seed in 0..20 {
        let mut net = Net::seeded(seed);
        let (server, clients) = star(&mut net, server(), [(); 5].map(|()| client().no_reconnect()));
        let mut ids: BTreeSet<_> = clients.into_iter().map(|node| number_of(&mut net, node, server)).collect();
        first.extend(ids.first().cloned());
        for node in clients {
            net.cut(node);
        }
        for _ in 0..5 {
            let node = net.socket(client());
            net.connect(node, PLACE);
            let id = number_of(&mut net, node, server);
            assert!(ids.insert(id), "those who came first are gone, and their numbers too");
        }
    }
    assert_eq!(first.len(), 20);
}

#[test]
fn a_message_to_nobody_is_given_back() {
    let mut net = net();
    let (server, [client]) = star(&mut net, server(), [client().no_reconnect()]);
    let id = number_of(&mut net, client, server);
    let [mut other, mut longer] = [id.to_vec(), id.to_vec()];
    other[3] ^= 1;
    longer.push(0);
    for unknown in [other, longer, id[..3].to_vec(), vec![], vec![0; 4]] {
        let Err(SendError::Unroutable(given_back)) = net[server].send((unknown.clone(), "x")) else {
            panic!("nobody is {unknown:?}");
        };
        assert_eq!(given_back, Message::from((unknown, "x")));
    }
    let Err(SendError::Unaddressed(given_back)) = net[server].send(&id) else { panic!("there is nothing to send") };
    assert_eq!(given_back, Message::from(&id));

    net[server].send((&id, "x")).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, client)), ["x"]);
    net.cut(client);
    net.settle();
    assert!(matches!(net[server].send((&id, "x")), Err(SendError::Unroutable(_))), "it has left");
}

#[test]
fn a_client_that_does_not_read_holds_up_its_own_answers_only() {
    let mut net = net().capacity(2000).chunks(1..=900);
    let (server, [lazy, brisk]) = star(&mut net, server().send_hwm(3), [client().recv_hwm(1), client()]);
    let [slow, fast] = [lazy, brisk].map(|node| number_of(&mut net, node, server));
    let mut sent = 0;
    while let Ok(()) = net[server].send((&slow, vec![1; 5000])) {
        net.settle();
        sent += 1;
        assert!(sent < 100, "the mark is never reached");
    }
    let Err(SendError::Full(given_back)) = net[server].send((&slow, "too many")) else { panic!("it is full") };
    assert_eq!(given_back, Message::from((&slow, "too many")));
    net[server].send((&fast, "x")).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, brisk)), ["x"]);
    assert_eq!(recv_all(&mut net, lazy).len(), sent);
    net[server].send((&slow, "room again")).unwrap();
}

#[test]
fn whoever_waits_to_send_to_a_number_is_told_of_room_and_of_its_end() {
    for options in [server().send_hwm(1).erase(), peer().send_hwm(1).erase()] {
        let theirs = options.socket_type().peers()[0];
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        let place: Endpoint = PLACE.parse().unwrap();
        let (pipe, id) = socket.connect_peer(place.clone(), Instant::ORIGIN).unwrap();
        let mut link = socket.connected(pipe, Instant::ORIGIN).unwrap();
        shake_hands(&mut link, theirs);
        socket.send((&id, "one")).unwrap();
        assert!(matches!(socket.send((&id, "two")), Err(SendError::Full(_))));
        said_writable(&mut socket);
        socket.exchange(pipe, &mut link).unwrap();
        assert!(said_writable(&mut socket));

        socket.send((&id, "two")).unwrap();
        assert!(matches!(socket.send((&id, "three")), Err(SendError::Full(_))));
        said_writable(&mut socket);
        socket.disconnect(&place, Instant::ORIGIN).unwrap();
        assert!(said_writable(&mut socket));
        assert!(matches!(socket.send((&id, "three")), Err(SendError::Unroutable(_))));
    }
}

fn said_writable(socket: &mut Socket) -> bool {
    core::iter::from_fn(|| socket.poll_action()).any(|action| action == Action::Writable)
}

#[test]
fn several_frames_are_given_back_by_every_sender() {
    let several = message(["a", "", "c"]);
    let options: [Options<Any>; 3] = [client().erase(), Options::<Scatter>::new().erase(), channel().erase()];
    for options in options {
        let mut net = net();
        let theirs = Options::of(options.socket_type().peers()[0]);
        let (one, [other]) = star(&mut net, options, [theirs]);
        let Err(SendError::SingleFrame(given_back)) = net[one].send(several.clone()) else { panic!("it has three") };
        assert_eq!(given_back, several);
        net[one].send("one").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, other)), ["one"]);
    }
    let now = Instant::ORIGIN;
    for options in [server().erase(), peer().erase()] {
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        let (_, id) = socket.connect_peer(PLACE.parse().unwrap(), now).unwrap();
        let several = Message::from((&id, "a", "b"));
        let Err(SendError::SingleFrame(given_back)) = socket.send(several.clone()) else { panic!("two follow the id") };
        assert_eq!(given_back, several);
        socket.send((&id, "a")).unwrap();
    }
}

#[test]
fn several_frames_that_arrive_are_dropped_whole_and_what_follows_is_heard() {
    for (ours, theirs) in COUPLES {
        let mut socket = Socket::new(Options::of(ours), SeededEntropy::new(1));
        socket.monitor(true);
        let pipe = socket.connect(PLACE.parse().unwrap(), Instant::ORIGIN).unwrap();
        let mut link = socket.connected(pipe, Instant::ORIGIN).unwrap();
        let mut stranger = shake_hands(&mut link, theirs);
        for said in [message(["before"]), message(["a", "b"]), message(["", "", ""]), message(["after"])] {
            stranger.give(said.into());
        }
        let said = stranger.poll_transmit().unwrap();
        link.handle_input(&said.copy_to_bytes(said.remaining()), Instant::ORIGIN).unwrap();
        socket.exchange(pipe, &mut link).unwrap();

        let heard: Vec<_> = core::iter::from_fn(|| socket.recv().ok()).collect();
        let expected: &[&str] = if ours == SocketType::Scatter { &[] } else { &["before", "after"] };
        assert_eq!(bodies(&heard), expected, "{ours}");
        let events: Vec<_> = core::iter::from_fn(|| socket.poll_event()).collect();
        assert_eq!(dropped(&events, DropReason::Multipart), 2, "{ours}");
        assert_eq!(endings(&events).len(), 0, "{ours}");
    }
}

/// The other side of a connection, a peer of this type, when both have said their READY.
fn shake_hands(link: &mut Connection, theirs: SocketType) -> Connection {
    let now = Instant::ORIGIN;
    let mut peer = Connection::new(&Arc::new(ConnectionConfig::new(theirs)), &mut SystemEntropy, now);
    for _ in 0..2 {
        if let Some(out) = link.poll_transmit() {
            peer.handle_input(&out.copy_to_bytes(out.remaining()), now).unwrap();
        }
        if let Some(out) = peer.poll_transmit() {
            link.handle_input(&out.copy_to_bytes(out.remaining()), now).unwrap();
        }
    }
    assert!(link.peer().is_some() && peer.peer().is_some(), "the handshake is done");
    peer
}

#[test]
fn a_client_and_a_scatter_send_to_their_peers_in_turn() {
    let mut net = net();
    let (client, servers) = fan(&mut net, client(), [server(), server(), server()]);
    sends_in_turn(&mut net, client, servers);
    let mut net = super::net();
    let gathers = [(); 3].map(|()| Options::<Gather>::new());
    let (scatter, gathers) = fan(&mut net, Options::<Scatter>::new(), gathers);
    sends_in_turn(&mut net, scatter, gathers);
}

#[test]
fn a_server_a_gather_and_a_client_receive_from_their_peers_in_turn() {
    let mut net = net();
    let (server, clients) = star(&mut net, server(), [client(), client(), client()]);
    receives_in_turn(&mut net, server, clients);
    let mut net = super::net();
    let scatters = [(); 3].map(|()| Options::<Scatter>::new());
    let (gather, scatters) = star(&mut net, Options::<Gather>::new(), scatters);
    receives_in_turn(&mut net, gather, scatters);

    let mut net = super::net();
    let (client, servers) = fan(&mut net, Options::<Client>::new(), [(); 3].map(|()| Options::<Server>::new()));
    for node in servers {
        net[client].send("ask").unwrap();
        net.settle();
        let id = net[node].recv().unwrap().head().clone();
        for _ in 0..2 {
            net[node].send((&id, format!("{node:?}"))).unwrap();
        }
        net.settle();
    }
    let got = bodies(&recv_all(&mut net, client));
    assert_eq!((got.len(), &got[..3]), (6, &got[3..]), "each once, and then each again");
    assert_eq!(got.iter().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn a_client_sends_again_when_its_server_reads_again() {
    let mut net = net().capacity(2000).chunks(1..=900);
    let (server, [client]) = star(&mut net, server().recv_hwm(1), [client().send_hwm(3)]);
    let mut sent = 0;
    while let Ok(()) = net[client].send(vec![1; 5000]) {
        net.settle();
        sent += 1;
        assert!(sent < 100, "the mark is never reached");
    }
    assert!(!net[client].can_send());
    assert_eq!(recv_all(&mut net, server).len(), sent);
    net[client].send("room again").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, server)), ["room again"]);
}

#[test]
fn without_a_peer_there_is_nothing_to_send_to() {
    for options in [client().erase(), Options::<Scatter>::new().erase(), channel().erase()] {
        let mut net = net();
        let node = net.socket(options);
        assert!(!net[node].can_send());
        let Err(SendError::Full(given_back)) = net[node].send("x") else { panic!("it has no peer") };
        assert_eq!(given_back, message(["x"]));
    }
}

#[test]
fn what_a_draft_type_cannot_do_is_said_in_its_own_name() {
    let mut net = net();
    let (gather, [scatter]) = star(&mut net, Options::<Gather>::new(), [Options::<Scatter>::new()]);
    assert_eq!(net[scatter].recv(), Err(RecvError::Unsupported(SocketType::Scatter)));
    assert!(matches!(net[gather].send("x"), Err(SendError::Unsupported(_, SocketType::Gather))));
}

#[test]
fn a_second_peer_of_a_channel_is_refused_unheard_and_comes_in_when_the_first_has_left() {
    for_seeds(20, |seed| {
        let mut net = Net::seeded(seed).latency(Duration::ZERO..=Duration::from_millis(20));
        let (bound, [first]) = star(&mut net, channel(), [channel().no_reconnect()]);
        let second = net.socket(channel());
        net.connect(second, PLACE);
        net[second].send("intruding").unwrap();
        net.settle();
        assert_eq!(net[bound].recv(), Err(RecvError::Empty));
        let reason = "a PAIR or CHANNEL socket speaks with one peer, and has it already";
        assert_eq!(endings(&events(&mut net, bound)), [reason]);
        net[first].send("there").unwrap();
        net[bound].send("and back").unwrap();
        assert_eq!(recv_all(&mut net, bound), [message(["there"])]);
        assert_eq!(recv_all(&mut net, first), [message(["and back"])]);
        let now = net.now();
        assert_eq!(net[first].connect("tcp://else:1".parse().unwrap(), now), Err(ConnectError::PairInUse));

        net.cut(first);
        net.pass(Duration::from_secs(10));
        net[bound].send("welcome").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, second)), ["welcome"]);
    });
}

#[test]
fn connect_peer_names_a_peer_before_it_is_there_and_for_good() {
    let mut net = net();
    let here = net.socket(peer());
    let now = net.now();
    let (_, id) = net[here].connect_peer(PLACE.parse().unwrap(), now).unwrap();
    let (_, other) = net[here].connect_peer("tcp://nowhere:1".parse().unwrap(), now).unwrap();
    assert_eq!((id.len(), id == other), (4, false));
    net[here].send((&id, "early")).unwrap();
    let there = net.socket(peer());
    net.bind(there, PLACE);
    net.pass(Duration::from_secs(1));
    let [me, body] = net[there].recv().unwrap().into_array().unwrap();
    assert_eq!(body, "early");
    net[there].send((&me, "hello")).unwrap();
    assert_eq!(recv_all(&mut net, here), [Message::from((&id, "hello"))]);

    net.cut(here);
    net.pass(Duration::from_secs(1));
    net[here].send((&id, "again")).unwrap();
    let got = recv_all(&mut net, there);
    assert_eq!((bodies(&got), got[0].head() == &me), (vec!["again".to_owned()], false), "they know us by a new number");
}

#[test]
fn a_number_is_told_to_the_monitor() {
    let mut net = net();
    let (server, [client]) = star(&mut net, server(), [client().no_reconnect()]);
    let id = number_of(&mut net, client, server);
    let now = net.now();
    net[server].disconnect_peer(&id, now).unwrap();
    net.settle();
    let told: Vec<_> = events(&mut net, server)
        .into_iter()
        .filter_map(|event| match event {
            Event::Ready { routing_id, .. } | Event::Disconnected { routing_id, .. } => Some(routing_id),
            _ => None,
        })
        .collect();
    assert_eq!(told, [id.clone(), id]);
}

#[test]
fn a_disconnected_peer_gets_its_last_words_and_its_connection_ends_at_both_ends() {
    let mut net = net();
    let (server, [gone, stays]) = star(&mut net, server(), [client().no_reconnect(), client()]);
    let [id, other] = [gone, stays].map(|node| number_of(&mut net, node, server));
    let now = net.now();
    net[gone].send("not read any more").unwrap();
    net.settle();
    net[server].send((&id, "goodbye")).unwrap();
    net[server].disconnect_peer(&id, now).unwrap();
    assert!(matches!(net[server].send((&id, "x")), Err(SendError::Unroutable(_))), "it is gone at once");
    assert_eq!(net[server].disconnect_peer(&id, now), Err(UnbindError::UnknownPeer(id)));
    assert_eq!(bodies(&recv_all(&mut net, gone)), ["goodbye"]);
    assert_eq!((net.connections(gone), net[gone].peers(), net[server].peers()), (0, 0, 1));
    assert_eq!(net[server].recv(), Err(RecvError::Empty));
    net[server].send((&other, "still here")).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, stays)), ["still here"]);
}

#[test]
fn a_disconnected_client_may_come_again_as_somebody_new() {
    let mut net = net();
    let (server, [client]) = star(&mut net, server(), [client()]);
    let id = number_of(&mut net, client, server);
    let now = net.now();
    net[server].disconnect_peer(&id, now).unwrap();
    net.pass(Duration::from_secs(10));
    assert_eq!(net.connections(server), 1);
    assert_ne!(number_of(&mut net, client, server), id);
}

#[test]
fn a_disconnected_peer_is_not_dialled_again() {
    let mut net = net();
    let (bound, here) = (net.socket(peer()), net.socket(peer()));
    let now = net.now();
    let (_, id) = net[here].connect_peer(PLACE.parse().unwrap(), now).unwrap();
    net.bind(bound, PLACE);
    net.pass(Duration::from_secs(1));
    assert_eq!((net.connections(here), net.connections(bound)), (1, 1));
    net[here].disconnect_peer(&id, now).unwrap();
    net.pass(Duration::from_secs(20));
    assert_eq!((net.connections(here), net.connections(bound), net[here].peers()), (0, 0, 0));
}

#[test]
fn only_a_server_and_a_peer_number_their_peers() {
    let mut net = net();
    let (router, [dealer]) =
        star(&mut net, Options::<Router>::new(), [Options::<Dealer>::new().routing_id("name").unwrap()]);
    let now = net.now();
    assert_eq!(net[router].disconnect_peer("name", now), Err(UnbindError::UnknownPeer("name".into())));
    assert_eq!(net.connections(dealer), 1);
    let (_, id) = net[dealer].connect_peer("tcp://other:1".parse().unwrap(), now).unwrap();
    assert_eq!(id, Frame::EMPTY);
}
