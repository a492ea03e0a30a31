//! Tests that decrypt all boxes of recorded sessions of libzmq. `tests/data/curve/README.md` describes the sessions.

use super::{from_hex, secret};
use crate::security::curve::boxes::BoxKey;
use crate::security::curve::message::{Opener, Role, Sealer};
use crate::security::curve::nonce::{long_nonce, short_nonce};
use crate::security::curve::{PublicKey, SecretKey};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt::Write;

const SESSIONS: [(&str, &str); 10] = [
    ("client-ok", include_str!("../../../../tests/data/curve/client-ok.txt")),
    ("server-big", include_str!("../../../../tests/data/curve/server-big.txt")),
    ("server-msg-nonce-gap", include_str!("../../../../tests/data/curve/server-msg-nonce-gap.txt")),
    ("server-msg-nonce-repeat", include_str!("../../../../tests/data/curve/server-msg-nonce-repeat.txt")),
    ("server-msg-plaintext", include_str!("../../../../tests/data/curve/server-msg-plaintext.txt")),
    ("server-msg-short", include_str!("../../../../tests/data/curve/server-msg-short.txt")),
    ("server-msg-tampered", include_str!("../../../../tests/data/curve/server-msg-tampered.txt")),
    ("server-ok", include_str!("../../../../tests/data/curve/server-ok.txt")),
    ("server-ping", include_str!("../../../../tests/data/curve/server-ping.txt")),
    ("server-subscribe", include_str!("../../../../tests/data/curve/server-subscribe.txt")),
];

#[test]
fn all_boxes_of_recorded_sessions_open() {
    for (name, text) in SESSIONS {
        let mut session = Session::new(text);
        let mut lines = text.lines().skip_while(|line| !line.starts_with(['<', '>'])).peekable();
        while let Some(frame) = lines.next() {
            let mut expected = vec![];
            while let Some(line) = lines.next_if(|line| line.starts_with('=')) {
                expected.push(&line[2..]);
            }
            let sender = if frame.starts_with('<') { session.peer } else { session.peer.other() };
            match frame[2..].split_once("..") {
                Some((start, end)) => assert_eq!(session.seal_again(sender), [start, end], "{name}"),
                None => assert_eq!(session.open(sender, &from_hex(&frame[2..])), expected, "{name}: {frame}"),
            }
        }
        assert!(session.traffic.is_some(), "{name}: the recording has no handshake");
    }
}

/// Keys and state of a recorded session, to decrypt the boxes of both sides.
struct Session {
    peer: Role,
    server: SecretKey,
    client: SecretKey,
    transient: SecretKey,
    /// Transient public keys of the client and of the server. `None` until the command that contains the key is read:
    /// HELLO of the client, WELCOME of the server.
    transients: [Option<PublicKey>; 2],
    cookie: Vec<u8>,
    traffic: Option<Traffic>,
}

struct Traffic {
    key: BoxKey,
    from_client: Opener,
    from_server: Opener,
}

impl Session {
    fn new(text: &str) -> Self {
        let after = |word: &str| text.lines().find_map(|line| line.strip_prefix(word)).unwrap();
        Self {
            peer: if after("peer ") == "client" { Role::Client } else { Role::Server },
            server: secret(after("key server_secret ")),
            client: secret(after("key client_secret ")),
            transient: secret(after("key peer_short_secret ")),
            transients: [None; 2],
            cookie: vec![],
            traffic: None,
        }
    }

    /// Decrypts the boxes in a frame and returns their contents in hex. For a MESSAGE, returns the byte of flags
    /// followed by the body, or the name of the error.
    fn open(&mut self, sender: Role, frame: &[u8]) -> Vec<String> {
        let mut body = frame[if frame[0] & 2 == 0 { 2 } else { 9 }..].to_vec();
        match body.get(1..).unwrap_or_default() {
            command if command.starts_with(b"HELLO") => self.hello(&body),
            command if command.starts_with(b"WELCOME") => self.welcome(&body),
            command if command.starts_with(b"INITIATE") => self.initiate(&body),
            command if command.starts_with(b"READY") => {
                let nonce = short_nonce(*b"CurveZMQREADY---", count(&body[6..14]));
                vec![to_hex(&self.traffic().key.open(&nonce, &body[14..]).unwrap())]
            }
            _ => {
                let traffic = self.traffic();
                let opener = if sender == Role::Client { &mut traffic.from_client } else { &mut traffic.from_server };
                vec![match opener.open_in_place(&mut body) {
                    Ok((flags, body)) => format!("{flags:02x}{}", to_hex(body)),
                    Err(error) => format!("{error:?}"),
                }]
            }
        }
    }

