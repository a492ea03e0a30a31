//! Replays recorded valid and invalid input to a connection, and tests that our connection ends if and only if libzmq
//! ended its connection, except for intended differences. `data/verdicts.list` has the input, the result of libzmq, and
//! a reason for each difference. The result must not depend on how the input is split.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod recorded;

use recorded::{decode, replay};
use sansmq_proto::SocketType;
use sansmq_proto::connection::ConnectionConfig;
use std::sync::Arc;

#[test]
fn verdicts_match_libzmq_for_every_split() {
    let mut cases = 0;
    for line in include_str!("data/verdicts.list").lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let words: Vec<_> = line.split(' ').collect();
        let (Some((&hex, [name, socket_type, limit, verdict @ ..])), true) = (words.split_last(), words.len() < 7)
        else {
            panic!("invalid case: {line}");
        };
        let mut config = ConnectionConfig::new(SocketType::from_name(socket_type.as_bytes()).unwrap());
        if *limit != "-" {
            config.max_message_size = limit.parse().unwrap();
        }
        let (config, input) = (Arc::new(config), decode(hex));
        let whole = replay(&config, &[&input]);
        for cut in 0..=input.len() {
            let (front, rest) = input.split_at(cut);
            assert_eq!(replay(&config, &[front, rest]), whole, "{name}, split at {cut}");
        }
        let ours = if whole.error.is_some() { "ends" } else { "keeps" };
        assert_eq!(Some(&ours), verdict.last(), "{name}: {:?}", whole.error);
        assert!(verdict.len() == 1 || verdict[0] != verdict[1], "{name}: the two verdicts must differ");
        cases += 1;
    }
    assert!(cases > 60, "cases are missing");
}
