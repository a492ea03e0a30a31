//! Hostile peers that complete the handshake, and then send malformed, too large or too many messages and commands.

use sansmq::kind::Pull;
use sansmq::proto::connection::Fault;
use sansmq::{ConnectionError, Options};
use sansmq_tests::harness::{Target, bind_tcp, connect_all, on_each_runtime};
use sansmq_tests::memory::Memory;
use sansmq_tests::raw_peer::{COMMAND, MORE, command, connect_and_send, frame, greeting_and_ready, head};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Returns the greeting and the READY of a DEALER, followed by `bytes`.
fn dealer(bytes: &[u8]) -> Vec<u8> {
    [&greeting_and_ready("DEALER"), bytes].concat()
}

/// Reads until the received bytes end with `end`, and returns them.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut received, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    while !received.ends_with(end) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the connection was closed");
        received.extend(&buffer[..count]);
    }
    received
}

#[test]
fn size_above_limit_is_rejected_before_the_body() {
    const LIMIT: usize = 1 << 20;
    const EACH: usize = 20;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new().max_message_size(LIMIT)).await;
        for (bytes, size, limit) in [
            (head(0, 1 << 20 | 1), (1 << 20) + 1, 1 << 20),
            (head(MORE, 1 << 31), 1 << 31, 1 << 20),
            (head(0, u64::MAX >> 1), u64::MAX >> 1, 1 << 20),
            ([frame(MORE, &[0; 1000]), head(0, 1 << 20)].concat(), (1 << 20) + 1000, 1 << 20),
            (head(COMMAND, 1 << 31), 1 << 31, 128 << 10),
        ] {
            target.expect_rejected(EACH, dealer(&bytes), |end| *end == ConnectionError::TooLarge { size, limit }).await;
        }
        // RFC 37: the highest bit of a size is zero.
        let malformed = |end: &ConnectionError| matches!(end, ConnectionError::Malformed(_));
        target.expect_rejected(EACH, dealer(&head(0, u64::MAX)), malformed).await;
        target.baseline.assert_growth_below(512 << 10);
        target.finish().await;
    });
}

#[test]
fn announced_message_size_allocates_little() {
    const MANY: usize = 500;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        target.hold_open(MANY, dealer(&head(0, 64 << 20))).await;
        while target.router.stats().ready_peers < MANY + 1 {
            target.serve_during(|_| ()).await;
        }
        assert_eq!(target.hostile_peers(), MANY as u64, "an unfinished message is valid");
        // The announced sizes add up to about 32 GiB.
        target.baseline.assert_growth_below(16 << 20);
        target.finish().await;
    });
}

#[test]
fn endless_message_is_rejected_by_frame_count_or_size() {
    const LIMIT: usize = 4 << 20;
    const EACH: usize = 5;
    let frames = ConnectionError::TooManyFrames { limit: 4096 };
    let size = ConnectionError::TooLarge { size: 5 << 20, limit: LIMIT as u64 };
    on_each_runtime(async move |handle| {
        let endless = [(vec![], &frames), (vec![7; 100], &frames), (vec![7; 1 << 20], &size)];
        let mut target = Target::new(handle, Options::new().max_message_size(LIMIT).max_frames(4096)).await;
        for (body, reason) in endless {
            let streams = target.serve_during(move |at| {
                let mut streams = connect_all(at, EACH, &dealer(b""));
                let frame = frame(MORE, &body);
                let some = frame.repeat(1 + 1000 / frame.len());
                for stream in &mut streams {
                    while stream.write_all(&some).is_ok() {}
                }
                streams
            });
            let streams = streams.await;
            target.expect_ends(EACH, |end| end == reason).await;
            drop(streams);
        }
        target.baseline.assert_growth_below(5 * LIMIT);
        target.finish().await;
    });
}

