//! Fuzz target for the handshake with a SOCKS proxy.

use super::bounded;
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::{Buf, Connection, Instant, Options, Socket, kind};

#[derive(Arbitrary, Debug)]
struct Scenario<'a> {
    has_user: bool,
    host: Host,
    /// Length of the pieces in which the replies of the proxy arrive.
    step: u8,
    replies: Replies<'a>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Host {
    V4,
    V6,
    Name,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Replies<'a> {
    Any(&'a [u8]),
    /// Valid replies; the bytes are the bound address of the proxy.
    Valid(Host, &'a [u8]),
}

/// Checks that the result is the same for replies that arrive as a whole and in pieces, that no reply makes the connection
/// ready, and that after valid replies the connection sends its greeting.
pub fn socks(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(scenario) = Scenario::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let steps = match scenario.replies {
        Replies::Any(bytes) => split(bytes, scenario.has_user),
        Replies::Valid(address, bytes) => valid(address, bytes, scenario.has_user),
    };
    let whole = run(&scenario, &steps, usize::MAX);
    let pieces = run(&scenario, &steps, usize::from(scenario.step).max(1));
    assert_eq!(whole, pieces);
    if matches!(scenario.replies, Replies::Valid(..)) {
        let sent = whole.expect("the replies are valid");
        assert!(sent.ends_with(&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f]), "no greeting: {sent:02x?}");
    }
}

/// Splits bytes into the replies of a proxy: each may be sent only after its request.
fn split(bytes: &[u8], has_user: bool) -> Vec<Vec<u8>> {
    let (method, rest) = bytes.split_at(bytes.len().min(2));
    let (login, rest) = rest.split_at(if has_user { rest.len().min(2) } else { 0 });
    [method, login, rest].into_iter().filter(|reply| !reply.is_empty()).map(Into::into).collect()
}

fn valid(address: Host, bytes: &[u8], has_user: bool) -> Vec<Vec<u8>> {
    let mut address_bytes = match address {
        Host::V4 => vec![1; 5],
        Host::V6 => vec![4; 17],
        Host::Name => {
            let name = &bytes[..bytes.len().min(255)];
            [&[3, u8::try_from(name.len()).expect("at most 255")], name].concat()
        }
    };
    address_bytes.extend([0, 80]);
    let reply = [&[5, 0, 0], &address_bytes[..]].concat();
    if has_user { vec![vec![5, 2], vec![1, 0], reply] } else { vec![vec![5, 0], reply] }
}

/// Delivers the replies in pieces of `step` bytes. Returns all bytes that the connection has sent, or the error.
fn run(scenario: &Scenario<'_>, replies: &[Vec<u8>], step: usize) -> Result<Vec<u8>, String> {
    let options = Options::<kind::Dealer>::new();
    let options = if scenario.has_user {
        options.socks_proxy_as("proxy:1080", "user", "password")
    } else {
        options.socks_proxy("proxy:1080")
    };
    let endpoint = match scenario.host {
        Host::V4 => "tcp://192.0.2.1:5555",
        Host::V6 => "tcp://[2001:db8::1]:5555",
        Host::Name => "tcp://server.example:5555",
    };
    let now = Instant::ORIGIN;
    let mut socket = Socket::new(options.expect("a valid proxy"), SeededEntropy::new(1));
    let pipe = socket.connect(endpoint.parse().expect("a valid endpoint"), now).expect("the socket is open");
    let mut connection = socket.connected(pipe, now).expect("the pipe is being dialled");
    let mut sent = drain(&mut connection);
    for reply in replies {
        for piece in reply.chunks(step.min(reply.len())) {
            connection.handle_input(piece, now).map_err(|error| format!("{error:?}"))?;
            sent.extend(drain(&mut connection));
        }
    }
    Ok(sent)
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut sent = Vec::new();
    while let Some(out) = connection.poll_transmit() {
        sent.extend_from_slice(&out.copy_to_bytes(out.remaining()));
    }
    sent
}
