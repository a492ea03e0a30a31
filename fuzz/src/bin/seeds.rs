//! Writes a seed corpus for every target: `cargo run --bin seeds`, in this folder.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (target, octets) in sansmq_fuzz::seeds(&here.join("../proto/tests/data"))? {
        let folder = here.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        let mut name = DefaultHasher::new();
        octets.hash(&mut name);
        fs::write(folder.join(format!("seed-{:016x}", name.finish())), octets)?;
    }
    Ok(())
}