#[test]
fn unknown_commands_are_ignored_and_use_no_memory() {
    on_each_runtime(async |handle| {
        let floods = [
            command("UNKNOWN", b"").repeat(20_000),
            command("UNKNOWN", &vec![7; 100 << 10]).repeat(100),
            command("SUBSCRIBE", b"ignored by a ROUTER").repeat(20_000),
            command("JOIN", &[7; 300]).repeat(10_000),
            command("PONG", b"without a PING").repeat(20_000),
        ];
        let mut target = Target::new(handle, Options::new()).await;
        let streams = target.serve_during(move |at| {
            let done = frame(0, b"done");
            floods.map(|flood| {
                let mut stream = connect_and_send(at, &greeting_and_ready("DEALER")).unwrap();
                stream.write_all(&flood).unwrap();
                stream.write_all(&done).unwrap();
                read_until(&mut stream, &done);
                stream
            })
        });
        let streams = streams.await;
        assert_eq!(target.hostile_peers(), streams.len() as u64);
        let waiting = target.router.peer_stats().iter().map(|peer| peer.incoming.messages).sum::<u64>();
        assert_eq!(waiting, 0);
        // The floods have 15 MiB. Each thread of the runtime keeps some of its read buffers.
        target.baseline.assert_growth_below(2 << 20);
        drop(streams);
        target.finish().await;
    });
}

#[test]
fn invalid_command_in_traffic_ends_the_connection() {
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        for sent in [
            command("ERROR", b"\x03400"),
            command("ERROR", b"\xff400"),
            command("READY", b""),
            command("PING", b"\0"),
            frame(COMMAND, b""),
            frame(COMMAND, b"\xffshort"),
            frame(COMMAND | MORE, b"\x04PING\0\0"),
        ] {
            target.expect_rejected(1, dealer(&sent), |end| end.fault() == Fault::Peer).await;
        }
        target.finish().await;
    });
}

#[test]
fn pongs_to_a_peer_that_does_not_read_are_not_queued() {
    const PINGS: u32 = 300_000;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        let stream = target.serve_during(|at| {
            let mut stream = connect_and_send(at, &greeting_and_ready("DEALER")).unwrap();
            for first in (0..PINGS).step_by(1000) {
                let numbers = first..first + 1000;
                let pings = numbers.flat_map(|number| command("PING", format!("\0\0{number:016}").as_bytes()));
                // The router must read all PINGs, or this write blocks.
                stream.write_all(&pings.collect::<Vec<_>>()).unwrap();
            }
            stream
        });
        let mut stream = stream.await;
        target.baseline.assert_growth_below(512 << 10);
        let last = command("PONG", format!("{:016}", PINGS - 1).as_bytes());
        let answered = target.serve_during(move |_| read_until(&mut stream, &last).len() / last.len()).await;
        assert!(answered < PINGS as usize, "PONGs were queued: {answered}");
        target.finish().await;
    });
}

#[test]
fn queued_messages_use_little_more_memory_than_their_size() {
    const MESSAGES: usize = 500;
    const BODY: usize = 1 << 10;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        let sink = handle.socket(Options::<Pull>::new());
        let at = bind_tcp(&sink).await;
        target.baseline = Memory::now();
        let stream = target.serve_during(move |_| {
            let mut stream = connect_and_send(at, &greeting_and_ready("PUSH")).unwrap();
            for number in 0..MESSAGES {
                // Waiting for the PONG makes the socket read each message alone.
                let number = format!("{number:016}");
                let ping = command("PING", format!("\0\0{number}").as_bytes());
                stream.write_all(&[frame(0, &[7; BODY]), ping].concat()).unwrap();
                read_until(&mut stream, &command("PONG", number.as_bytes()));
            }
            stream
        });
        let stream = stream.await;
        assert_eq!(sink.stats().incoming.messages, MESSAGES as u64);
        target.baseline.assert_growth_below(MESSAGES * 4 * BODY);
        drop((stream, sink));
        target.finish().await;
    });
}
