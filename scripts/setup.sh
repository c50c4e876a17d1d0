#!/bin/sh
# Creates the virtual environment that `make` uses: scripts/setup.sh .venv
# One line per step. The output of the package managers goes to a log, whose end is shown when a step fails.
set -eu
venv=$1
log=$(mktemp "${TMPDIR:-/tmp}/fission-setup.XXXXXX")
trap 'rm -f "$log"' EXIT
trap 'printf "\nThe set-up was stopped; the next call resumes it.\n" >&2; exit 130' INT TERM

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "error: FISSION needs Python 3.11 or newer; found $(python3 --version 2>&1 || echo none)" >&2
    exit 1
fi

step() { # TEXT COMMAND...: run a command, report its duration; on failure show the end of its output
    printf '%s ...' "$1"
    shift
    begin=$(date +%s)
    if "$@" </dev/null >"$log" 2>&1; then
        printf ' done (%s s)\n' "$(($(date +%s) - begin))"
    else
        printf ' failed\n'
        tail -n 20 "$log" | sed 's/^/    /' >&2
        return 1
    fi
}

# Debian and Ubuntu ship Python without the parts that make virtual environments. The demo draws with dot. The tests
# compile a small program in C, make speech, open windows in tmux, make hosts of network namespaces
# and boot whole machines.
missing=
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || missing="$missing $2"
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
need dot graphviz
need espeak-ng espeak-ng
need gcc "gcc libc6-dev"
need tmux tmux
need ip iproute2
need nft nftables
need debootstrap debootstrap
need systemd-nspawn systemd-container
need ssh openssh-client
need sshpass sshpass
install_packages() {
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        step "system packages:$missing" install_packages ||
            echo "warning: the set-up continues; some tests are skipped and pictures are not drawn" >&2
    else
        echo "note: for pictures and all tests, run: sudo apt-get install$missing" >&2
    fi
fi

[ -x "$venv/bin/python" ] || step "virtual environment in $venv" "$python" -m venv "$venv"
pip="$venv/bin/python -m pip --disable-pip-version-check --no-input"
step "pip without known vulnerabilities" $pip install --upgrade 'pip>=26.2'
step "the locked packages of FISSION and its tests (one to three minutes)" \
    $pip install --require-hashes --requirement requirements-dev.lock
step "FISSION" $pip install --no-deps --no-build-isolation --editable .
touch "$venv/.ready"
