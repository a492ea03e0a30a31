use super::entropy;
use crate::security::curve::z85::Z85Error;
use crate::security::curve::{Certificate, CertificateError, KeyError, KeyPair};
use alloc::string::ToString;
use alloc::vec::Vec;
use alloc::{format, vec};

/// Public certificate file that pyzmq 27.3 has written. `PYZMQ_SECRET` is the secret file with the same key.
const PYZMQ_PUBLIC: &str = "\
#   ****  Generated on 2026-11-25 06:34:18.544479 by pyzmq  ****
#   ZeroMQ CURVE Public Certificate
#   Exchange securely, or use a secure mechanism to verify the contents
#   of this file after exchange. Store public certificates in your home
#   directory, in the .curve subdirectory.

metadata
curve
    public-key = \"&jb0vy7e#*HXs]#N^1wi+lZ-ISne3ySMy0wbYtnt\"
";
const PYZMQ_SECRET: &str = "\
#   ****  Generated on 2026-11-25 06:34:18.544479 by pyzmq  ****
#   ZeroMQ CURVE **Secret** Certificate
#   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.

metadata
    name = Ann O'Neil
    mail = a@b.c
curve
    public-key = \"&jb0vy7e#*HXs]#N^1wi+lZ-ISne3ySMy0wbYtnt\"
    secret-key = \"20GI{ez8*]E[e^:m8jswO=wgieQ-a.6S4(^l#3AG\"
";

/// Public certificate file that czmq 4.2.1 has written. `CZMQ_SECRET` is the secret file with the same key.
const CZMQ_PUBLIC: &str = "\
#   ****  Generated on 2026-11-25 06:34:43 by CZMQ  ****
#   ZeroMQ CURVE Public Certificate
#   Exchange securely, or use a secure mechanism to verify the contents
#   of this file after exchange. Store public certificates in your home
#   directory, in the .curve subdirectory.

metadata
    name = \"Ann O'Neil\"
    colour = \"#fff\"
curve
    public-key = \"Y9I.9n@A]H0WHGQ4BcCL2o&0ejJk</Vt(]WISTtc\"
";
const CZMQ_SECRET: &str = "\
#   ****  Generated on 2026-11-25 06:34:43 by CZMQ  ****
#   ZeroMQ CURVE **Secret** Certificate
#   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.

metadata
    name = \"Ann O'Neil\"
    colour = \"#fff\"
curve
    public-key = \"Y9I.9n@A]H0WHGQ4BcCL2o&0ejJk</Vt(]WISTtc\"
    secret-key = \">DV[*yid/J=I[t2wLC6kFCl:}e>Ggw}tNo$BT?ro\"
";

#[test]
fn parse_accepts_files_of_pyzmq_and_czmq() {
    for (text, public, secret, metadata) in [
        (PYZMQ_PUBLIC, "&jb0vy7e#*HXs]#N^1wi+lZ-ISne3ySMy0wbYtnt", None, vec![]),
        (
            PYZMQ_SECRET,
            "&jb0vy7e#*HXs]#N^1wi+lZ-ISne3ySMy0wbYtnt",
            Some("20GI{ez8*]E[e^:m8jswO=wgieQ-a.6S4(^l#3AG"),
            vec![("name", "Ann O'Neil"), ("mail", "a@b.c")],
        ),
        (
            CZMQ_PUBLIC,
            "Y9I.9n@A]H0WHGQ4BcCL2o&0ejJk</Vt(]WISTtc",
            None,
            vec![("name", "Ann O'Neil"), ("colour", "#fff")],
        ),
        (
            CZMQ_SECRET,
            "Y9I.9n@A]H0WHGQ4BcCL2o&0ejJk</Vt(]WISTtc",
            Some(">DV[*yid/J=I[t2wLC6kFCl:}e>Ggw}tNo$BT?ro"),
            vec![("name", "Ann O'Neil"), ("colour", "#fff")],
        ),
    ] {
        for text in [text, &text.replace('\n', "\r\n"), text.trim_end()] {
            let certificate: Certificate = text.parse().unwrap();
            assert_eq!(certificate.public().to_string(), public);
            assert_eq!(certificate.key_pair().map(|pair| pair.secret().to_z85().to_string()).as_deref(), secret);
            assert_eq!(certificate.metadata().collect::<Vec<_>>(), metadata);
        }
    }
}

