//! Runs the checks of the fuzz targets on stable Rust: with their seeds, most of them from recorded traffic of libzmq, with
//! every input that has caused a failure before (`fuzz/crashes`), and with random inputs.

#[allow(unreachable_pub, reason = "the file is also a separate crate")]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use sansmq_proto::entropy::SeededEntropy;
use std::fs;
use std::path::Path;
use targets::{TARGETS, seeds};

/// Number of random inputs per target.
const RANDOM: u64 = 300;

fn run(target: &str, input: &[u8]) {
    let (_, check) =
        TARGETS.into_iter().find(|(name, _)| *name == target).unwrap_or_else(|| panic!("no target {target}"));
    check(input);
}

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

#[test]
fn seeds_pass_their_targets() {
    let seeds = seeds(&folder("proto/tests/data")).unwrap();
    assert!(seeds.len() > 500, "{} seeds", seeds.len());
    for (target, input) in &seeds {
        run(target, input);
    }
}

/// Runs every input in `fuzz/crashes`, which has one folder per target and one file per input.
#[test]
fn former_crash_inputs_pass() {
    for target in fs::read_dir(folder("fuzz/crashes")).unwrap() {
        let target = target.unwrap().path();
        if target.is_dir() {
            for input in fs::read_dir(&target).unwrap() {
                run(target.file_name().unwrap().to_str().unwrap(), &fs::read(input.unwrap().path()).unwrap());
            }
        }
    }
}

#[test]
fn random_inputs_pass_all_targets() {
    for (target, check) in TARGETS {
        for seed in 0..RANDOM {
            let mut rng = SeededEntropy::new(seed);
            let mut input = vec![0; usize::try_from(rng.next_u64() % 800).unwrap()];
            sansmq_proto::Entropy::fill(&mut rng, &mut input);
            let failed = std::panic::catch_unwind(|| check(&input)).is_err();
            assert!(!failed, "{target}, seed {seed}: {input:02x?}");
        }
    }
}

/// Each target needs an entry in `fuzz/Cargo.toml` and a program in `fuzz/fuzz_targets`.
#[test]
fn every_target_has_a_manifest_entry_and_a_program() {
    let manifest = fs::read_to_string(folder("fuzz/Cargo.toml")).unwrap();
    for (target, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
        let program = fs::read_to_string(folder("fuzz/fuzz_targets").join(format!("{target}.rs"))).unwrap();
        assert!(program.contains(&format!("sansmq_fuzz::{target}(data)")), "{target}");
    }
}
