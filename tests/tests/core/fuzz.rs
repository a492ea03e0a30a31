//! What the fuzz targets check, on stable Rust: with seeds made from what libzmq has said, with every input that has ever broken
//! something (`fuzz/crashes`), and with some that are made at random.

#[allow(unreachable_pub, reason = "it is a crate of its own, too")]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use sansmq_proto::entropy::SeededEntropy;
use std::fs;
use std::path::Path;
use targets::{TARGETS, seeds};

/// Inputs made at random for each target.
const RANDOM: u64 = 300;

fn run(target: &str, octets: &[u8]) {
    let (_, check) =
        TARGETS.into_iter().find(|(name, _)| *name == target).unwrap_or_else(|| panic!("no target {target}"));
    check(octets);
}

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

#[test]
fn what_libzmq_has_said_is_harmless() {
    let seeds = seeds(&folder("proto/tests/data")).unwrap();
    assert!(seeds.len() > 500, "{} seeds", seeds.len());
    for (target, octets) in &seeds {
        run(target, octets);
    }
}

/// One folder for each target, one file for each input.
#[test]
fn what_has_broken_something_does_so_no_more() {
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
fn nothing_made_at_random_breaks_anything() {
    for (target, check) in TARGETS {
        for seed in 0..RANDOM {
            let mut dice = SeededEntropy::new(seed);
            let mut octets = vec![0; usize::try_from(dice.next_u64() % 800).unwrap()];
            sansmq_proto::Entropy::fill(&mut dice, &mut octets);
            let broken = std::panic::catch_unwind(|| check(&octets)).is_err();
            assert!(!broken, "{target}, seed {seed}: {octets:02x?}");
        }
    }
}

/// Each has its line in `fuzz/Cargo.toml` and its file.
#[test]
fn every_target_can_be_run() {
    let manifest = fs::read_to_string(folder("fuzz/Cargo.toml")).unwrap();
    for (target, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
        let program = fs::read_to_string(folder("fuzz/fuzz_targets").join(format!("{target}.rs"))).unwrap();
        assert!(program.contains(&format!("sansmq_fuzz::{target}(data)")), "{target}");
    }
}
