//! Tests of the text of [`Metrics`].

use super::*;
use crate::socket::stats::TrafficCount;
use alloc::format;

/// Returns the statistics of a peer that is connected to `endpoint`.
fn peer(index: u32, endpoint: &str) -> PeerStats {
    PeerStats {
        pipe: PipeId { index, generation: 1 },
        endpoint: Some(endpoint.parse().unwrap()),
        address: Some("tcp://192.0.2.1:5555".parse().unwrap()),
        routing_id: Frame::from("a \"quoted\" \\ id"),
        user_id: Some(Frame::from(b"\x00\xff")),
        last_error: Some("line 1\nline 2".into()),
        connected: true,
        ready: true,
        outgoing: TrafficCount { messages: 2, bytes: 30 },
        under_way: 1,
        incoming: TrafficCount::default(),
        outgoing_age: Duration::from_millis(1500),
        incoming_age: Duration::ZERO,
        held: HeldMemory { outgoing: 144, ..HeldMemory::default() },
        sent: TrafficCount { messages: 5, bytes: 50 },
        returned: TrafficCount { messages: 1, bytes: 10 },
        received: TrafficCount { messages: 7, bytes: 70 },
        send_hwm_hits: 1,
        recv_hwm_hits: 0,
        reconnects: 3,
        round_trip: Some(RoundTrip { last: Duration::from_micros(900), smoothed: Duration::ZERO }),
    }
}

fn stats() -> SocketStats {
    let mut stats = SocketStats { peers: 2, ready_peers: 1, full_sends: 4, ..SocketStats::default() };
    stats.dropped.add(DropReason::PeerFull, 2);
    stats.limits.memory_budget = 1000;
    stats.outgoing_age = Duration::from_secs(20);
    stats
}

#[test]
fn text_of_known_statistics_is_exact() {
    let mut metrics = Metrics::new();
    metrics.add("jobs", SocketType::Router, &stats(), [peer(0, "tcp://10.0.0.1:5555")]);
    let expected = include_str!("expected.txt");
    assert_eq!(metrics.to_string(), expected);
}

#[test]
fn statistics_as_text_are_one_line() {
    let mut socket = stats();
    socket.sent = TrafficCount { messages: 5, bytes: 50 };
    assert_eq!(
        socket.to_string(),
        "2 peers, 1 ready; sent 5 messages (50 bytes), received 0 messages (0 bytes); queued 0 messages (0 bytes) out, \
         0 messages (0 bytes) in; 0 bytes held; 2 messages dropped"
    );
    let mut peer = peer(0, "tcp://10.0.0.1:5555");
    assert_eq!(
        peer.to_string(),
        "tcp://10.0.0.1:5555 (pipe 0.1) ready; sent 5 messages (50 bytes), received 7 messages (70 bytes); queued \
         2 messages (30 bytes) out, 0 messages (0 bytes) in; 144 bytes held; 3 reconnects; last error: line 1\\nline 2"
    );
    (peer.endpoint, peer.ready, peer.last_error) = (None, false, None);
    assert!(peer.to_string().starts_with("former peer (pipe 0.1) in handshake; "), "{peer}");
    peer.connected = false;
    assert!(peer.to_string().starts_with("former peer (pipe 0.1) not connected; "), "{peer}");
    assert!(peer.to_string().ends_with("; 3 reconnects"), "{peer}");
}

#[test]
#[cfg(feature = "serde")]
fn reasons_have_the_names_of_serde() {
    for reason in [DropReason::Unroutable, DropReason::PeerFull, DropReason::MissingDelimiter] {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason_name(reason));
    }
}

