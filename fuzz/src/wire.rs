//! Fuzz targets for decoding and encoding of greetings, frame heads, commands and metadata.

use super::bounded;
use sansmq_proto::wire::{Command, FrameHead, Greeting, Metadata};

/// Checks that a greeting is unchanged after encoding and decoding, for any length of a routing id in its ZMTP 1.0
/// part.
pub fn greeting(data: &[u8]) {
    let _bounded = bounded(data);
    let Some((bytes, rest)) = data.split_first_chunk::<{ Greeting::LEN }>() else { return };
    let greeting = Greeting::decode(bytes);
    let again = greeting.encode(rest.first().copied().unwrap_or(0));
    assert_eq!(Greeting::decode(&again), greeting);
}

/// Checks that frame heads are unchanged after encoding and decoding, and that a decoded head is not longer than the
/// input.
pub fn frames(mut data: &[u8]) {
    let _bounded = bounded(data);
    while let Ok(Some((head, len))) = FrameHead::decode(data) {
        assert!(len > 0 && len <= data.len());
        let mut again = Vec::new();
        head.encode(&mut again);
        assert!(again.len() <= len, "the encoding must not be longer than the input");
        assert_eq!(FrameHead::decode(&again), Ok(Some((head, again.len()))));
        for cut in 0..again.len() {
            assert_eq!(FrameHead::decode(&again[..cut]), Ok(None), "a truncated head must be incomplete");
        }
        data = &data[len..];
    }
}

/// Checks that valid commands are unchanged after encoding and decoding, and that each metadata property is found by
/// its name.
pub fn commands(data: &[u8]) {
    let _bounded = bounded(data);
    if let Ok(command) = Command::decode(data) {
        let mut frame = Vec::new();
        command.encode(&mut frame);
        let Ok(Some((head, len))) = FrameHead::decode(&frame) else { panic!("{command:?} is not encoded as a frame") };
        assert!(head.command && !head.more);
        assert_eq!(Command::decode(&frame[len..]), Ok(command));
    }
    if let Ok(metadata) = Metadata::decode(data) {
        for (name, value) in metadata.iter() {
            assert!(!name.is_empty());
            if let Ok(name) = core::str::from_utf8(name) {
                assert_eq!(metadata.get(&name.to_ascii_uppercase()).map(|known| &known[..]), Some(value));
            }
        }
    }
}
