//! What peers said to sockets of libzmq, well or badly, and whether the connection was kept: here as there, or the reason is
//! said in `data/verdicts.list`. However the octets are cut, they are understood alike.

#![expect(clippy::unwrap_used, reason = "a surprise is a test that fails")]

mod recorded;

use recorded::{hear, octets};
use sansmq_proto::SocketType;
use sansmq_proto::connection::ConnectionConfig;
use std::sync::Arc;

#[test]
fn what_libzmq_puts_up_with_we_do_and_what_it_does_not_we_do_not_wherever_it_is_cut() {
    let mut cases = 0;
    for line in include_str!("data/verdicts.list").lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let words: Vec<_> = line.split(' ').collect();
        let (Some((&hex, [name, socket_type, limit, verdict @ ..])), true) = (words.split_last(), words.len() < 7)
        else {
            panic!("{line} is no case");
        };
        let mut config = ConnectionConfig::new(SocketType::from_name(socket_type.as_bytes()).unwrap());
        if *limit != "-" {
            config.max_message_size = limit.parse().unwrap();
        }
        let (config, octets) = (Arc::new(config), octets(hex));
        let whole = hear(&config, &[&octets]);
        for cut in 0..=octets.len() {
            let (front, rest) = octets.split_at(cut);
            assert_eq!(hear(&config, &[front, rest]), whole, "{name}, cut at {cut}");
        }
        let ours = if whole.error.is_some() { "ends" } else { "keeps" };
        assert_eq!(Some(&ours), verdict.last(), "{name}: {:?}", whole.error);
        assert!(verdict.len() == 1 || verdict[0] != verdict[1], "{name}: a difference is one");
        cases += 1;
    }
    assert!(cases > 60, "the cases are there");
}
