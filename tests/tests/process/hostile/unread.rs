//! Those who do not read what is sent to them.

use sansmq::kind::{Any, Pub, Pull, Push, Rep, Router, Sub};
use sansmq::proto::socket::DropReason;
use sansmq::{Handle, Options, SocketType};
use sansmq_tests::harness::{ANY, ask, bind_tcp, connect_all, echo, on_each_runtime, run_until};
use sansmq_tests::memory::Memory;
use sansmq_tests::raw_peer::{MORE, command, frame, opening};
use sansmq_tests::runtimes::RuntimeHandle;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

const DEAF: usize = 10;

/// Messages that may wait for each.
const MARK: usize = 50;

const BODY: usize = 4 << 10;

/// So many come as this socket type, say this, and read nothing from now on.
async fn deaf(to: SocketAddr, socket_type: &str, octets: &[u8]) -> Vec<TcpStream> {
    let said = [&opening(socket_type), octets].concat();
    smol::unblock(move || connect_all(to, DEAF, &said)).await
}

/// What waits for each is within the mark, and the memory within what follows from it.
fn is_within_the_mark(socket: &Handle<Any>, memory: &Memory) {
    let waiting = socket.peer_stats().iter().map(|peer| peer.outgoing.messages).max().unwrap();
    assert!(waiting <= MARK as u64, "{waiting}");
    assert!(socket.peer_stats().iter().filter(|peer| peer.send_hwm_hits > 0).count() >= DEAF);
    // The queue, and the batch that is on its way.
    memory.grew_less_than(DEAF * (MARK * BODY + (1 << 20)));
}

#[test]
fn a_publisher_goes_on_when_subscribers_do_not_read() {
    on_each_runtime(async |handle| {
        let publisher = handle.socket(Options::<Pub>::new().send_hwm(MARK));
        let at = bind_tcp(&publisher).await;
        let subscriber = handle.socket(Options::<Sub>::new());
        subscriber.subscribe("").unwrap();
        subscriber.connect(publisher.bind(ANY).await.unwrap()).unwrap();
        let streams = deaf(at, "SUB", &command("SUBSCRIBE", b"")).await;
        publisher.wait_subscribed("", DEAF + 1).await;
        let memory = Memory::now();
        // Until the last of those who do not read has missed a message, and on.
        let mut sent = 0;
        let missed = || publisher.stats().dropped.of(DropReason::PeerFull);
        while missed() < 100 * DEAF as u64 {
            publisher.send(vec![7; BODY]).await.unwrap();
            assert_eq!(subscriber.recv().await.unwrap().size(), BODY);
            sent += 1;
        }
        assert_eq!(subscriber.stats().received.messages, sent);
        is_within_the_mark(&publisher.erase(), &memory);
        drop(streams);
    });
}

#[test]
fn a_pusher_gives_all_to_those_who_read_when_others_do_not() {
    on_each_runtime(async |handle| {
        let pusher = handle.socket(Options::<Push>::new().send_hwm(MARK));
        let at = bind_tcp(&pusher).await;
        let streams = deaf(at, "PULL", b"").await;
        pusher.wait_connected(DEAF).await;
        let memory = Memory::now();
        let puller = handle.socket(Options::<Pull>::new());
        puller.connect(pusher.bind(ANY).await.unwrap()).unwrap();
        pusher.wait_connected(DEAF + 1).await;
        // Until the last of those who do not read has had no room, and on.
        let all_are_full = || pusher.peer_stats().iter().filter(|peer| peer.send_hwm_hits > 0).count() >= DEAF;
        let pushing = async {
            loop {
                pusher.send(vec![7; BODY]).await.unwrap();
            }
        };
        let pulling = async {
            let mut count = 0;
            while count < 1000 || !all_are_full() {
                assert_eq!(puller.recv().await.unwrap().size(), BODY);
                count += 1;
            }
        };
        run_until(pushing, pulling).await;
        is_within_the_mark(&pusher.erase(), &memory);
        drop(streams);
    });
}

/// Strangers of this socket type ask again and again and do not read the answers, while somebody honest asks too.
async fn asked(handle: &RuntimeHandle, server: Handle<Any>, kind: SocketType, request: Vec<u8>) {
    let at = bind_tcp(&server).await;
    let honest = handle.socket(Options::of(kind));
    honest.connect(server.bind(ANY).await.unwrap()).unwrap();
    let memory = Memory::now();
    let attack = async {
        let mut streams = deaf(at, kind.name(), b"").await;
        while server.stats().dropped.of(DropReason::PeerFull) < 10 * DEAF as u64 {
            let some = request.repeat(10);
            let asking = smol::unblock(move || {
                for stream in &mut streams {
                    stream.write_all(&some).unwrap();
                }
                streams
            });
            streams = asking.await;
            ask(&honest).await;
        }
        streams
    };
    let streams = run_until(echo(&server), attack).await;
    is_within_the_mark(&server, &memory);
    drop(streams);
}

#[test]
fn a_router_answers_others_when_some_do_not_read() {
    on_each_runtime(async |handle| {
        let router = handle.socket(Options::<Router>::new().send_hwm(MARK));
        asked(handle, router.erase(), SocketType::Dealer, frame(0, &[7; BODY])).await;
    });
}

#[test]
fn a_rep_answers_others_when_some_do_not_read() {
    on_each_runtime(async |handle| {
        let rep = handle.socket(Options::<Rep>::new().send_hwm(MARK));
        asked(handle, rep.erase(), SocketType::Req, [frame(MORE, b""), frame(0, &[7; BODY])].concat()).await;
    });
}