    fn hello(&mut self, body: &[u8]) -> Vec<String> {
        let client = PublicKey::try_from(&body[80..112]).unwrap();
        self.transients[0] = Some(client);
        let key = BoxKey::agreed(&client, &self.server).unwrap();
        let nonce = short_nonce(*b"CurveZMQHELLO---", count(&body[112..120]));
        vec![to_hex(&key.open(&nonce, &body[120..]).unwrap())]
    }

    fn welcome(&mut self, body: &[u8]) -> Vec<String> {
        let key = match self.peer {
            Role::Client => BoxKey::agreed(&self.server.public_key(), &self.transient),
            Role::Server => BoxKey::agreed(&self.transients[0].unwrap(), &self.server),
        };
        let nonce = long_nonce(*b"WELCOME-", body[8..24].try_into().unwrap());
        let plain = key.unwrap().open(&nonce, &body[24..]).unwrap();
        self.transients[1] = Some(PublicKey::try_from(&plain[..32]).unwrap());
        self.cookie = plain[32..].to_vec();
        vec![to_hex(&plain)]
    }

    fn initiate(&mut self, body: &[u8]) -> Vec<String> {
        assert_eq!(body[9..105], self.cookie, "INITIATE must return the cookie");
        let [client, server] = self.transients.map(Option::unwrap);
        let theirs = if self.peer == Role::Client { server } else { client };
        let key = BoxKey::agreed(&theirs, &self.transient).unwrap();
        let nonce = short_nonce(*b"CurveZMQINITIATE", count(&body[105..113]));
        let plain = key.open(&nonce, &body[113..]).unwrap();
        let vouch_key = match self.peer {
            Role::Client => BoxKey::agreed(&server, &self.client),
            Role::Server => BoxKey::agreed(&self.client.public_key(), &self.transient),
        };
        let vouch_nonce = long_nonce(*b"VOUCH---", plain[32..48].try_into().unwrap());
        let vouch = vouch_key.unwrap().open(&vouch_nonce, &plain[48..128]).unwrap();
        assert_eq!(*vouch, [*client.as_bytes(), *self.server.public_key().as_bytes()].concat());
        let from_client = Opener::new(&key, Role::Server, 2);
        let from_server = Opener::new(&key, Role::Client, 1);
        self.traffic = Some(Traffic { key, from_client, from_server });
        vec![to_hex(&plain), to_hex(&vouch)]
    }

    /// Creates the frame that `sender` sent in the session `server-big`: an encrypted MESSAGE with a body of 70,000
    /// bytes. Returns the first 64 and the last 32 bytes of the frame in hex; the recording contains only these bytes.
    /// The first 64 bytes contain the tag, which depends on all encrypted bytes. So if the tag is equal, the bytes that
    /// were not recorded are equal too.
    fn seal_again(&mut self, sender: Role) -> [String; 2] {
        let plain: Vec<u8> = (0..70_000_u32).map(|i| (7 * i + i / 256).to_le_bytes()[0]).collect();
        let mut frame = from_hex("020000000000011191");
        Sealer::new(&self.traffic().key, sender, 4).seal(&mut frame, 0, &plain).unwrap();
        [to_hex(&frame[..64]), to_hex(&frame[frame.len() - 32..])]
    }

    fn traffic(&mut self) -> &mut Traffic {
        self.traffic.as_mut().expect("INITIATE must precede the traffic")
    }
}

fn count(nonce: &[u8]) -> u64 {
    u64::from_be_bytes(nonce.try_into().unwrap())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a String does not fail");
        hex
    })
}
