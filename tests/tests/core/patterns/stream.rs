//! Tests of the behaviour of STREAM sockets.

use super::{PLACE, message, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Dealer, Stream};
use sansmq_proto::socket::{ConnectError, DropReason};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Frame, Message, Options, RecvError, SendError, SocketType};
use sansmq_tests::raw_peer::{MORE, close_reason_property, frame, greeting, property, ready};
use sansmq_tests::{dropped, events, for_seeds, recv_all};

fn stream() -> Options<Stream> {
    Options::new()
}

/// Returns a message that consists of the routing id `id` and an empty body. A STREAM receives it when a peer connects
/// or disconnects, and sends it to end the connection.
fn notice(id: &Frame) -> Message {
    Message::from((id, ""))
}

/// Receives the message that announces a new connection. Returns the routing id of this connection.
fn recv_connect_notice(net: &mut Net, node: NodeId) -> Frame {
    net.settle();
    let [id, body] = net[node].recv().expect("a peer has connected").into_array().expect("two frames");
    assert_eq!((id.len(), id[0], body.len()), (9, 0, 0));
    id
}

/// Concatenates the bodies of `messages`. Asserts that all messages are from the peer `id`, and that none has an empty
/// body.
fn joined_bodies(messages: &[Message], id: &Frame) -> Vec<u8> {
    assert!(messages.iter().all(|message| message.len() == 2 && message.head() == id), "{messages:?}");
    assert!(messages.iter().all(|message| !message.body().is_empty()), "{messages:?}");
    messages.iter().flat_map(|message| message.body().to_vec()).collect()
}

/// Creates two connected STREAMs. Returns each socket with the routing id of its peer.
fn connected_pair(net: &mut Net, bound: Options<Stream>, other: Options<Stream>) -> [(NodeId, Frame); 2] {
    let (server, [client]) = star(net, bound, [other]);
    let [at_server, at_client] = [server, client].map(|node| recv_connect_notice(net, node));
    [(server, at_server), (client, at_client)]
}

#[test]
fn stream_exchanges_bytes_after_connect_notices() {
    for_seeds(20, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=9);
        let [(server, client_id), (client, server_id)] = connected_pair(&mut net, stream(), stream());
        net[client].send((&server_id, "GET /\r\n")).unwrap();
        net[client].send((&server_id, "\r\n")).unwrap();
        let received = recv_all(&mut net, server);
        assert_eq!(joined_bodies(&received, &client_id), b"GET /\r\n\r\n");
        let page = vec![b'x'; 5000];
        net[server].send((&client_id, page.clone())).unwrap();
        let reply = recv_all(&mut net, client);
        assert!(joined_bodies(&reply, &server_id) == page);
    });
}

#[test]
fn stream_assigns_a_routing_id_to_each_peer() {
    let mut net = net();
    let (server, [ann, bob]) = star(&mut net, stream(), [stream(), stream()]);
    let ids = [(); 2].map(|()| recv_connect_notice(&mut net, server));
    assert_ne!(ids[0], ids[1]);
    for (id, text) in ids.iter().zip(["to ann", "to bob"]) {
        net[server].send((id, text)).unwrap();
    }
    for (node, text) in [(ann, "to ann"), (bob, "to bob")] {
        let server_id = recv_connect_notice(&mut net, node);
        assert_eq!(joined_bodies(&recv_all(&mut net, node), &server_id), text.as_bytes());
        net[node].send((server_id, "from")).unwrap();
    }
    let mut received = recv_all(&mut net, server);
    received.sort_by_key(|message| *message.head() != ids[0]);
    let split = received.iter().position(|message| *message.head() == ids[1]).unwrap();
    assert_eq!(
        (joined_bodies(&received[..split], &ids[0]), joined_bodies(&received[split..], &ids[1])),
        (b"from".to_vec(), b"from".to_vec())
    );
}

#[test]
fn empty_body_closes_after_sending_and_notifies_the_peer() {
    for linger in [Some(Duration::ZERO), Some(Duration::from_secs(1)), None] {
        let mut net = net().capacity(500);
        let [(server, client_id), (client, server_id)] =
            connected_pair(&mut net, stream().linger(linger), stream().no_reconnect());
        net[client].send((&server_id, "not received")).unwrap();
        net.settle();
        let page = vec![b'x'; 5000];
        net[server].send((&client_id, page.clone())).unwrap();
        net[server].send(notice(&client_id)).unwrap();
        assert!(matches!(net[server].send((&client_id, "late")), Err(SendError::Unroutable(_))));
        let mut received = recv_all(&mut net, client);
        assert_eq!(received.pop(), Some(notice(&server_id)), "with a linger of {linger:?}");
        assert!(joined_bodies(&received, &server_id) == page);
        net.advance(Duration::from_secs(5));
        assert_eq!(recv_all(&mut net, server), []);
        assert_eq!([net[server].peers(), net[client].peers()], [0, 0]);
    }
}

