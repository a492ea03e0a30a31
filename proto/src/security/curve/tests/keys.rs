use super::{entropy, from_hex, public, secret};
use crate::security::curve::z85::Z85Error;
use crate::security::curve::{KeyError, KeyPair, PublicKey, SecretKey, z85};
use alloc::string::ToString;
use alloc::vec::Vec;
use alloc::{format, vec};

/// Public key of an example in the libzmq manual, `zmq_curve`(7). `SECRET` is its secret key.
const PUBLIC: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
const SECRET: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

#[test]
fn keys_parse_as_in_libzmq() {
    let pair = KeyPair::from(SECRET.parse::<SecretKey>().unwrap());
    assert_eq!(*pair.public(), PUBLIC.parse().unwrap());
    assert_eq!(pair.public().to_string(), PUBLIC);
    assert_eq!(*pair.secret().to_z85(), SECRET);
    for key in [PUBLIC.as_bytes(), pair.public().as_bytes()] {
        assert_eq!(PublicKey::try_from(key), Ok(*pair.public()));
    }
    for key in [SECRET.as_bytes(), pair.secret().as_bytes()] {
        assert_eq!(SecretKey::try_from(key), Ok(pair.secret().clone()));
    }
}

#[test]
fn parse_rejects_invalid_keys() {
    for length in (0..100).filter(|length| ![32, 40].contains(length)) {
        assert_eq!(PublicKey::try_from(&vec![b'0'; length][..]), Err(KeyError::Length(length)));
        assert_eq!(SecretKey::try_from(&vec![b'0'; length][..]), Err(KeyError::Length(length)));
    }
    assert_eq!(PUBLIC[..32].parse::<PublicKey>(), Err(KeyError::Length(32)), "32 characters of text are not 32 bytes");
    assert_eq!(SECRET.replace('Q', " ").parse::<SecretKey>(), Err(KeyError::Text(Z85Error::Character(3))));
    assert_eq!(SECRET.replace("p?([4", "#####").parse::<SecretKey>(), Err(KeyError::Text(Z85Error::Overflow(25))));
}

#[test]
fn generated_pair_depends_only_on_entropy() {
    let mut entropy = entropy();
    let [one, two] = [(); 2].map(|()| KeyPair::generate(&mut entropy));
    assert_eq!(one, KeyPair::generate(&mut super::entropy()), "the same seed gives the same pair");
    assert_ne!(one.secret(), two.secret());
    assert_ne!(one.public(), two.public());
    assert_eq!(*one.public(), one.secret().public_key());
    assert_ne!(KeyPair::random(), KeyPair::random());
}

#[test]
fn secret_key_debug_omits_the_key() {
    let pair = KeyPair::from(secret("01".repeat(32).as_str()));
    assert_eq!(format!("{:?}", pair.secret()), "SecretKey { .. }");
    assert_eq!(
        format!("{pair:?}"),
        format!("KeyPair {{ public: PublicKey({}), secret: SecretKey {{ .. }} }}", pair.public())
    );
}

#[test]
fn z85_equals_examples_of_rfc_32() {
    let bytes = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
    assert_eq!(z85::encode(&bytes).as_deref(), Ok("HelloWorld"));
    assert_eq!(z85::decode("HelloWorld").as_deref(), Ok(&bytes[..]));
    assert_eq!(z85::encode(&[]).as_deref(), Ok(""));
    assert_eq!(z85::decode("").as_deref(), Ok(&[][..]));
    assert_eq!(z85::encode(&[0xff; 4]).as_deref(), Ok("%nSc0"));
    assert_eq!(z85::encode(&[0; 4]).as_deref(), Ok("00000"));
}

#[test]
fn z85_round_trips_all_byte_values() {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend(bytes.clone().iter().rev());
    let text = z85::encode(&bytes).unwrap();
    assert_eq!(text.len(), 640);
    assert_eq!(z85::decode(&text).unwrap(), bytes);
}

#[test]
fn z85_rejects_invalid_input() {
    for count in [1, 2, 3, 5, 33] {
        assert_eq!(z85::encode(&vec![0; count]), Err(Z85Error::ByteCount(count)));
    }
    for count in [1, 4, 6, 41] {
        assert_eq!(z85::decode(&"0".repeat(count)), Err(Z85Error::CharacterCount(count)));
    }
    assert_eq!(z85::decode("%nSc1"), Err(Z85Error::Overflow(0)), "one more than the maximum of four bytes");
    assert_eq!(z85::decode("00000#####"), Err(Z85Error::Overflow(5)));
    let alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    for byte in (0..=127_u8).map(char::from).filter(|character| !alphabet.contains(*character)) {
        assert_eq!(z85::decode(&format!("00000000{byte}0")), Err(Z85Error::Character(8)), "{byte:?}");
    }
    assert_eq!(z85::decode("000é"), Err(Z85Error::Character(3)), "five bytes of UTF-8");
}

#[test]
fn public_key_accepts_any_bytes_and_is_ordered() {
    let low = public(&"00".repeat(32));
    assert!(low < public(&"01".repeat(32)));
    assert_eq!(low.to_string(), "0".repeat(40));
    assert_eq!(format!("{low:>41}|{low:?}"), format!(" {low}|PublicKey({low})"));
    assert_eq!(from_hex("00ff"), [0, 255]);
}
