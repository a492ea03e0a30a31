//! STREAM.

use super::{PLACE, message, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Dealer, Stream};
use sansmq_proto::socket::{ConnectError, DropReason};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Frame, Message, Options, RecvError, SendError, SocketType};
use sansmq_tests::raw_peer::{MORE, frame, greeting, property, ready};
use sansmq_tests::{dropped, events, for_seeds, recv_all};

fn stream() -> Options<Stream> {
    Options::new()
}

/// A notice, or the wish to end a connection.
fn notice(id: &Frame) -> Message {
    Message::from((id, ""))
}

/// The peer that has just come.
fn newcomer(net: &mut Net, node: NodeId) -> Frame {
    net.settle();
    let [id, nothing] = net[node].recv().expect("somebody has come").into_array().expect("two frames");
    assert_eq!((id.len(), id[0], nothing.len()), (9, 0, 0));
    id
}

/// The octets among these messages; all are of this peer, and none is a notice.
fn octets(messages: &[Message], id: &Frame) -> Vec<u8> {
    assert!(messages.iter().all(|message| message.len() == 2 && message.head() == id), "{messages:?}");
    assert!(messages.iter().all(|message| !message.body().is_empty()), "{messages:?}");
    messages.iter().flat_map(|message| message.body().to_vec()).collect()
}

/// Two of them, connected, and the name of each at the other.
fn two(net: &mut Net, bound: Options<Stream>, other: Options<Stream>) -> [(NodeId, Frame); 2] {
    let (server, [client]) = star(net, bound, [other]);
    let [at_server, at_client] = [server, client].map(|node| newcomer(net, node));
    [(server, at_server), (client, at_client)]
}

#[test]
fn octets_go_both_ways_after_a_notice_at_each_side() {
    for_seeds(20, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=9);
        let [(server, client_id), (client, server_id)] = two(&mut net, stream(), stream());
        net[client].send((&server_id, "GET /\r\n")).unwrap();
        net[client].send((&server_id, "\r\n")).unwrap();
        let asked = recv_all(&mut net, server);
        assert_eq!(octets(&asked, &client_id), b"GET /\r\n\r\n");
        let page = vec![b'x'; 5000];
        net[server].send((&client_id, page.clone())).unwrap();
        let answer = recv_all(&mut net, client);
        assert!(octets(&answer, &server_id) == page);
    });
}

#[test]
fn peers_are_told_apart() {
    let mut net = net();
    let (server, [ann, bob]) = star(&mut net, stream(), [stream(), stream()]);
    let ids = [(); 2].map(|()| newcomer(&mut net, server));
    assert_ne!(ids[0], ids[1]);
    for (id, word) in ids.iter().zip(["to ann", "to bob"]) {
        net[server].send((id, word)).unwrap();
    }
    for (node, word) in [(ann, "to ann"), (bob, "to bob")] {
        let server_id = newcomer(&mut net, node);
        assert_eq!(octets(&recv_all(&mut net, node), &server_id), word.as_bytes());
        net[node].send((server_id, "from")).unwrap();
    }
    let mut got = recv_all(&mut net, server);
    got.sort_by_key(|message| *message.head() != ids[0]);
    let anns = got.iter().position(|message| *message.head() == ids[1]).unwrap();
    assert_eq!((octets(&got[..anns], &ids[0]), octets(&got[anns..], &ids[1])), (b"from".to_vec(), b"from".to_vec()));
}

#[test]
fn an_empty_body_ends_the_connection_once_everything_is_out_and_the_peer_alone_is_told() {
    for linger in [Some(Duration::ZERO), Some(Duration::from_secs(1)), None] {
        let mut net = net().capacity(500);
        let [(server, client_id), (client, server_id)] =
            two(&mut net, stream().linger(linger), stream().no_reconnect());
        net[client].send((&server_id, "never read")).unwrap();
        net.settle();
        let page = vec![b'x'; 5000];
        net[server].send((&client_id, page.clone())).unwrap();
        net[server].send(notice(&client_id)).unwrap();
        assert!(matches!(net[server].send((&client_id, "late")), Err(SendError::Unroutable(_))));
        let mut got = recv_all(&mut net, client);
        assert_eq!(got.pop(), Some(notice(&server_id)), "with a linger of {linger:?}");
        assert!(octets(&got, &server_id) == page);
        net.pass(Duration::from_secs(5));
        assert_eq!(recv_all(&mut net, server), []);
        assert_eq!([net[server].peers(), net[client].peers()], [0, 0]);
    }
}

