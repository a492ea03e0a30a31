#!/usr/bin/env bash
# Builds peer-bench-base: the scenarios with the sansmq of the commit of reference. Takes its sources from the history of this
# repository. A shallow clone has no such commit: run `git fetch --unshallow` first.
set -euo pipefail
cd "$(dirname "$0")"
commit=b79c626e86a8dbfbb83a3beda80acfeb5817de29
tree=target/base-tree
if [ "$(cat "$tree/.commit" 2>/dev/null)" != "$commit" ]; then
    rm -rf "$tree"
    mkdir -p "$tree"
    git -C "$(git rev-parse --show-toplevel)" archive "$commit" | tar -x -C "$tree"
    echo "$commit" >"$tree/.commit"
fi
cargo build --release --locked --manifest-path base/Cargo.toml --target-dir target
