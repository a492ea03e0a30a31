//! Compares each implementation of XSalsa20 and Poly1305 with the test vectors of NaCl (`tests/core1.c`,
//! `tests/onetimeauth.c`, `tests/secretbox.c`), and with the other implementations.

use super::{array, entropy, from_hex};
use crate::entropy::Entropy;
use crate::security::curve::boxes::TAG;
#[cfg(all(any(unix, windows), any(target_arch = "x86_64", target_arch = "aarch64")))]
use crate::security::curve::lanes;
use crate::security::curve::nonce::Nonce;
use crate::security::curve::portable;
use alloc::vec;
use alloc::vec::Vec;
use zeroize::Zeroizing;

struct Primitives {
    name: &'static str,
    encrypt: fn(&[u8; 32], &Nonce, &mut [u8]) -> [u8; TAG],
    decrypt: fn(&[u8; 32], &Nonce, &mut [u8], &[u8; TAG]) -> bool,
    hsalsa20: fn(&[u8; 32], &[u8; 16]) -> Zeroizing<[u8; 32]>,
    authenticate: fn(&[u8; 32], &[u8]) -> [u8; TAG],
    verify: fn(&[u8; 32], &[u8], &[u8; TAG]) -> bool,
}

const PORTABLE: Primitives = Primitives {
    name: "portable",
    encrypt: portable::encrypt,
    decrypt: portable::decrypt,
    hsalsa20: portable::hsalsa20,
    authenticate: portable::authenticate,
    verify: portable::verify,
};

const ALL: &[Primitives] = &[
    PORTABLE,
    #[cfg(all(any(unix, windows), any(target_arch = "x86_64", target_arch = "aarch64")))]
    Primitives {
        name: "lanes",
        encrypt: lanes::encrypt,
        decrypt: lanes::decrypt,
        hsalsa20: lanes::hsalsa20,
        authenticate: lanes::authenticate,
        verify: lanes::verify,
    },
];

const SHARED: &str = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
const KEY: &str = "1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389";
const NONCE: &str = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";
const MAC_KEY: &str = "eea6a7251c1e72916d11c2cb214d3c252539121d8e234e652d651fa4c8cff880";
const TAGGED: &str = "f3ffc7703f9400e52a7dfb4b3d3305d9";
const PLAIN: &str = "
    be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f4
    1db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52
    f0a089bc76897040e082f937763848645e0705";
const ENCRYPTED: &str = "
    8e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2
    270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b3
    7973f622a43d14a6599b1f654cb45a74e355a5";

#[test]
fn primitives_equal_the_test_vectors_of_nacl() {
    for primitives in ALL {
        let name = primitives.name;
        let mut data = from_hex(PLAIN);
        assert_eq!(*(primitives.hsalsa20)(&array(SHARED), &[0; 16]), array(KEY), "{name}");
        assert_eq!((primitives.encrypt)(&array(KEY), &array(NONCE), &mut data), array(TAGGED), "{name}");
        assert_eq!(data, from_hex(ENCRYPTED), "{name}");
        assert_eq!((primitives.authenticate)(&array(MAC_KEY), &data), array(TAGGED), "{name}");
        assert!((primitives.verify)(&array(MAC_KEY), &data, &array(TAGGED)), "{name}");
        assert!((primitives.decrypt)(&array(KEY), &array(NONCE), &mut data, &array(TAGGED)), "{name}");
        assert_eq!(data, from_hex(PLAIN), "{name}");
    }
}

#[test]
fn primitives_agree_on_every_length() {
    let mut entropy = entropy();
    for length in (0..=1100).chain([4095, 4096, 4097, 65_537]) {
        let (mut key, mut nonce, mut plain) = ([0; 32], [0; 24], vec![0; length]);
        entropy.fill(&mut key);
        entropy.fill(&mut nonce);
        entropy.fill(&mut plain);
        let mut expected = plain.clone();
        let tag = (PORTABLE.encrypt)(&key, &nonce, &mut expected);
        for primitives in ALL {
            let at = (primitives.name, length);
            let mut data = plain.clone();
            assert_eq!((primitives.encrypt)(&key, &nonce, &mut data), tag, "{at:?}");
            assert_eq!(data, expected, "{at:?}");
            assert!((primitives.decrypt)(&key, &nonce, &mut data, &tag), "{at:?}");
            assert_eq!(data, plain, "{at:?}");
            let input = *nonce.first_chunk().unwrap();
            assert_eq!((primitives.hsalsa20)(&key, &input), (PORTABLE.hsalsa20)(&key, &input), "{at:?}");
            let tag = (PORTABLE.authenticate)(&key, &plain);
            assert_eq!((primitives.authenticate)(&key, &plain), tag, "{at:?}");
            assert!((primitives.verify)(&key, &plain, &tag), "{at:?}");
        }
    }
}

#[test]
fn decrypt_rejects_any_changed_bit_and_keeps_data() {
    let (key, nonce) = (array(KEY), array(NONCE));
    for primitives in ALL {
        for length in [0, 5, 64, 200, 1100] {
            let mut data: Vec<u8> = vec![7; length];
            let tag = (primitives.encrypt)(&key, &nonce, &mut data);
            for bit in 0..(TAG + length) * 8 {
                let (mut wrong, mut tag) = (data.clone(), tag);
                let byte = tag.iter_mut().chain(&mut wrong).nth(bit / 8).unwrap();
                *byte ^= 1 << (bit % 8);
                let before = wrong.clone();
                let at = (primitives.name, length, bit);
                assert!(!(primitives.decrypt)(&key, &nonce, &mut wrong, &tag), "{at:?}");
                assert_eq!(wrong, before, "{at:?}");
                assert!(!(primitives.verify)(&array(MAC_KEY), &wrong, &tag), "{at:?}");
            }
        }
    }
}
