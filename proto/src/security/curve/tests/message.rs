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
fn what_one_side_seals_the_other_opens() {
    for (ours, theirs) in BOTH {
        let mut sealer = Sealer::new(&key(), ours, 3);
        let mut opener = Opener::new(&key(), theirs, 2);
        for length in (0..400).chain([65_536]) {
            let body: Vec<u8> = (0..length).map(|i: u32| i.to_le_bytes()[0]).collect();
            let flags = length.to_le_bytes()[0];
            let mut message = sealed(&mut sealer, flags, &body);
            assert_eq!(message.len(), OVERHEAD + body.len());
            assert_eq!(opener.open_in_place(&mut message), Ok((flags, &mut body.clone()[..])), "{length}");
            assert_eq!(message[OVERHEAD..], body, "{length}: the body begins behind the overhead");
        }
    }
}

#[test]
fn a_message_is_a_command_whose_box_has_its_sides_nonce() {
    for (role, purpose) in [(Role::Client, *b"CurveZMQMESSAGEC"), (Role::Server, *b"CurveZMQMESSAGES")] {
        let mut out = b"before".to_vec();
        Sealer::new(&key(), role, 0x0102).seal(&mut out, 1, b"hello").unwrap();
        let boxed = out.strip_prefix(b"before\x07MESSAGE\0\0\0\0\0\0\x01\x02").unwrap();
        assert_eq!(boxed, key().seal(&short_nonce(purpose, 0x0102), b"\x01hello"));
    }
}

#[test]
fn a_side_does_not_open_what_it_has_sealed_itself() {
    let mut message = sealed(&mut Sealer::new(&key(), Role::Client, 3), 0, b"hello");
    assert_eq!(Opener::new(&key(), Role::Client, 1).open_in_place(&mut message), Err(OpenError::Tag));
}

#[test]
fn any_bit_that_was_changed_is_noticed_and_changes_nothing_here() {
    for body in [&b"hello"[..], &[7; 150], &[7; 200]] {
        let mut opener = Opener::new(&key(), Role::Server, 2);
        let mut right = sealed(&mut Sealer::new(&key(), Role::Client, 3), 1, body);
        for bit in 0..right.len() * 8 {
            let mut wrong = right.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            let before = wrong.clone();
            let expected = match bit / 8 {
                0..8 => OpenError::Name,
                15 if bit % 8 < 2 => OpenError::Sequence, // 3 became 2 or 1
                _ => OpenError::Tag,
            };
            assert_eq!(opener.open_in_place(&mut wrong), Err(expected), "bit {bit}");
            assert_eq!(wrong, before, "bit {bit}");
        }
        let flags = opener.open_in_place(&mut right).map(|(flags, _)| flags);
        assert_eq!(flags, Ok(1), "no nonce of a forgery is remembered");
    }
}

#[test]
fn what_is_too_short_or_no_message_is_told_apart() {
    let mut opener = Opener::new(&key(), Role::Server, 2);
    let message = sealed(&mut Sealer::new(&key(), Role::Client, 3), 0, b"");
    assert_eq!(message.len(), OVERHEAD);
    for length in 0..OVERHEAD {
        assert_eq!(opener.open_in_place(&mut message.clone()[..length]), Err(OpenError::Short), "{length}");
    }
    assert_eq!(opener.open_in_place(&mut [0; 100]), Err(OpenError::Name));
}

#[test]
fn nonces_may_jump_but_not_stay_or_fall() {
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
fn after_its_last_nonce_a_key_seals_nothing_for_ever() {
    let mut sealer = Sealer::new(&key(), Role::Client, u64::MAX - 1);
    let mut opener = Opener::new(&key(), Role::Server, 0);
    for _ in 0..2 {
        assert!(opener.open_in_place(&mut sealed(&mut sealer, 0, b"last")).is_ok());
    }
    let mut out = vec![7];
    for _ in 0..3 {
        assert_eq!(sealer.seal(&mut out, 0, b"one more"), Err(NoncesSpent));
    }
    assert_eq!(out, [7]);
}

#[test]
fn what_was_not_sent_can_be_taken_back() {
    let mut sealer = Sealer::new(&key(), Role::Server, 2);
    let messages = [sealed(&mut sealer, 1, b"one"), sealed(&mut sealer, 0, b""), sealed(&mut sealer, 2, b"three")];
    assert_eq!(sealer.reopen(&messages[2]), Some((2, b"three".to_vec())));
    assert_eq!(sealer.reopen(&messages[0]), Some((1, b"one".to_vec())));
    assert_eq!(sealer.reopen(&messages[1]), Some((0, vec![])));
    let peers = sealed(&mut Sealer::new(&key(), Role::Client, 2), 0, b"peer's");
    assert_eq!(sealer.reopen(&peers), None);
    assert_eq!(sealer.reopen(b"\x07MESSAGE"), None);
}

#[test]
fn short_messages_and_long_ones_are_nacls_boxes_alike() {
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