#[test]
fn linger_limits_a_close_by_empty_body() {
    let second = Duration::from_secs(1);
    let mut net = net().capacity(500);
    let options = stream().linger(10 * second);
    let [(server, client_id), (client, _)] = connected_pair(&mut net, options, stream().no_reconnect());
    net.freeze(client);
    net.advance(100 * second);
    net[server].send((&client_id, vec![b'x'; 5000])).unwrap();
    net[server].send(notice(&client_id)).unwrap();
    net.advance(9 * second);
    assert_eq!(net[server].peers(), 1, "linger must begin with the empty body");
    net.advance(2 * second);
    assert_eq!(net[server].peers(), 0);
    assert_eq!(dropped(&events(&mut net, server), DropReason::Undelivered), 1);
}

#[test]
fn zero_linger_ends_a_stalled_close_at_socket_close() {
    let mut net = net().capacity(500);
    let [(server, client_id), (client, _)] = connected_pair(&mut net, stream().linger(Duration::ZERO), stream());
    net.freeze(client);
    net[server].send((&client_id, vec![b'x'; 5000])).unwrap();
    net[server].send(notice(&client_id)).unwrap();
    net.advance(Duration::from_secs(1000));
    assert_eq!(net[server].peers(), 1);
    let now = net.now();
    net[server].close(now);
    net.settle();
    assert!(net[server].is_closed());
    assert_eq!(net[server].unsent(), 1);
}

#[test]
fn disconnect_notice_follows_the_last_bytes_despite_hwm() {
    for_seeds(20, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=900);
        let [(server, client_id), (client, server_id)] = connected_pair(&mut net, stream().recv_hwm(1), stream());
        for _ in 0..10 {
            net[client].send((&server_id, vec![b'x'; 700])).unwrap();
        }
        net[client].send(notice(&server_id)).unwrap();
        net.advance(Duration::from_secs(2));
        assert_eq!(net.connections(server), 0, "unread bytes must not keep the connection open");
        assert!(matches!(net[server].send((&client_id, "x")), Err(SendError::Unroutable(_))));
        let mut received = recv_all(&mut net, server);
        assert_eq!(received.pop(), Some(notice(&client_id)));
        assert_eq!(joined_bodies(&received, &client_id), [b'x'; 7000]);
        assert_eq!(net[server].peers(), 0);
    });
}

#[test]
fn cut_connection_causes_a_notice_on_both_sides() {
    let mut net = net();
    let [(server, client_id), (client, server_id)] = connected_pair(&mut net, stream(), stream().no_reconnect());
    net.reset_connections(client);
    net.settle();
    assert_eq!(recv_all(&mut net, server), [notice(&client_id)]);
    assert_eq!(recv_all(&mut net, client), [notice(&server_id)]);
}

#[test]
fn local_disconnect_causes_no_notice() {
    let mut net = net();
    let [(server, _), (client, server_id)] = connected_pair(&mut net, stream(), stream());
    let (now, endpoint) = (net.now(), PLACE.parse().unwrap());
    net[server].unbind(&endpoint, now).unwrap();
    net.settle();
    assert_eq!(recv_all(&mut net, server), []);
    assert_eq!(recv_all(&mut net, client), [notice(&server_id)]);
    net[client].disconnect(&endpoint, now).unwrap();
    net.advance(Duration::from_secs(1));
    assert_eq!(recv_all(&mut net, client), []);
    assert_eq!([net[server].peers(), net[client].peers()], [0, 0]);
}

#[test]
fn notify_false_delivers_bytes_without_notices() {
    let mut net = net();
    let (server, [client]) = star(&mut net, stream().notify(false), [stream().no_reconnect()]);
    let server_id = recv_connect_notice(&mut net, client);
    net[client].send((server_id, "x")).unwrap();
    net.settle();
    net.reset_connections(client);
    net.settle();
    let received = recv_all(&mut net, server);
    assert_eq!((received.len(), received[0].body()), (1, &Frame::from("x")));
}

#[test]
fn stream_message_requires_a_routing_id_and_one_body() {
    let mut net = net();
    let [(server, id), _] = connected_pair(&mut net, stream(), stream());
    for message in [message(["alone"]), message(["a", "b", "c"]), Message::from([id.clone(), "b".into(), "c".into()])] {
        let Err(SendError::FrameCount(returned)) = net[server].send(message.clone()) else {
            panic!("{message:?} must be rejected: not two frames");
        };
        assert_eq!(returned, message);
    }
    for message in [message(["unknown", "x"]), message(["unknown", ""]), message(["", "x"])] {
        let Err(SendError::Unroutable(returned)) = net[server].send(message.clone()) else {
            panic!("{message:?} must be rejected: unknown routing id");
        };
        assert_eq!(returned, message);
    }
}

