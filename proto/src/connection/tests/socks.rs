//! A proxy on the way, played by hand.

use super::*;

/// What a proxy answers to each thing it hears, and what it hears.
struct Proxy {
    connection: Connection,
    heard: Vec<Vec<u8>>,
}

impl Proxy {
    fn new(user: Option<(&str, &str)>, to: &str) -> Self {
        let user = user.map(|(name, password)| User { name: name.into(), password: password.into() });
        let config = ConnectionConfig::new(SocketType::Push).into();
        let connection = Connection::via_socks(&config, user, &to.parse().unwrap(), &mut SystemEntropy, NOW);
        Self { connection, heard: Vec::new() }
    }

    /// Hears what there is to hear, and answers in pieces of this size.
    fn answer(&mut self, octets: &[u8], piece: usize) -> Result<(), ConnectionError> {
        self.heard.push(drain(&mut self.connection));
        octets.chunks(piece).try_for_each(|octets| self.connection.handle_input(octets, NOW))
    }
}

#[test]
fn a_proxy_is_told_where_to_and_then_the_greeting_goes_to_the_peer() {
    for (to, address) in [
        ("tcp://192.0.2.1:258", &[1, 192, 0, 2, 1, 1, 2][..]),
        ("tcp://[::1]:258", &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2]),
        ("tcp://a.example:258", b"\x03\x09a.example\x01\x02"),
    ] {
        for reply in [
            &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0][..],
            b"\x05\0\0\x03\x02xy\0\0",
            &[[5, 0, 0, 4].as_slice(), &[0; 18]].concat(),
        ] {
            for piece in [1, 99] {
                let mut proxy = Proxy::new(None, to);
                proxy.answer(&[5, 0], piece).unwrap();
                proxy.answer(reply, piece).unwrap();
                assert_eq!(proxy.heard, [&[5, 1, 0][..], &[&[5, 1, 0], address].concat()]);
                let greeting = drain(&mut proxy.connection);
                assert_eq!(greeting, b"\xff\0\0\0\0\0\0\0\x01\x7f");
            }
        }
    }
}

#[test]
fn what_the_peer_says_right_behind_the_proxys_reply_is_heard() {
    let mut proxy = Proxy::new(None, "tcp://192.0.2.1:1");
    proxy.answer(&[5, 0], 99).unwrap();
    let peer = greeting(3, 1);
    proxy.answer(&[&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0], &peer[..]].concat(), 99).unwrap();
    let sent = drain(&mut proxy.connection);
    assert!(sent.len() > 64, "greeting and READY: the peer's greeting was understood");
}

#[test]
fn a_proxy_that_asks_is_told_who_we_are() {
    let mut proxy = Proxy::new(Some(("me", "secret")), "tcp://192.0.2.1:1");
    proxy.answer(&[5, 2], 1).unwrap();
    proxy.answer(&[1, 0], 1).unwrap();
    proxy.answer(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0], 1).unwrap();
    assert_eq!(proxy.heard[..2], [&[5, 1, 2][..], b"\x01\x02me\x06secret"]);
    assert!(!format!("{:?}", Proxy::new(Some(("me", "secret")), "tcp://192.0.2.1:1").connection).contains("secret"));
}

#[test]
fn a_proxy_that_does_not_put_us_through_says_why() {
    let outcome = |user, answers: &[&[u8]]| {
        let mut proxy = Proxy::new(user, "tcp://192.0.2.1:1");
        answers.iter().try_for_each(|answer| proxy.answer(answer, 1)).unwrap_err()
    };
    let user = Some(("me", "secret"));
    let without = SocksError::Method("without a user and a password");
    let with = SocksError::Method("with a user and a password");
    for (user, answers, expected) in [
        (None, &[&[4, 0][..]][..], SocksError::NotSocks),
        (None, &[b"HTTP/1.1 400"], SocksError::NotSocks),
        (None, &[&[5, 2]], without),
        (None, &[&[5, 255]], without),
        (user, &[&[5, 0]], with),
        (user, &[&[5, 2], &[1, 1]], SocksError::Denied),
        (user, &[&[5, 2], &[5, 0]], SocksError::NotSocks),
        (None, &[&[5, 0], &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]], SocksError::Refused(5)),
        (None, &[&[5, 0], &[5, 0, 0, 9, 0, 0, 0, 0, 0, 0]], SocksError::NotSocks),
        (None, &[&[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]], SocksError::NotSocks),
    ] {
        let error = outcome(user, answers);
        assert_eq!(error, ConnectionError::Proxy(expected), "{answers:?}");
        assert!(error.may_reconnect());
    }
}

#[test]
fn a_proxy_that_says_nothing_is_given_up_like_a_peer() {
    let mut proxy = Proxy::new(None, "tcp://192.0.2.1:1");
    let deadline = proxy.connection.poll_timeout().unwrap();
    assert_eq!(proxy.connection.handle_timeout(deadline), Err(ConnectionError::TimedOut(Timeout::Handshake)));
}

#[test]
fn a_name_that_cannot_be_told_is_an_error() {
    let mut proxy = Proxy::new(None, &format!("tcp://{}:1", "a".repeat(256)));
    assert_eq!(proxy.answer(&[5, 0], 1), Err(ConnectionError::Proxy(SocksError::Address)));
}
