//! Fuzz targets for texts and messages that are parsed: endpoints, key files and envelopes.

use super::bounded;
use sansmq_proto::message::Envelope;
use sansmq_proto::security::curve::{Certificate, PublicKey, z85};
use sansmq_proto::{Endpoint, Message};

/// Checks that valid endpoints and valid Z85 texts are unchanged after formatting and parsing.
pub fn endpoint(data: &[u8]) {
    let _bounded = bounded(data);
    let text = String::from_utf8_lossy(data);
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        let again = endpoint.to_string();
        assert_eq!(again.parse::<Endpoint>().as_ref(), Ok(&endpoint), "{text:?} is formatted as {again:?}");
    }
    if let Ok(bytes) = z85::decode(&text) {
        assert_eq!(z85::encode(&bytes).as_deref(), Ok(&*text));
    }
    if let Ok(text) = z85::encode(data) {
        assert_eq!(z85::decode(&text).as_deref(), Ok(data));
    }
    let _ = text.parse::<PublicKey>();
}

/// Checks that valid certificates are unchanged after formatting and parsing.
pub fn certificate(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(certificate) = String::from_utf8_lossy(data).parse::<Certificate>() else { return };
    let public = certificate.public_text().parse::<Certificate>().expect("own output is valid input");
    assert_eq!(public.public(), certificate.public());
    assert!(public.key_pair().is_none() && public.metadata().eq(certificate.metadata()));
    if let Some(secret) = certificate.secret_text() {
        assert_eq!(secret.parse::<Certificate>().as_ref(), Ok(&certificate));
    }
}

/// Checks that an envelope that was removed from a message can be put back in front of any body.
pub fn envelope(data: &[u8]) {
    let _bounded = bounded(data);
    let Some(message) = Message::from_frames(data.split(|&byte| byte == b'/')) else { return };
    match Envelope::parse(message.clone()) {
        Ok((envelope, body)) => {
            assert!(envelope.ids().iter().all(|id| !id.is_empty()));
            assert_eq!(envelope.reply_to(body.clone()), message);
            assert_eq!(Envelope::parse(envelope.push("hop").reply_to(body.clone())).map(|(_, body)| body), Ok(body));
        }
        Err(same) => {
            assert_eq!(same, message);
            let delimiter = message.iter().position(|frame| frame.is_empty());
            assert!(delimiter.is_none_or(|delimiter| delimiter + 1 == message.len()));
        }
    }
}
