#!/bin/sh
# Makes the virtual environment that `make` uses. Asks the system's package manager for what is missing.
set -eu
venv=$1

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "error: FISSION needs Python 3.11 or newer; found $(python3 --version 2>&1 || echo none)." >&2
    exit 1
fi

# Debian and Ubuntu ship Python without the parts that make virtual environments. The demo draws with dot; the tests compile
# a small program in C, make speech, open windows in tmux and make
# hosts of network namespaces.
wanted=
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || wanted="$wanted $2"
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3-venv"
need dot graphviz
need espeak-ng espeak-ng
need gcc "gcc libc6-dev"
need tmux tmux
need ip iproute2
need nft nftables
if [ -n "$wanted" ]; then
    install="apt-get install -y --no-install-recommends $wanted"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        { apt-get update && DEBIAN_FRONTEND=noninteractive $install; } >/dev/null ||
            echo "warning: could not install$wanted; without them some tests are skipped" >&2
    else
        echo "note: for all features and all tests, run: sudo $install" >&2
    fi
fi

echo "setting up $venv ..."
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
"$venv/bin/python" -m pip install --quiet --editable . --group dev
touch "$venv/.ready"
