use super::entropy;
use crate::security::curve::boxes::BoxKey;
use crate::security::curve::message::{OVERHEAD, OpenError, Opener, Role, Sealer};
use crate::security::curve::nonce::{NoncesSpent, short_nonce};
use alloc::vec;
use alloc::vec::Vec;

const BOTH: [(Role, Role); 2] = [(Role::Client, Role::Server), (Role::Server, Role::Client)];

fn key() -> BoxKey {
    BoxKey::random(&mut entropy())
}

fn sealed(sealer: &mut Sealer, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.seal(&mut out, flags, body).unwrap();
    out
}

#[test]
fn sealed_message_opens_at_the_other_side() {
    for (ours, theirs) in BOTH {
        let mut sealer = Sealer::new(&key(), ours, 3);
        let mut opener = Opener::new(&key(), theirs, 2);
        for length in (0..400).chain([65_536]) {
            let body: Vec<u8> = (0..length).map(|i: u32| i.to_le_bytes()[0]).collect();
            let flags = length.to_le_bytes()[0];
            let mut message = sealed(&mut sealer, flags, &body);
            assert_eq!(message.len(), OVERHEAD + body.len());
            assert_eq!(opener.open_in_place(&mut message), Ok((flags, &mut body.clone()[..])), "{length}");
            assert_eq!(message[OVERHEAD..], body, "{length}: the body begins after the overhead");
        }
    }
}

#[test]
fn sealed_message_has_the_layout_of_rfc_26() {
    for (role, purpose) in [(Role::Client, *b"CurveZMQMESSAGEC"), (Role::Server, *b"CurveZMQMESSAGES")] {
        let mut out = b"before".to_vec();
        Sealer::new(&key(), role, 0x0102).seal(&mut out, 1, b"hello").unwrap();
        let boxed = out.strip_prefix(b"before\x07MESSAGE\0\0\0\0\0\0\x01\x02").unwrap();
        assert_eq!(boxed, key().seal(&short_nonce(purpose, 0x0102), b"\x01hello"));
    }
}

#[test]
fn open_rejects_messages_of_the_same_side() {
    let mut message = sealed(&mut Sealer::new(&key(), Role::Client, 3), 0, b"hello");
    assert_eq!(Opener::new(&key(), Role::Client, 1).open_in_place(&mut message), Err(OpenError::Tag));
}

#[test]
fn open_rejects_any_changed_bit_and_keeps_its_state() {
    for body in [&b"hello"[..], &[7; 150], &[7; 200]] {
        let mut opener = Opener::new(&key(), Role::Server, 2);
        let mut valid = sealed(&mut Sealer::new(&key(), Role::Client, 3), 1, body);
        for bit in 0..valid.len() * 8 {
            let mut forged = valid.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let before = forged.clone();
            let expected = match bit / 8 {
                0..8 => OpenError::Name,
                15 if bit % 8 < 2 => OpenError::Sequence, // nonce 3 became 2 or 1
                _ => OpenError::Tag,
            };
            assert_eq!(opener.open_in_place(&mut forged), Err(expected), "bit {bit}");
            assert_eq!(forged, before, "bit {bit}");
        }
        let flags = opener.open_in_place(&mut valid).map(|(flags, _)| flags);
        assert_eq!(flags, Ok(1), "the nonce of a forged message must not be counted as used");
    }
}

#[test]
fn open_rejects_truncated_and_other_frames() {
    let mut opener = Opener::new(&key(), Role::Server, 2);
    let message = sealed(&mut Sealer::new(&key(), Role::Client, 3), 0, b"");
    assert_eq!(message.len(), OVERHEAD);
    for length in 0..OVERHEAD {
        assert_eq!(opener.open_in_place(&mut message.clone()[..length]), Err(OpenError::Short), "{length}");
    }
    assert_eq!(opener.open_in_place(&mut [0; 100]), Err(OpenError::Name));
}

#[test]
fn open_accepts_only_rising_nonces() {
    let from = |first| sealed(&mut Sealer::new(&key(), Role::Client, first), 0, b"");
    let mut opener = Opener::new(&key(), Role::Server, 2);
    for (nonce, expected) in [
        (2, Err(OpenError::Sequence)),
        (3, Ok(())),
        (3, Err(OpenError::Sequence)),
        (50, Ok(())),
        (49, Err(OpenError::Sequence)),
        (0, Err(OpenError::Sequence)),
        (51, Ok(())),
        (u64::MAX, Ok(())),
        (u64::MAX, Err(OpenError::Sequence)),
        (52, Err(OpenError::Sequence)),
    ] {
        assert_eq!(opener.open_in_place(&mut from(nonce)).map(drop), expected, "{nonce}");
    }
}

#[test]
fn seal_fails_after_the_last_nonce() {
    let mut sealer = Sealer::new(&key(), Role::Client, u64::MAX - 1);
    let mut opener = Opener::new(&key(), Role::Server, 0);
    for _ in 0..2 {
        assert!(!sealer.is_spent());
        assert!(opener.open_in_place(&mut sealed(&mut sealer, 0, b"last")).is_ok());
    }
    assert!(sealer.is_spent());
    let mut out = vec![7];
    for _ in 0..3 {
        assert_eq!(sealer.seal(&mut out, 0, b"one more"), Err(NoncesSpent));
    }
    assert_eq!(out, [7]);
}

#[test]
fn reopen_returns_sealed_messages() {
    let mut sealer = Sealer::new(&key(), Role::Server, 2);
    let messages = [sealed(&mut sealer, 1, b"one"), sealed(&mut sealer, 0, b""), sealed(&mut sealer, 2, b"three")];
    assert_eq!(sealer.reopen(&messages[2]), Some((2, b"three".to_vec())));
    assert_eq!(sealer.reopen(&messages[0]), Some((1, b"one".to_vec())));
    assert_eq!(sealer.reopen(&messages[1]), Some((0, vec![])));
    let by_peer = sealed(&mut Sealer::new(&key(), Role::Client, 2), 0, b"other");
    assert_eq!(sealer.reopen(&by_peer), None);
    assert_eq!(sealer.reopen(b"\x07MESSAGE"), None);
}

#[test]
fn messages_of_all_lengths_are_boxes_of_nacl() {
    for (role, purpose) in [(Role::Client, *b"CurveZMQMESSAGEC"), (Role::Server, *b"CurveZMQMESSAGES")] {
        let mut sealer = Sealer::new(&key(), role, 0);
        for length in 0..400_u16 {
            let body: Vec<u8> = (0..length).map(|i| i.to_le_bytes()[0]).collect();
            let plain = [&[1], &body[..]].concat();
            let message = sealed(&mut sealer, 1, &body);
            assert_eq!(message[16..], key().seal(&short_nonce(purpose, length.into()), &plain), "{length}");
        }
    }
}
