#!/usr/bin/env bash
# Installs what the tests need, runs them all, and names the real programs that they ran.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/setup.sh

mkdir -p target
log="$PWD/target/test-output.log"
export TAGWRIGHT_PARTS_LOG="$PWD/target/test-parts.log"
: >"$TAGWRIGHT_PARTS_LOG"

# Libraries, binaries, integration and doc tests. The output is kept for the sums below.
status=0
cargo test --locked --features full --no-fail-fast "$@" 2>&1 | tee "$log" || status=$?

# A program's own word on its version; Debian's where it has none.
version() {
    local words
    case "$1" in
    helm) words=$("$2" version --short) ;;
    ssh | sshd) words=$("$2" -V 2>&1 | grep -m1 -o 'OpenSSH[^,]*') ;;
    nginx) words=$("$2" -v 2>&1) ;;
    openssl) words=$("$2" version) ;;
    git-*) words=$(git --version) ;;
    htpasswd | ssh-keygen | ssh-agent | ssh-add) words=$(dpkg-query -W -f '${Version}' "$(dpkg-query -S "$2" | cut -d: -f1)") ;;
    *) words=$("$2" --version 2>&1 | head -n 1) ;;
    esac
    echo "$words"
}

echo
echo "Real parts used:"
sort -u "$TAGWRIGHT_PARTS_LOG" | while read -r program path; do
    printf '  %-18s %s (%s)\n' "$program" "$(version "$program" "$path" 2>/dev/null || echo 'unknown version')" "$path"
done
if [ ! -s "$TAGWRIGHT_PARTS_LOG" ]; then
    echo "  none"
fi

echo
awk '/^test result: / { passed += $4; failed += $6; skipped += $8 }
     END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$log"
exit "$status"
