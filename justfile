# Common commands. `just` without arguments lists them.

# Lists the recipes
default:
    @just --list

# Runs all tests except those against pyzmq
test:
    cargo test --workspace

# Runs the quick checks, for every change (20 minutes at most)
quick:
    .ci/run

# Runs the long checks (an hour or more)
full:
    .ci/full

# Formats the code, and runs clippy and rustdoc with warnings denied
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --all-features

# Lists the lines with words or phrases that the language rules of CONTRIBUTING.md exclude
language:
    .ci/language --all

# Builds the documentation and opens it
docs:
    cargo doc --workspace --no-deps --all-features --open

# Writes the lists of public items in docs/api; commit them with the change
api:
    .ci/api

# Runs the benchmarks that measure time
bench:
    cargo bench -p sansmq-benches --bench codec --bench curve --bench inproc --bench topics

# Compares instruction counts with those of the commit in .ci/base
instructions:
    .ci/instructions

# Runs every fuzz target for a number of seconds
fuzz seconds="60":
    .ci/fuzz {{ seconds }}

# Keeps a smallest corpus for every fuzz target
minimize:
    .ci/minimize

# Runs the tests against pyzmq, which is installed into the target folder unless SANSMQ_PYTHON is a Python with pyzmq
interop:
    #!/usr/bin/env bash
    set -euo pipefail
    . .ci/lib
    python_with_pyzmq
    cargo test --workspace --features sansmq-tests/pyzmq --test pyzmq
