//! Seeds for the fuzz targets, made from recorded sessions between libzmq and its peers, and from ordinary scenarios.

use super::{Seed, shared_ports};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::security::curve::{Certificate, KeyPair};
use std::path::Path;
use std::{fs, io};

/// Returns seeds from the bytes that both sides of the sessions in the folder `sessions` have sent (see
/// `proto/tests/data/README.md`), and seeds of single targets.
pub fn seeds(sessions: &Path) -> io::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    let mut files =
        fs::read_dir(sessions)?.chain(fs::read_dir(sessions.join("old"))?).collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(fs::DirEntry::path);
    for file in files.iter().filter(|file| file.path().extension().is_some_and(|end| end == "txt")) {
        let text = fs::read_to_string(file.path())?;
        for side in ["> ", "< "] {
            // The bytes of all connections of a session are joined, which is not a valid exchange, but a good seed.
            let bytes: Vec<u8> = text.lines().filter_map(|line| line.strip_prefix(side)).flat_map(unhex).collect();
            add_seeds(&bytes, &mut seeds);
        }
    }
    seeds.extend(certificates());
    seeds.extend(shared_ports::seeds().into_iter().map(|input| ("shared_ports", input)));
    Ok(seeds)
}

/// Returns seeds for the fuzz target `certificate`: a public and a secret key file, with metadata and comments.
fn certificates() -> [Seed; 2] {
    let certificate = Certificate::from(KeyPair::generate(&mut SeededEntropy::new(1)));
    let certificate = certificate.with_metadata("name", "it's #1").expect("valid metadata");
    let secret = certificate.secret_text().expect("the certificate has both keys");
    let texts = [certificate.public_text() + "# a comment\nother\n  name = value # and another\n", secret.to_string()];
    texts.map(|text| ("certificate", text.into_bytes()))
}

fn add_seeds(bytes: &[u8], seeds: &mut Vec<Seed>) {
    const GREETING: usize = 64;
    for kind in 0..8 {
        seeds.push(("connection", [&[kind, 7], bytes].concat()));
    }
    // Sessions of legacy peers may be shorter than a ZMTP 3 greeting.
    let Some((greeting, traffic)) = bytes.split_at_checked(GREETING) else { return };
    seeds.push(("greeting", greeting.to_vec()));
    seeds.push(("frames", traffic.to_vec()));
    seeds.push(("round_trip", bytes.to_vec()));
    // A short command: flags, a one-byte length, and the body.
    if let [4, len, rest @ ..] = traffic
        && let Some(body) = rest.get(..usize::from(*len))
    {
        seeds.push(("commands", body.to_vec()));
    }
}

/// Decodes hexadecimal digits; the text `*n` stands for `n` bytes of arbitrary content.
fn unhex(text: &str) -> Vec<u8> {
    if let Some(count) = text.strip_prefix('*').and_then(|count| count.parse().ok()) {
        return vec![b'.'; count];
    }
    let digits: Vec<u8> = text.chars().filter_map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