#[test]
fn an_end_that_the_peer_does_not_take_comes_when_linger_is_over() {
    let second = Duration::from_secs(1);
    let mut net = net().capacity(500);
    let options = stream().linger(10 * second);
    let [(server, client_id), (client, _)] = two(&mut net, options, stream().no_reconnect());
    net.freeze(client);
    net.pass(100 * second);
    net[server].send((&client_id, vec![b'x'; 5000])).unwrap();
    net[server].send(notice(&client_id)).unwrap();
    net.pass(9 * second);
    assert_eq!(net[server].peers(), 1, "linger begins with the wish, however long nothing has happened before");
    net.pass(2 * second);
    assert_eq!(net[server].peers(), 0);
    assert_eq!(dropped(&events(&mut net, server), DropReason::Undelivered), 1);
}

#[test]
fn without_linger_an_end_that_the_peer_does_not_take_comes_when_the_socket_closes() {
    let mut net = net().capacity(500);
    let [(server, client_id), (client, _)] = two(&mut net, stream().linger(Duration::ZERO), stream());
    net.freeze(client);
    net[server].send((&client_id, vec![b'x'; 5000])).unwrap();
    net[server].send(notice(&client_id)).unwrap();
    net.pass(Duration::from_secs(1000));
    assert_eq!(net[server].peers(), 1);
    let now = net.now();
    net[server].close(now);
    net.settle();
    assert!(net[server].is_closed());
    assert_eq!(net[server].unsent(), 1);
}

#[test]
fn a_peer_that_goes_is_told_after_its_last_octets_and_beyond_the_mark() {
    for_seeds(20, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=900);
        let [(server, client_id), (client, server_id)] = two(&mut net, stream().recv_hwm(1), stream());
        for _ in 0..10 {
            net[client].send((&server_id, vec![b'x'; 700])).unwrap();
        }
        net[client].send(notice(&server_id)).unwrap();
        net.pass(Duration::from_secs(2));
        assert_eq!(net.connections(server), 0, "what is unread does not keep the connection");
        assert!(matches!(net[server].send((&client_id, "x")), Err(SendError::Unroutable(_))));
        let mut got = recv_all(&mut net, server);
        assert_eq!(got.pop(), Some(notice(&client_id)));
        assert_eq!(octets(&got, &client_id), [b'x'; 7000]);
        assert_eq!(net[server].peers(), 0);
    });
}

#[test]
fn a_connection_that_is_cut_is_told_at_both_sides() {
    let mut net = net();
    let [(server, client_id), (client, server_id)] = two(&mut net, stream(), stream().no_reconnect());
    net.cut(client);
    net.settle();
    assert_eq!(recv_all(&mut net, server), [notice(&client_id)]);
    assert_eq!(recv_all(&mut net, client), [notice(&server_id)]);
}

#[test]
fn an_end_that_this_side_wants_is_not_told() {
    let mut net = net();
    let [(server, _), (client, server_id)] = two(&mut net, stream(), stream());
    let (now, place) = (net.now(), PLACE.parse().unwrap());
    net[server].unbind(&place, now).unwrap();
    net.settle();
    assert_eq!(recv_all(&mut net, server), []);
    assert_eq!(recv_all(&mut net, client), [notice(&server_id)]);
    net[client].disconnect(&place, now).unwrap();
    net.pass(Duration::from_secs(1));
    assert_eq!(recv_all(&mut net, client), []);
    assert_eq!([net[server].peers(), net[client].peers()], [0, 0]);
}

#[test]
fn without_notices_there_are_octets_alone() {
    let mut net = net();
    let (server, [client]) = star(&mut net, stream().notify(false), [stream().no_reconnect()]);
    let server_id = newcomer(&mut net, client);
    net[client].send((server_id, "x")).unwrap();
    net.settle();
    net.cut(client);
    net.settle();
    let got = recv_all(&mut net, server);
    assert_eq!((got.len(), got[0].body()), (1, &Frame::from("x")));
}

#[test]
fn a_message_is_a_routing_id_of_a_peer_and_octets() {
    let mut net = net();
    let [(server, id), _] = two(&mut net, stream(), stream());
    for message in [message(["alone"]), message(["a", "b", "c"]), Message::from([id.clone(), "b".into(), "c".into()])] {
        let Err(SendError::FrameCount(given_back)) = net[server].send(message.clone()) else {
            panic!("{message:?} has not two frames");
        };
        assert_eq!(given_back, message);
    }
    for message in [message(["nobody", "x"]), message(["nobody", ""]), message(["", "x"])] {
        let Err(SendError::Unroutable(given_back)) = net[server].send(message.clone()) else {
            panic!("{message:?} is for nobody");
        };
        assert_eq!(given_back, message);
    }
}

