//! Octets to values and back, one at a time: greetings, frame heads, commands, metadata.

use sansmq_proto::wire::{Command, FrameHead, Greeting, Metadata};

/// A greeting says the same after a second journey, whatever the routing id's length claims.
pub fn greeting(data: &[u8]) {
    let Some((octets, rest)) = data.split_first_chunk::<{ Greeting::LEN }>() else { return };
    let greeting = Greeting::decode(octets);
    let again = greeting.encode(rest.first().copied().unwrap_or(0));
    assert_eq!(Greeting::decode(&again), greeting);
}

/// Heads are read as far as there are any, never beyond the octets, and say the same when written.
pub fn frames(mut data: &[u8]) {
    while let Ok(Some((head, len))) = FrameHead::decode(data) {
        assert!(len > 0 && len <= data.len());
        let mut again = Vec::new();
        head.encode(&mut again);
        assert!(again.len() <= len, "nothing is said in more octets than it came in");
        assert_eq!(FrameHead::decode(&again), Ok(Some((head, again.len()))));
        for cut in 0..again.len() {
            assert_eq!(FrameHead::decode(&again[..cut]), Ok(None), "a head that is not whole is none yet");
        }
        data = &data[len..];
    }
}

/// A command that is understood says the same when written; and so do metadata, to whoever reads them one by one.
pub fn commands(data: &[u8]) {
    if let Ok(command) = Command::decode(data) {
        let mut frame = Vec::new();
        command.encode(&mut frame);
        let Ok(Some((head, len))) = FrameHead::decode(&frame) else { panic!("{command:?} is no frame") };
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
