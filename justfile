# Common commands. `just` alone lists them.

# Lists the recipes
default:
    @just --list

# Runs the tests, as the README says
test:
    cargo test --workspace

# Runs the quick checks, for every change (20 minutes at most)
quick:
    .ci/run

# Runs the long checks (an hour or more)
full:
    .ci/full

# Formats, and runs clippy and rustdoc with warnings denied
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --all-features

# Builds the documentation and opens it
docs:
    cargo doc --workspace --no-deps --all-features --open

# Writes the public interface to docs/api, to be committed with the change
api:
    .ci/api

# Runs the benchmarks by time
bench:
    cargo bench -p sansmq-benches --bench codec --bench curve --bench inproc --bench topics

# Compares instruction counts with those of the commit in .ci/base
instructions:
    .ci/instructions

# Runs every fuzz target for a number of seconds
fuzz seconds="60":
    .ci/fuzz {{ seconds }}

# Runs the tests against pyzmq, which is installed into the target folder unless SANSMQ_PYTHON names a Python that has it
interop:
    #!/usr/bin/env bash
    set -euo pipefail
    . .ci/lib
    python_with_pyzmq
    cargo test --workspace --features sansmq-tests/pyzmq --test pyzmq
