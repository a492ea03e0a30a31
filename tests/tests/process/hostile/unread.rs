//! Hostile peers that do not read what the socket sends.

use sansmq::kind::{Any, Pub, Pull, Push, Rep, Router, Sub};
use sansmq::proto::socket::DropReason;
use sansmq::{Handle, Options, SocketType};
use sansmq_tests::harness::{ANY, bind_tcp, connect_all, echo, on_each_runtime, round_trip, run_until};
use sansmq_tests::memory::Memory;
use sansmq_tests::raw_peer::{MORE, command, frame, greeting_and_ready};
use sansmq_tests::runtimes::RuntimeHandle;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

/// Number of peers that do not read.
const NON_READERS: usize = 10;

/// Send high-water mark for each peer of the attacked socket, in messages.
const HWM: usize = 50;

const BODY: usize = 4 << 10;

/// Connects [`NON_READERS`] peers of the given socket type that send `bytes` and never read.
async fn connect_non_readers(to: SocketAddr, socket_type: &str, bytes: &[u8]) -> Vec<TcpStream> {
    let sent = [&greeting_and_ready(socket_type), bytes].concat();
    smol::unblock(move || connect_all(to, NON_READERS, &sent)).await
}

/// Asserts that the queues of the peers that do not read have reached the high-water mark, and the same as
/// [`assert_below_hwm`].
fn assert_within_hwm(socket: &Handle<Any>, memory: &Memory) {
    assert!(socket.peer_stats().iter().filter(|peer| peer.send_hwm_hits > 0).count() >= NON_READERS);
    assert_below_hwm(socket, memory);
}

/// Asserts that the queue of each peer is within the high-water mark. Asserts that memory has grown by less than the size
/// of the queues of the peers that do not read, plus 1 MiB for each of these.
fn assert_below_hwm(socket: &Handle<Any>, memory: &Memory) {
    let queued = socket.peer_stats().iter().map(|peer| peer.outgoing.messages).max().unwrap();
    assert!(queued <= HWM as u64, "{queued} messages are queued");
    // The queue, and the batch that the connection holds.
    memory.assert_growth_below(NON_READERS * (HWM * BODY + (1 << 20)));
}

#[test]
fn pub_serves_others_while_subscribers_do_not_read() {
    on_each_runtime(async |handle| {
        let publisher = handle.socket(Options::<Pub>::new().send_hwm(HWM));
        let at = bind_tcp(&publisher).await;
        let subscriber = handle.socket(Options::<Sub>::new());
        subscriber.subscribe("").unwrap();
        subscriber.connect(publisher.bind(ANY).await.unwrap()).unwrap();
        let streams = connect_non_readers(at, "SUB", &command("SUBSCRIBE", b"")).await;
        publisher.wait_subscribed("", NON_READERS + 1).await.unwrap();
        let memory = Memory::now();
        // Sends until 100 messages per peer that does not read were dropped.
        let mut sent = 0;
        let dropped = || publisher.stats().dropped.of(DropReason::PeerFull);
        while dropped() < 100 * NON_READERS as u64 {
            publisher.send(vec![7; BODY]).await.unwrap();
            assert_eq!(subscriber.recv().await.unwrap().size(), BODY);
            sent += 1;
        }
        assert_eq!(subscriber.stats().received.messages, sent);
        assert_within_hwm(&publisher.erase(), &memory);
        drop(streams);
    });
}

#[test]
fn push_sends_to_readers_while_others_do_not_read() {
    on_each_runtime(async |handle| {
        let pusher = handle.socket(Options::<Push>::new().send_hwm(HWM));
        let at = bind_tcp(&pusher).await;
        let streams = connect_non_readers(at, "PULL", b"").await;
        pusher.wait_connected(NON_READERS).await.unwrap();
        let memory = Memory::now();
        let puller = handle.socket(Options::<Pull>::new());
        puller.connect(pusher.bind(ANY).await.unwrap()).unwrap();
        pusher.wait_connected(NON_READERS + 1).await.unwrap();
        // Sends until the connection of every peer that does not read is full.
        let queues = || pusher.peer_stats().into_iter().filter(|peer| peer.outgoing.messages > 0).count();
        let pushing = async {
            loop {
                pusher.send(vec![7; BODY]).await.unwrap();
            }
        };
        let pulling = async {
            let mut count = 0;
            while count < 1000 || queues() < NON_READERS {
                assert_eq!(puller.recv().await.unwrap().size(), BODY);
                count += 1;
            }
        };
        run_until(pushing, pulling).await;
        assert_below_hwm(&pusher.erase(), &memory);
        drop(streams);
    });
}

/// Connects peers of the socket type `kind` that send `request` again and again and do not read the replies. Asserts
/// that an honest peer is served meanwhile.
async fn serve_with_non_readers(handle: &RuntimeHandle, server: Handle<Any>, kind: SocketType, request: Vec<u8>) {
    let at = bind_tcp(&server).await;
    let honest = handle.socket(Options::of(kind));
    honest.connect(server.bind(ANY).await.unwrap()).unwrap();
    let memory = Memory::now();
    let attack = async {
        let mut streams = connect_non_readers(at, kind.name(), b"").await;
        let full = || server.peer_stats().iter().filter(|peer| peer.send_hwm_hits > 0).count();
        while full() < NON_READERS || server.stats().dropped.of(DropReason::PeerFull) < 10 * NON_READERS as u64 {
            let batch = request.repeat(10);
            let writing = smol::unblock(move || {
                for stream in &mut streams {
                    stream.write_all(&batch).unwrap();
                }
                streams
            });
            streams = writing.await;
            round_trip(&honest).await;
        }
        streams
    };
    let streams = run_until(echo(&server), attack).await;
    assert_within_hwm(&server, &memory);
    drop(streams);
}

#[test]
fn router_serves_others_while_some_do_not_read() {
    on_each_runtime(async |handle| {
        let router = handle.socket(Options::<Router>::new().send_hwm(HWM));
        serve_with_non_readers(handle, router.erase(), SocketType::Dealer, frame(0, &[7; BODY])).await;
    });
}

#[test]
fn rep_serves_others_while_some_do_not_read() {
    on_each_runtime(async |handle| {
        let rep = handle.socket(Options::<Rep>::new().send_hwm(HWM));
        serve_with_non_readers(handle, rep.erase(), SocketType::Req, [frame(MORE, b""), frame(0, &[7; BODY])].concat())
            .await;
    });
}
