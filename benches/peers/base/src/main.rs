//! `peer-bench-base`: the variants `sansmq-base-*`, with the scenarios of `peer-bench`. See ../../README.md.

#![expect(dead_code, reason = "the shared modules also have items for other implementations")]

#[path = "../../src/aio/mod.rs"]
mod aio;
#[path = "../../src/args.rs"]
mod args;
#[path = "../../src/blk/mod.rs"]
mod blk;
#[path = "../../src/check.rs"]
mod check;
#[path = "../../src/common.rs"]
mod common;
#[path = "../../src/impl_sansmq_base.rs"]
mod impl_sansmq_base;
#[path = "../../src/measure.rs"]
mod measure;
#[path = "../../src/on_mio.rs"]
mod on_mio;
#[path = "../../src/on_smol.rs"]
mod on_smol;
#[path = "../../src/on_tokio.rs"]
mod on_tokio;

use args::Args;
use impl_sansmq_base::{Blocking, Sansmq, run_mio};
use on_tokio::{flavor, run_on};

fn main() {
    let a = match Args::parse() {
        Ok(a) => a,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(2);
        }
    };
    measure::raise_open_files();
    measure::fail_on_errors(&a);
    match a.implementation.as_str() {
        "sansmq-base-ct" | "sansmq-base-mt" => run_on(flavor(&a.implementation), || Sansmq::Tokio, a),
        "sansmq-base-smol" => on_smol::run(Sansmq::on_smol, a),
        "sansmq-base-mio" => run_mio(a),
        "sansmq-base-blk" => blk::run(Blocking, a),
        other => panic!("implementation {other} is unknown"),
    }
}