#[test]
fn full_peer_blocks_only_sends_to_that_peer() {
    let mut net = net().capacity(2000).chunks(1..=900);
    let (server, [slow, fast]) = star(&mut net, stream().send_hwm(3), [stream().recv_hwm(1), stream()]);
    let ids = [(); 2].map(|()| recv_connect_notice(&mut net, server));
    let mut sent = 0;
    let returned = loop {
        match net[server].send((&ids[0], vec![b'x'; 30_000])) {
            Ok(()) => sent += 1,
            Err(SendError::Full(returned)) => break returned,
            Err(other) => panic!("{other}"),
        }
        net.settle();
        assert!(sent < 100, "the sender is never blocked");
    };
    net[server].send((&ids[1], "hi")).unwrap();
    net.settle();
    assert_eq!(recv_all(&mut net, fast).last().unwrap().body(), "hi");
    let before = recv_all(&mut net, slow);
    net[server].send(returned).expect("the queue has room again");
    let after = recv_all(&mut net, slow);
    let received: usize = before.iter().chain(&after).map(|message| message.body().len()).sum();
    assert_eq!(received, (sent + 1) * 30_000);
}

#[test]
fn reconnect_keeps_the_routing_id_and_drops_queued_bytes() {
    let mut net = net().capacity(500);
    let [(server, _), (client, server_id)] = connected_pair(&mut net, stream(), stream());
    net.freeze(server);
    for _ in 0..3 {
        net[client].send((&server_id, vec![b'x'; 300_000])).unwrap();
    }
    net.settle();
    net.reset_connections(client);
    net.thaw(server);
    net.settle();
    net[client].send((&server_id, "after reconnect")).unwrap();
    net.advance(Duration::from_secs(1));
    assert_eq!(recv_all(&mut net, client), [notice(&server_id), notice(&server_id)]);
    assert_eq!(dropped(&events(&mut net, client), DropReason::Undelivered), 3);
    let received = recv_all(&mut net, server);
    let second = received.iter().rposition(|message| message.body().is_empty()).unwrap();
    assert_eq!(joined_bodies(&received[second + 1..], received[second].head()), b"after reconnect");
}

#[test]
fn connect_as_id_is_valid_before_connecting() {
    let mut net = net();
    let (client, now) = (net.socket(stream()), net.now());
    net[client].connect_as(PLACE.parse().unwrap(), "server", now).unwrap();
    let again = net[client].connect_as("tcp://other:1".parse().unwrap(), "server", now);
    assert_eq!(again, Err(ConnectError::RoutingIdTaken));
    net[client].send(["server", "early"]).unwrap();
    net.advance(Duration::from_secs(1));
    let server = net.socket(stream());
    net.bind(server, PLACE);
    net.advance(Duration::from_secs(10));
    let client_id = recv_connect_notice(&mut net, server);
    assert_eq!(joined_bodies(&recv_all(&mut net, server), &client_id), b"early");
    assert_eq!(recv_all(&mut net, client), [message(["server", ""])]);
}

#[test]
fn empty_body_ends_a_dial_in_progress() {
    let mut net = net();
    let (client, now) = (net.socket(stream()), net.now());
    net[client].connect_as(PLACE.parse().unwrap(), "server", now).unwrap();
    net[client].send(["server", ""]).unwrap();
    assert_eq!(net[client].peers(), 0);
    net.advance(Duration::from_secs(100));
    assert_eq!(recv_all(&mut net, client), []);
}

#[test]
fn stream_rejects_inproc() {
    let mut net = net();
    let (client, now) = (net.socket(stream()), net.now());
    let error = net[client].connect("inproc://place".parse().unwrap(), now).unwrap_err();
    assert!(matches!(error, ConnectError::Transport(SocketType::Stream, _)), "{error}");
    assert_eq!(net[client].peers(), 0);
}

#[test]
fn stream_exchanges_hand_written_zmtp_with_a_dealer() {
    let mut net = net();
    let (dealer, [client]) = star(&mut net, Options::<Dealer>::new(), [stream()]);
    let id = recv_connect_notice(&mut net, client);
    net[client].send((&id, greeting("NULL"))).unwrap();
    net[client].send((&id, ready("DEALER", b""))).unwrap();
    net[client].send((&id, [frame(MORE, b"hello"), frame(0, b"world")].concat())).unwrap();
    assert_eq!(recv_all(&mut net, dealer), [message(["hello", "world"])]);
    net[dealer].send("a reply").unwrap();
    let received = joined_bodies(&recv_all(&mut net, client), &id);
    let expected_ready = ready("DEALER", &[property("Identity", b""), close_reason_property()].concat());
    assert_eq!(received, [greeting("NULL"), expected_ready, frame(0, b"a reply")].concat());
}

#[test]
fn close_sends_queued_bytes() {
    let mut net = net().capacity(500);
    let [(server, _), (client, server_id)] = connected_pair(&mut net, stream(), stream());
    net[client].send((server_id, vec![b'x'; 5000])).unwrap();
    let now = net.now();
    net[client].close(now);
    let received = recv_all(&mut net, server);
    let size: usize = received.iter().map(|message| message.body().len()).sum();
    assert_eq!((size, received.last().unwrap().body().len()), (5000, 0));
    assert!(net[client].is_closed());
    assert_eq!((net[client].unsent(), net[client].recv()), (0, Err(RecvError::Closed)));
}
