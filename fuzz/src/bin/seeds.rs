//! Writes a seed corpus for the fuzz targets: `cargo run --bin seeds`, in the folder `fuzz`.

// The instrumented code of the targets needs libFuzzer, even where nothing is fuzzed.
use libfuzzer_sys as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (target, input) in sansmq_fuzz::seeds(&root.join("../proto/tests/data"))? {
        let folder = root.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        let mut name = DefaultHasher::new();
        input.hash(&mut name);
        fs::write(folder.join(format!("seed-{:016x}", name.finish())), input)?;
    }
    Ok(())
}
