#!/usr/bin/env bash
# Runs each fuzz target for FUZZ_SECONDS (60), or the targets named as arguments.
#
# With a nightly toolchain under the address sanitizer, else without one. Starts from the committed
# corpus in tests/fuzz; what it finds goes to fuzz/corpus, and a crashing input to fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

cargo=(cargo)
options=(-s none)
if rustup run nightly rustc --version >/dev/null 2>&1; then
    cargo=(cargo +nightly)
    options=()
fi

targets=("$@")
if [ "${#targets[@]}" = 0 ]; then
    mapfile -t targets < <(cargo fuzz list)
fi
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    # 64 KiB is more than any header, and enough for a manifest.
    "${cargo[@]}" fuzz run "${options[@]}" "$target" "fuzz/corpus/$target" "tests/fuzz/$target" -- \
        -max_total_time="${FUZZ_SECONDS:-60}" -max_len=65536 -timeout=10
done