#[test]
fn text_equals_that_of_czmq_except_comments() {
    let secret: Certificate = CZMQ_SECRET.parse().unwrap();
    let content = |text: &str| text.split_once("\n\n").unwrap().1.to_string();
    assert_eq!(content(&secret.public_text()), content(CZMQ_PUBLIC));
    assert_eq!(content(&secret.secret_text().unwrap()), content(CZMQ_SECRET));
    let public: Certificate = CZMQ_PUBLIC.parse().unwrap();
    assert_eq!(public.secret_text(), None);
    assert_eq!(public.public_text(), secret.public_text());
}

#[test]
fn certificate_round_trips() {
    let pair = KeyPair::generate(&mut entropy());
    let certificate = [("name", "Ann O'Neil"), ("motto", "\"#1\" = mine "), ("empty", ""), ("a.b+c@$&-_", "=")]
        .iter()
        .try_fold(Certificate::from(pair.clone()), |certificate, (name, value)| certificate.with_metadata(name, value));
    let certificate = certificate.unwrap();
    assert_eq!(certificate.secret_text().unwrap().parse(), Ok(certificate.clone()));
    let public: Certificate = certificate.public_text().parse().unwrap();
    assert_eq!((public.public(), public.key_pair()), (pair.public(), None));
    assert!(public.metadata().eq(certificate.metadata()));
    // `with_metadata` rejects this name, but a parsed certificate may contain it and must round-trip.
    let parsed: Certificate =
        CZMQ_PUBLIC.replace("name = \"Ann O'Neil\"", "full name = Ann \"O'\" # really").parse().unwrap();
    assert_eq!(parsed.metadata().next(), Some(("full name", "Ann \"O'\"")));
    assert_eq!(parsed.public_text().parse(), Ok(parsed));
}

#[test]
fn parse_accepts_all_syntax_of_zpl() {
    let key = "Y9I.9n@A]H0WHGQ4BcCL2o&0ejJk</Vt(]WISTtc";
    let text = format!(
        "   # indented comment\n\nserver # comment\n    public-key = 'not this one'\ncurve   # comment\n\n\tpublic-key='{key}'  # \
         comment\n    owner = us\nmetadata\n    flag\n    other # comment = 5\n    text = one # two\n"
    );
    let certificate: Certificate = text.parse().unwrap();
    assert_eq!(certificate.public().to_string(), key);
    assert_eq!(certificate.metadata().collect::<Vec<_>>(), [("flag", ""), ("other", ""), ("text", "one")]);
}

#[test]
fn parse_rejects_invalid_text_with_its_line() {
    let with = |old: &str, new: &str| CZMQ_SECRET.replace(old, new).parse::<Certificate>().unwrap_err();
    assert_eq!("".parse::<Certificate>(), Err(CertificateError::NoPublicKey));
    assert_eq!(with("public-key", "pubic-key"), CertificateError::NoPublicKey);
    assert_eq!(with("\ncurve", "\ncurved"), CertificateError::NoPublicKey);
    assert_eq!(with("    public-key", "public-key"), CertificateError::NoPublicKey);
    assert_eq!(with("#fff\"", "#fff"), CertificateError::Line(7));
    assert_eq!(with("O'Neil\"", "O'Neil\" and more"), CertificateError::Line(6));
    assert_eq!(with("name =", "="), CertificateError::Line(6));
    assert_eq!(with("secret-key", "public-key"), CertificateError::Twice(10));
    assert_eq!(with("public-key", "secret-key"), CertificateError::Twice(10));
    assert_eq!(with("STtc", "STt"), CertificateError::Key { line: 9, reason: KeyError::Length(39) });
    let reason = KeyError::Text(Z85Error::Character(4));
    assert_eq!(with(">DV[*", ">DV[ "), CertificateError::Key { line: 10, reason });
    assert_eq!(with(">DV[*", ">DV[+"), CertificateError::Mismatch);
}

#[test]
fn with_metadata_rejects_invalid_names_and_values() {
    let certificate = || Certificate::from(*KeyPair::generate(&mut entropy()).public());
    for name in ["", " name", "na me", "name=", "#name", "name\n", "\"name\"", "größe", "a/b"] {
        assert_eq!(certificate().with_metadata(name, ""), Err(CertificateError::MetadataName), "{name:?}");
    }
    for value in ["\n", "one\r\ntwo", "one\rtwo", "'\""] {
        assert_eq!(certificate().with_metadata("name", value), Err(CertificateError::MetadataValue), "{value:?}");
    }
}

#[test]
fn certificate_debug_omits_the_secret() {
    let pair = KeyPair::generate(&mut entropy());
    let shown = format!("{:?}", Certificate::from(pair.clone()));
    assert!(shown.contains(&pair.public().to_string()) && !shown.contains(&**pair.secret().to_z85()), "{shown}");
}
