//! Those who got in, and say too much.

use sansmq::kind::Pull;
use sansmq::proto::connection::Fault;
use sansmq::{ConnectionError, Options};
use sansmq_tests::harness::{Target, bind_tcp, connect_all, on_each_runtime};
use sansmq_tests::memory::Memory;
use sansmq_tests::raw_peer::{COMMAND, MORE, command, frame, head, opening, say};
use std::io::{Read, Write};
use std::net::TcpStream;

/// What a DEALER says, this being behind its opening.
fn dealer(octets: &[u8]) -> Vec<u8> {
    [&opening("DEALER"), octets].concat()
}

/// Waits for its own words to come back, behind a greeting and a READY of any length.
fn hear(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut observed, mut room) = (Vec::new(), vec![0; 64 << 10]);
    while !observed.ends_with(end) {
        let count = stream.read(&mut room).unwrap();
        assert!(count > 0, "it was hung up on");
        observed.extend(&room[..count]);
    }
    observed
}

#[test]
fn a_size_beyond_the_limit_ends_the_connection_before_anything_of_it_has_come() {
    const LIMIT: usize = 1 << 20;
    const EACH: usize = 20;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new().max_message_size(LIMIT)).await;
        for (octets, size, limit) in [
            (head(0, 1 << 20 | 1), (1 << 20) + 1, 1 << 20),
            (head(MORE, 1 << 31), 1 << 31, 1 << 20),
            (head(0, u64::MAX >> 1), u64::MAX >> 1, 1 << 20),
            ([frame(MORE, &[0; 1000]), head(0, 1 << 20)].concat(), (1 << 20) + 1000, 1 << 20),
            (head(COMMAND, 1 << 31), 1 << 31, 128 << 10),
        ] {
            target
                .expect_rejected(EACH, dealer(&octets), |end| *end == ConnectionError::TooLarge { size, limit })
                .await;
        }
        // RFC 37 has no sizes with the highest bit.
        let malformed = |end: &ConnectionError| matches!(end, ConnectionError::Malformed(_));
        target.expect_rejected(EACH, dealer(&head(0, u64::MAX)), malformed).await;
        target.baseline.grew_less_than(512 << 10);
        target.finish().await;
    });
}

#[test]
fn who_announces_all_that_is_allowed_and_sends_none_of_it_is_granted_little() {
    const MANY: usize = 500;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        target.hold_open(MANY, dealer(&head(0, 64 << 20))).await;
        while target.router.stats().ready_peers < MANY + 1 {
            target.serve_during(|_| ()).await;
        }
        assert_eq!(target.hostile_peers(), MANY as u64, "they have done nothing wrong yet");
        // Announced are 32 GiB.
        target.baseline.grew_less_than(16 << 20);
        target.finish().await;
    });
}

#[test]
fn a_message_without_end_is_cut_off_by_its_frames_or_by_its_size() {
    const LIMIT: usize = 4 << 20;
    const EACH: usize = 5;
    let frames = ConnectionError::TooManyFrames { limit: 4096 };
    let size = ConnectionError::TooLarge { size: 5 << 20, limit: LIMIT as u64 };
    on_each_runtime(async move |handle| {
        let endless = [(vec![], &frames), (vec![7; 100], &frames), (vec![7; 1 << 20], &size)];
        let mut target = Target::new(handle, Options::new().max_message_size(LIMIT)).await;
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
        target.baseline.grew_less_than(5 * LIMIT);
        target.finish().await;
    });
}

#[test]
fn commands_that_mean_nothing_to_us_are_read_and_forgotten() {
    on_each_runtime(async |handle| {
        let floods = [
            command("UNHEARD-OF", b"").repeat(20_000),
            command("UNHEARD-OF", &vec![7; 100 << 10]).repeat(100),
            command("SUBSCRIBE", b"a ROUTER has no use for it").repeat(20_000),
            command("JOIN", &[7; 300]).repeat(10_000),
            command("PONG", b"to nothing that was asked").repeat(20_000),
        ];
        let mut target = Target::new(handle, Options::new()).await;
        let streams = target.serve_during(move |at| {
            let done = frame(0, b"done");
            floods.map(|flood| {
                let mut stream = say(at, &opening("DEALER")).unwrap();
                stream.write_all(&flood).unwrap();
                stream.write_all(&done).unwrap();
                hear(&mut stream, &done);
                stream
            })
        });
        let streams = streams.await;
        assert_eq!(target.hostile_peers(), streams.len() as u64);
        let waiting = target.router.peer_stats().iter().map(|peer| peer.incoming.messages).sum::<u64>();
        assert_eq!(waiting, 0);
        target.baseline.grew_less_than(512 << 10);
        drop(streams);
        target.finish().await;
    });
}

#[test]
fn commands_that_have_no_place_in_traffic_end_the_connection() {
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        for said in [
            command("ERROR", b"\x03400"),
            command("ERROR", b"\xff400"),
            command("READY", b""),
            command("PING", b"\0"),
            frame(COMMAND, b""),
            frame(COMMAND, b"\xffshort"),
            frame(COMMAND | MORE, b"\x04PING\0\0"),
        ] {
            target.expect_rejected(1, dealer(&said), |end| end.fault() == Fault::Peer).await;
        }
        target.finish().await;
    });
}

#[test]
fn of_the_pings_of_a_peer_that_does_not_read_the_last_few_are_answered_when_it_does() {
    const PINGS: u32 = 300_000;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        let stream = target.serve_during(|at| {
            let mut stream = say(at, &opening("DEALER")).unwrap();
            for first in (0..PINGS).step_by(1000) {
                let numbers = first..first + 1000;
                let pings = numbers.flat_map(|number| command("PING", format!("\0\0{number:016}").as_bytes()));
                // All of it is read, or we would wait here for ever.
                stream.write_all(&pings.collect::<Vec<_>>()).unwrap();
            }
            stream
        });
        let mut stream = stream.await;
        target.baseline.grew_less_than(512 << 10);
        let last = command("PONG", format!("{:016}", PINGS - 1).as_bytes());
        let answered = target.serve_during(move |_| hear(&mut stream, &last).len() / last.len()).await;
        assert!(answered < PINGS as usize, "what was not read was queued: {answered}");
        target.finish().await;
    });
}

#[test]
fn messages_that_nobody_receives_hold_little_more_memory_than_they_need() {
    const MESSAGES: usize = 500;
    const BODY: usize = 1 << 10;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        let sink = handle.socket(Options::<Pull>::new());
        let at = bind_tcp(&sink).await;
        target.baseline = Memory::now();
        let stream = target.serve_during(move |_| {
            let mut stream = say(at, &opening("PUSH")).unwrap();
            for number in 0..MESSAGES {
                // Each is read alone: the answer comes before the next.
                let number = format!("{number:016}");
                let ping = command("PING", format!("\0\0{number}").as_bytes());
                stream.write_all(&[frame(0, &[7; BODY]), ping].concat()).unwrap();
                hear(&mut stream, &command("PONG", number.as_bytes()));
            }
            stream
        });
        let stream = stream.await;
        assert_eq!(sink.stats().incoming.messages, MESSAGES as u64);
        target.baseline.grew_less_than(MESSAGES * 4 * BODY);
        drop((stream, sink));
        target.finish().await;
    });
}