#[test]
fn families_of_several_sockets_are_grouped() {
    let mut metrics = Metrics::new();
    for socket_type in [SocketType::Push, SocketType::Push, SocketType::Pull] {
        metrics.add("jobs", socket_type, &stats(), [peer(0, "inproc://a"), peer(1, "inproc://b")]);
    }
    let text = metrics.to_string();
    assert_eq!(text.matches("# TYPE sansmq_peers gauge\n").count(), 1);
    assert_eq!(text.matches("# EOF").count(), 1);
    let peers = "sansmq_peers{socket=\"jobs\",type=\"PUSH\"} 2\nsansmq_peers{socket=\"jobs-2\",type=\"PUSH\"} 2\n\
                 sansmq_peers{socket=\"jobs\",type=\"PULL\"} 2\n";
    assert!(text.contains(peers), "{text}");
    assert_strict(&text);
}

#[test]
fn label_values_of_peers_are_escaped() {
    let mut metrics = Metrics::new();
    metrics.add("a\\b\"c\nd", SocketType::Dealer, &stats(), [peer(0, "ipc:///tmp/a\"b\\c")]);
    let text = metrics.to_string();
    assert!(text.contains(r#"sansmq_peers{socket="a\\b\"c\nd",type="DEALER"} 2"#), "{text}");
    assert!(text.contains(r#"endpoint="ipc:///tmp/a\"b\\c""#), "{text}");
    assert_strict(&text);
}

#[test]
fn text_without_sockets_has_only_its_end() {
    assert_eq!(Metrics::new().to_string(), "# EOF\n");
}

/// Checks the text by the rules of `OpenMetrics` 1.0 that apply to gauges, counters and infos: order of the lines, names,
/// labels that are different in each sample, values, and the last line.
fn assert_strict(text: &str) {
    let body = text.strip_suffix("# EOF\n").expect("the text ends with EOF");
    let mut names = Vec::new();
    let mut samples = Vec::new();
    let (mut name, mut kind, mut order) = ("", "", 0);
    for line in body.lines() {
        if let Some(descriptor) = line.strip_prefix("# ") {
            let [keyword, of, value] = descriptor.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
            let place = ["TYPE", "UNIT", "HELP"].iter().position(|known| *known == keyword).expect("a known keyword");
            if place == 0 {
                (name, kind) = (of, value);
                assert!(!names.contains(&name), "the family {name} appears twice");
                names.push(name);
            } else {
                assert!(of == name && place > order, "{line}");
            }
            order = place;
            match keyword {
                "TYPE" => assert!(["gauge", "counter", "info"].contains(&value), "{line}"),
                "UNIT" => assert!(name.ends_with(&format!("_{value}")), "{line}"),
                _ => assert!(value.ends_with('.'), "{line}"),
            }
            continue;
        }
        let suffix =
            [("gauge", ""), ("counter", "_total"), ("info", "_info")].iter().find(|row| row.0 == kind).unwrap().1;
        let rest = line.strip_prefix(&format!("{name}{suffix}{{")).expect("a sample of the present family");
        let (labels, value) = rest.rsplit_once("} ").unwrap();
        let number = value.parse::<f64>().unwrap();
        assert!(number >= 0.0 && (kind != "info" || value == "1"), "{line}");
        assert_labels(labels);
        let identity = format!("{name}{labels}");
        assert!(!samples.contains(&identity), "two samples have the same labels: {line}");
        samples.push(identity);
    }
}

/// Checks the syntax of a list of labels, and that no label appears twice.
fn assert_labels(mut labels: &str) {
    let mut names = Vec::new();
    loop {
        let (name, rest) = labels.split_once("=\"").expect("a label has a quoted value");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(!names.contains(&name), "the label {name} appears twice");
        names.push(name);
        let mut escaped = false;
        let end = rest.char_indices().find(|&(_, character)| {
            if escaped {
                assert!(matches!(character, '\\' | '"' | 'n'), "unknown escape in {rest}");
            }
            let is_end = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            is_end
        });
        let (end, _) = end.expect("the value of a label ends");
        match rest[end + 1..].strip_prefix(',') {
            Some(more) => labels = more,
            None => return assert_eq!(&rest[end + 1..], ""),
        }
    }
}
