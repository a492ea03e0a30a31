use super::{entropy, octets, public, secret};
use crate::security::curve::z85::Z85Error;
use crate::security::curve::{KeyError, KeyPair, PublicKey, SecretKey, z85};
use alloc::string::ToString;
use alloc::vec::Vec;
use alloc::{format, vec};

/// The example pair of libzmq's manual, `zmq_curve`(7).
const PUBLIC: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
const SECRET: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

#[test]
fn keys_are_read_as_libzmq_reads_them() {
    let pair = KeyPair::from(SECRET.parse::<SecretKey>().unwrap());
    assert_eq!(*pair.public(), PUBLIC.parse().unwrap());
    assert_eq!(pair.public().to_string(), PUBLIC);
    assert_eq!(*pair.secret().to_z85(), SECRET);
    for key in [PUBLIC.as_bytes(), pair.public().as_octets()] {
        assert_eq!(PublicKey::try_from(key), Ok(*pair.public()));
    }
    for key in [SECRET.as_bytes(), pair.secret().as_octets()] {
        assert_eq!(SecretKey::try_from(key), Ok(pair.secret().clone()));
    }
}

#[test]
fn what_is_no_key_is_refused_with_the_reason() {
    for length in (0..100).filter(|length| ![32, 40].contains(length)) {
        assert_eq!(PublicKey::try_from(&vec![b'0'; length][..]), Err(KeyError::Length(length)));
        assert_eq!(SecretKey::try_from(&vec![b'0'; length][..]), Err(KeyError::Length(length)));
    }
    assert_eq!(PUBLIC[..32].parse::<PublicKey>(), Err(KeyError::Length(32)), "32 characters are not 32 octets");
    assert_eq!(SECRET.replace('Q', " ").parse::<SecretKey>(), Err(KeyError::Text(Z85Error::Character(3))));
    assert_eq!(SECRET.replace("p?([4", "#####").parse::<SecretKey>(), Err(KeyError::Text(Z85Error::Overflow(25))));
}

#[test]
fn a_pair_is_as_random_as_its_source_and_belongs_together() {
    let mut entropy = entropy();
    let [one, two] = [(); 2].map(|()| KeyPair::generate(&mut entropy));
    assert_eq!(one, KeyPair::generate(&mut super::entropy()), "the same seed gives the same pair");
    assert_ne!(one.secret(), two.secret());
    assert_ne!(one.public(), two.public());
    assert_eq!(*one.public(), one.secret().public_key());
    assert_ne!(KeyPair::random(), KeyPair::random());
}

#[test]
fn a_secret_is_not_shown() {
    let pair = KeyPair::from(secret("01".repeat(32).as_str()));
    assert_eq!(format!("{:?}", pair.secret()), "SecretKey { .. }");
    assert_eq!(
        format!("{pair:?}"),
        format!("KeyPair {{ public: PublicKey({}), secret: SecretKey {{ .. }} }}", pair.public())
    );
}

#[test]
fn z85_is_that_of_rfc_32() {
    let octets = [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b];
    assert_eq!(z85::encode(&octets).as_deref(), Ok("HelloWorld"));
    assert_eq!(z85::decode("HelloWorld").as_deref(), Ok(&octets[..]));
    assert_eq!(z85::encode(&[]).as_deref(), Ok(""));
    assert_eq!(z85::decode("").as_deref(), Ok(&[][..]));
    assert_eq!(z85::encode(&[0xff; 4]).as_deref(), Ok("%nSc0"));
    assert_eq!(z85::encode(&[0; 4]).as_deref(), Ok("00000"));
}

#[test]
fn z85_goes_there_and_back() {
    let mut octets: Vec<u8> = (0..=255).collect();
    octets.extend(octets.clone().iter().rev());
    let text = z85::encode(&octets).unwrap();
    assert_eq!(text.len(), 640);
    assert_eq!(z85::decode(&text).unwrap(), octets);
}

#[test]
fn z85_refuses_what_it_is_not() {
    for count in [1, 2, 3, 5, 33] {
        assert_eq!(z85::encode(&vec![0; count]), Err(Z85Error::OctetCount(count)));
    }
    for count in [1, 4, 6, 41] {
        assert_eq!(z85::decode(&"0".repeat(count)), Err(Z85Error::CharacterCount(count)));
    }
    assert_eq!(z85::decode("%nSc1"), Err(Z85Error::Overflow(0)), "one more than four octets hold");
    assert_eq!(z85::decode("00000#####"), Err(Z85Error::Overflow(5)));
    let alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    for octet in (0..=127_u8).map(char::from).filter(|character| !alphabet.contains(*character)) {
        assert_eq!(z85::decode(&format!("00000000{octet}0")), Err(Z85Error::Character(8)), "{octet:?}");
    }
    assert_eq!(z85::decode("000é"), Err(Z85Error::Character(3)), "five octets of UTF-8");
}

#[test]
fn public_keys_are_of_any_octets_and_have_an_order() {
    let low = public(&"00".repeat(32));
    assert!(low < public(&"01".repeat(32)));
    assert_eq!(low.to_string(), "0".repeat(40));
    assert_eq!(format!("{low:>41}|{low:?}"), format!(" {low}|PublicKey({low})"));
    assert_eq!(octets("00ff"), [0, 255]);
}
