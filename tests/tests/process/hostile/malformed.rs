//! Hostile peers that send valid sessions with random errors. Each of these connections ends, and other connections are
//! not affected.

use sansmq::kind::{Any, Dealer, Pair, Pull, Push, Rep, Req, Router, Typed};
use sansmq::{Handle, Options};
use sansmq_proto::connection::Fault;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_tests::harness::{ANY, Observed, bind_tcp, echo, on_each_runtime, round_trip, run_until};
use sansmq_tests::raw_peer::{connect_and_send, greeting_and_ready};
use sansmq_tests::runtimes::RuntimeHandle;
use std::io::Read;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// Returns the bytes that a peer with this socket type sends in a valid session.
fn valid_session(peer: &str) -> Vec<u8> {
    let mut bytes = greeting_and_ready(peer);
    for _ in 0..3 {
        bytes.extend(b"\x01\x00\x01\x04meta\x00\x05hello");
        bytes.extend(b"\x04\x0a\x04PING\x00\x00ctx\x02\0\0\0\0\0\0\0\x03abc");
    }
    bytes
}

/// Corrupts the bytes of a session at random: replaces single bytes or all bytes, removes some, or cuts the end off.
fn corrupt(mut bytes: Vec<u8>, random: &mut SeededEntropy) -> Vec<u8> {
    let index = |random: &mut SeededEntropy, len: usize| usize::try_from(random.below(len as u64)).unwrap();
    match random.below(5) {
        0 => bytes.iter_mut().for_each(|byte| *byte = u8::try_from(random.below(256)).unwrap()),
        1 => bytes.truncate(index(random, bytes.len())),
        2 => {
            let at = index(random, bytes.len());
            bytes.drain(at..at + (bytes.len() - at).min(5));
        }
        _ => {
            for _ in 0..=random.below(4) {
                let at = index(random, bytes.len());
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
        }
    }
    bytes
}

/// Opens one connection to the address `at` for each seed, all in parallel. On each connection, sends a valid session
/// of a peer with the socket type `peer`, corrupted differently for each seed.
fn attack(at: SocketAddr, peer: &str, seeds: std::ops::Range<u64>) {
    std::thread::scope(|scope| {
        for seed in seeds {
            scope.spawn(move || {
                let mut random = SeededEntropy::new(seed);
                let mut stream = connect_and_send(at, &corrupt(valid_session(peer), &mut random)).unwrap();
                if random.below(2) == 0 {
                    let _ = stream.shutdown(Shutdown::Write);
                }
                // Reads replies until the end of the stream, or until none arrives for 20 ms.
                stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                while stream.read(&mut [0; 1000]).is_ok_and(|count| count > 0) {}
            });
        }
    });
}

fn socket<T: Typed>(handle: &RuntimeHandle) -> Handle<T> {
    handle.socket(Options::new())
}

/// Sends a message and receives it at the other socket.
async fn transfer(from: &Handle<Any>, to: &Handle<Any>) {
    from.send("message").await.unwrap();
    assert_eq!(to.recv().await.unwrap().body(), "message");
}

async fn corrupted_sessions(handle: &RuntimeHandle) {
    let (router, rep, pull) = (socket::<Router>(handle), socket::<Rep>(handle), socket::<Pull>(handle));
    let (dealer, push, req) = (socket::<Dealer>(handle), socket::<Push>(handle), socket::<Req>(handle));
    let pair = socket::<Pair>(handle);
    let bound: [(Handle<Any>, &str); 7] = [
        (router.erase(), "DEALER"),
        (rep.erase(), "REQ"),
        (pull.erase(), "PUSH"),
        (pair.erase(), "PAIR"),
        (dealer.erase(), "ROUTER"),
        (push.erase(), "PULL"),
        (req.erase(), "REP"),
    ];
    for (round, (socket, peer)) in (0..).zip(&bound) {
        let (mut monitor, peer) = (socket.monitor(), *peer);
        let at = bind_tcp(socket).await;
        smol::unblock(move || attack(at, peer, round * 100..round * 100 + 100)).await;
        // Each of the 100 connections ends with a reason. Complete messages may still be received.
        let mut observed = Observed::default();
        while observed.ends.len() < 100 {
            observed.note(monitor.next().await.unwrap());
        }
        let local_fault = observed.ends.iter().find(|reason| reason.fault() == Fault::Local);
        assert!(local_fault.is_none() || peer == "PAIR", "{peer}: {local_fault:?}");
        while socket.try_recv().is_ok() {
            if peer == "REQ" {
                socket.try_send("a REP must reply to each received request").unwrap();
            }
        }
    }
    // Each socket still serves honest peers.
    let (client, server) = (socket::<Dealer>(handle), socket::<Router>(handle));
    for (bound, client_socket) in [(rep.erase(), socket::<Req>(handle).erase()), (router.erase(), client.erase())] {
        client_socket.connect(bound.bind(ANY).await.unwrap()).unwrap();
        run_until(echo(&bound), round_trip(&client_socket)).await;
    }
    let (puller, pusher) = (socket::<Pull>(handle), socket::<Push>(handle));
    push.connect(puller.bind(ANY).await.unwrap()).unwrap();
    pusher.connect(pull.bind(ANY).await.unwrap()).unwrap();
    dealer.connect(server.bind(ANY).await.unwrap()).unwrap();
    transfer(&pusher.erase(), &pull.erase()).await;
    transfer(&push.erase(), &puller.erase()).await;
    transfer(&dealer.erase(), &server.erase()).await;
}

#[test]
fn each_socket_type_serves_after_corrupted_sessions() {
    on_each_runtime(corrupted_sessions);
}
