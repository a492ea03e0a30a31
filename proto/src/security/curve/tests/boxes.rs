//! Tests of boxes and their keys with the test vectors of NaCl (`tests/box.c`, `tests/core1.c`).

use super::{array, entropy, from_hex, public, secret};
use crate::security::curve::boxes::BoxKey;
use crate::security::curve::nonce::{long_nonce, short_nonce};
use crate::security::curve::{KeyPair, PublicKey};
use alloc::format;

const ALICE_SECRET: &str = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
const ALICE_PUBLIC: &str = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
const BOB_SECRET: &str = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
const BOB_PUBLIC: &str = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
const NONCE: &str = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";
const PLAIN: &str = "
    be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f4
    1db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52
    f0a089bc76897040e082f937763848645e0705";
const BOXED: &str = "
    f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b
    4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da
    99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5";

#[test]
fn box_equals_the_test_vector_of_nacl() {
    assert_eq!(secret(ALICE_SECRET).public_key(), public(ALICE_PUBLIC));
    assert_eq!(secret(BOB_SECRET).public_key(), public(BOB_PUBLIC));
    let alice = BoxKey::agreed(&public(BOB_PUBLIC), &secret(ALICE_SECRET)).unwrap();
    let bob = BoxKey::agreed(&public(ALICE_PUBLIC), &secret(BOB_SECRET)).unwrap();
    assert_eq!(alice.seal(&array(NONCE), &from_hex(PLAIN)), from_hex(BOXED));
    assert_eq!(*bob.open(&array(NONCE), &from_hex(BOXED)).unwrap(), from_hex(PLAIN));
}

#[test]
fn open_rejects_other_key_other_nonce_and_truncation() {
    let key = BoxKey::random(&mut entropy());
    let other = BoxKey::agreed(&public(BOB_PUBLIC), &secret(ALICE_SECRET)).unwrap();
    let nonce = short_nonce(*b"CurveZMQHELLO---", 1);
    let boxed = key.seal(&nonce, b"signature");
    assert_eq!(&**key.open(&nonce, &boxed).unwrap(), b"signature");
    assert_eq!(other.open(&nonce, &boxed), None);
    assert_eq!(key.open(&short_nonce(*b"CurveZMQHELLO---", 2), &boxed), None);
    for length in 0..boxed.len() {
        assert_eq!(key.open(&nonce, &boxed[..length]), None, "truncated to {length} bytes");
    }
    assert_eq!(key.open(&nonce, &key.seal(&nonce, b"")).as_deref(), Some(&alloc::vec![]));
}

#[test]
fn nonces_have_the_layout_of_rfc_26() {
    assert_eq!(&short_nonce(*b"CurveZMQREADY---", 0x0102), b"CurveZMQREADY---\0\0\0\0\0\0\x01\x02");
    assert_eq!(&long_nonce(*b"COOKIE--", *b"0123456789abcdef"), b"COOKIE--0123456789abcdef");
}

#[test]
fn agreed_rejects_points_of_low_order() {
    // The encodings that libsodium rejects too: points of order 1, 2, 4 and 8, and non-canonical encodings.
    let low = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for point in low {
        let mut point: [u8; 32] = array(point);
        for top in [0, 0x80] {
            point[31] ^= top;
            let pair = KeyPair::generate(&mut entropy());
            assert!(BoxKey::agreed(&PublicKey::from_bytes(point), pair.secret()).is_none(), "{point:02x?}");
        }
    }
}

#[test]
fn box_key_debug_omits_the_key() {
    assert_eq!(format!("{:?}", BoxKey::random(&mut entropy())), "BoxKey { .. }");
}
