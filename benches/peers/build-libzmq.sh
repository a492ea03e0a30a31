#!/usr/bin/env bash
# Builds libzmq 4.3.5 as its own CMake does in Release mode (-O3 -DNDEBUG), static, with libsodium for CURVE. The source is the
# folder vendor/ of the crate zeromq-src 0.3.6+4.3.5, an unmodified libzmq 4.3.5. The build script of that crate is not used,
# because it leaves out what CMake detects (eventfd, accept4, SOCK_CLOEXEC), which makes a slower library.
# Needs: cmake g++ libsodium-dev (apt-get install cmake g++ libsodium-dev)
set -euo pipefail
cd "$(dirname "$0")"
out=${PEER_BENCH_LIBZMQ:-$PWD/libzmq}
cargo fetch --quiet --locked
src=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/zeromq-src-0.3.6+4.3.5/vendor | head -1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$src" "$work/src"
cmake -S "$work/src" -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_LIBDIR=lib \
  -DWITH_LIBSODIUM=ON -DENABLE_CURVE=ON -DENABLE_DRAFTS=OFF -DWITH_PERF_TOOL=OFF \
  -DZMQ_BUILD_TESTS=OFF -DBUILD_SHARED=OFF -DBUILD_STATIC=ON -DWITH_DOCS=OFF \
  -DCMAKE_INSTALL_PREFIX="$out" >"$work/log" 2>&1 || { tail -20 "$work/log"; exit 1; }
grep CXX_FLAGS "$work"/build/CMakeFiles/libzmq-static.dir/flags.make
cmake --build "$work/build" -j"${CARGO_BUILD_JOBS:-$(nproc)}" >"$work/log" 2>&1 || { tail -20 "$work/log"; exit 1; }
cmake --install "$work/build" >/dev/null
ls -l "$out/lib/libzmq.a"