#[test]
fn a_peer_without_room_makes_the_sender_wait_and_the_others_do_not() {
    let mut net = net().capacity(2000).chunks(1..=900);
    let (server, [lazy, brisk]) = star(&mut net, stream().send_hwm(3), [stream().recv_hwm(1), stream()]);
    let ids = [(); 2].map(|()| newcomer(&mut net, server));
    let mut sent = 0;
    let given_back = loop {
        match net[server].send((&ids[0], vec![b'x'; 30_000])) {
            Ok(()) => sent += 1,
            Err(SendError::Full(given_back)) => break given_back,
            Err(other) => panic!("{other}"),
        }
        net.settle();
        assert!(sent < 100, "nobody makes the sender wait");
    };
    net[server].send((&ids[1], "hi")).unwrap();
    net.settle();
    assert_eq!(recv_all(&mut net, brisk).last().unwrap().body(), "hi");
    let before = recv_all(&mut net, lazy);
    net[server].send(given_back).expect("there is room again");
    let after = recv_all(&mut net, lazy);
    let got: usize = before.iter().chain(&after).map(|message| message.body().len()).sum();
    assert_eq!(got, (sent + 1) * 30_000);
}

#[test]
fn a_dialled_peer_keeps_its_name_and_a_new_connection_begins_anew() {
    let mut net = net().capacity(500);
    let [(server, _), (client, server_id)] = two(&mut net, stream(), stream());
    net.freeze(server);
    for _ in 0..3 {
        net[client].send((&server_id, vec![b'x'; 300_000])).unwrap();
    }
    net.settle();
    net.cut(client);
    net.thaw(server);
    net.settle();
    net[client].send((&server_id, "anew")).unwrap();
    net.pass(Duration::from_secs(1));
    assert_eq!(recv_all(&mut net, client), [notice(&server_id), notice(&server_id)]);
    assert_eq!(dropped(&events(&mut net, client), DropReason::Undelivered), 3);
    let got = recv_all(&mut net, server);
    let second = got.iter().rposition(|message| message.body().is_empty()).unwrap();
    assert_eq!(octets(&got[second + 1..], got[second].head()), b"anew");
}

#[test]
fn connect_as_names_a_peer_before_it_is_there() {
    let mut net = net();
    let (client, now) = (net.socket(stream()), net.now());
    net[client].connect_as(PLACE.parse().unwrap(), "server", now).unwrap();
    let again = net[client].connect_as("tcp://other:1".parse().unwrap(), "server", now);
    assert_eq!(again, Err(ConnectError::RoutingIdTaken));
    net[client].send(["server", "early"]).unwrap();
    net.pass(Duration::from_secs(1));
    let server = net.socket(stream());
    net.bind(server, PLACE);
    net.pass(Duration::from_secs(10));
    let client_id = newcomer(&mut net, server);
    assert_eq!(octets(&recv_all(&mut net, server), &client_id), b"early");
    assert_eq!(recv_all(&mut net, client), [message(["server", ""])]);
}

#[test]
fn a_peer_that_was_never_reached_can_be_given_up() {
    let mut net = net();
    let (client, now) = (net.socket(stream()), net.now());
    net[client].connect_as(PLACE.parse().unwrap(), "server", now).unwrap();
    net[client].send(["server", ""]).unwrap();
    assert_eq!(net[client].peers(), 0);
    net.pass(Duration::from_secs(100));
    assert_eq!(recv_all(&mut net, client), []);
}

#[test]
fn there_is_no_stream_over_inproc() {
    let mut net = net();
    let (client, now) = (net.socket(stream()), net.now());
    let error = net[client].connect("inproc://place".parse().unwrap(), now).unwrap_err();
    assert!(matches!(error, ConnectError::Transport(SocketType::Stream, _)), "{error}");
    assert_eq!(net[client].peers(), 0);
}

#[test]
fn a_stream_can_speak_zmtp_by_hand() {
    let mut net = net();
    let (dealer, [client]) = star(&mut net, Options::<Dealer>::new(), [stream()]);
    let id = newcomer(&mut net, client);
    net[client].send((&id, greeting("NULL"))).unwrap();
    net[client].send((&id, ready("DEALER", b""))).unwrap();
    net[client].send((&id, [frame(MORE, b"hello"), frame(0, b"world")].concat())).unwrap();
    assert_eq!(recv_all(&mut net, dealer), [message(["hello", "world"])]);
    net[dealer].send("an answer").unwrap();
    let said = octets(&recv_all(&mut net, client), &id);
    let announced = ready("DEALER", &property("Identity", b""));
    assert_eq!(said, [greeting("NULL"), announced, frame(0, b"an answer")].concat());
}

#[test]
fn a_closed_socket_sends_what_is_queued() {
    let mut net = net().capacity(500);
    let [(server, _), (client, server_id)] = two(&mut net, stream(), stream());
    net[client].send((server_id, vec![b'x'; 5000])).unwrap();
    let now = net.now();
    net[client].close(now);
    let got = recv_all(&mut net, server);
    let size: usize = got.iter().map(|message| message.body().len()).sum();
    assert_eq!((size, got.last().unwrap().body().len()), (5000, 0));
    assert!(net[client].is_closed());
    assert_eq!((net[client].unsent(), net[client].recv()), (0, Err(RecvError::Closed)));
}
