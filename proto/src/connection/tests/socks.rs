//! Tests of connections through a SOCKS5 proxy. The replies of the proxy are written by hand.

use super::*;

/// Connection under test, and the bytes that a simulated SOCKS proxy has received from it, one entry per request.
struct Proxy {
    connection: Connection,
    received: Vec<Vec<u8>>,
}

impl Proxy {
    fn new(user: Option<(&str, &str)>, to: &str) -> Self {
        let user = user.map(|(name, password)| User { name: name.into(), password: password.into() });
        let config = ConnectionConfig::new(SocketType::Push).into();
        let connection = Connection::via_socks(&config, user, &to.parse().unwrap(), &mut SystemEntropy, NOW);
        Self { connection, received: Vec::new() }
    }

    /// Records the pending output of the connection as received by the proxy, and then delivers `bytes`, a reply of the
    /// proxy, to the connection in pieces of `piece` bytes.
    fn reply(&mut self, bytes: &[u8], piece: usize) -> Result<(), ConnectionError> {
        self.received.push(drain(&mut self.connection));
        bytes.chunks(piece).try_for_each(|bytes| self.connection.handle_input(bytes, NOW))
    }
}

#[test]
fn proxy_gets_address_and_then_peer_gets_greeting() {
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
                proxy.reply(&[5, 0], piece).unwrap();
                proxy.reply(reply, piece).unwrap();
                assert_eq!(proxy.received, [&[5, 1, 0][..], &[&[5, 1, 0], address].concat()]);
                let greeting = drain(&mut proxy.connection);
                assert_eq!(greeting, b"\xff\0\0\0\0\0\0\0\x01\x7f");
            }
        }
    }
}

#[test]
fn peer_input_directly_after_proxy_reply_is_processed() {
    let mut proxy = Proxy::new(None, "tcp://192.0.2.1:1");
    proxy.reply(&[5, 0], 99).unwrap();
    let peer = greeting(3, 1);
    proxy.reply(&[&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0], &peer[..]].concat(), 99).unwrap();
    let sent = drain(&mut proxy.connection);
    assert!(sent.len() > 64, "greeting and READY are sent, so the peer's greeting was processed");
}

#[test]
fn proxy_gets_user_name_and_password() {
    let mut proxy = Proxy::new(Some(("me", "secret")), "tcp://192.0.2.1:1");
    proxy.reply(&[5, 2], 1).unwrap();
    proxy.reply(&[1, 0], 1).unwrap();
    proxy.reply(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0], 1).unwrap();
    assert_eq!(proxy.received[..2], [&[5, 1, 2][..], b"\x01\x02me\x06secret"]);
    assert!(!format!("{:?}", Proxy::new(Some(("me", "secret")), "tcp://192.0.2.1:1").connection).contains("secret"));
}

#[test]
fn proxy_failure_is_returned_with_reason() {
    let outcome = |user, replies: &[&[u8]]| {
        let mut proxy = Proxy::new(user, "tcp://192.0.2.1:1");
        replies.iter().try_for_each(|reply| proxy.reply(reply, 1)).unwrap_err()
    };
    let user = Some(("me", "secret"));
    let without = SocksError::Method("no authentication");
    let with = SocksError::Method("user name and password");
    for (user, replies, expected) in [
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
        let error = outcome(user, replies);
        assert_eq!(error, ConnectionError::Proxy(expected), "{replies:?}");
        assert!(error.is_temporary());
    }
}

#[test]
fn each_reply_code_of_a_proxy_has_its_own_text() {
    let texts: std::collections::BTreeSet<_> = (1..=9).map(|code| SocksError::Refused(code).to_string()).collect();
    assert_eq!(texts.len(), 8, "codes 7 and 8 have one text: {texts:?}");
    assert_eq!(SocksError::Refused(5).to_string(), "the proxy replied: connection refused");
}

#[test]
fn silent_proxy_ends_with_handshake_timeout() {
    let mut proxy = Proxy::new(None, "tcp://192.0.2.1:1");
    let deadline = proxy.connection.poll_timeout().unwrap();
    assert_eq!(proxy.connection.handle_timeout(deadline), Err(ConnectionError::TimedOut(Timeout::Handshake)));
}

#[test]
fn host_name_over_255_bytes_is_rejected() {
    let mut proxy = Proxy::new(None, &format!("tcp://{}:1", "a".repeat(256)));
    assert_eq!(proxy.reply(&[5, 0], 1), Err(ConnectionError::Proxy(SocksError::Address)));
}
