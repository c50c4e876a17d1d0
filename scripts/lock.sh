#!/bin/sh
# Writes the lock files anew: requirements.lock (the package) and requirements-dev.lock (the package with its tests and tools).
# They name one version of every package, with the digests of its files, for all supported versions of Python and platforms.
# Run it after a change of the dependencies in pyproject.toml, or to take newer releases; then `make test`.
# With `--lowest` it prints the oldest release of every dependency that pyproject.toml admits, for a test of the lower bounds.
set -eu
cd "$(dirname "$0")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/python" -m pip install --quiet 'uv>=0.9'
compile() {
    "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate "$@"
}
if [ "${1:-}" = --lowest ]; then
    compile --group test --group build --resolution lowest-direct pyproject.toml
    exit
fi
compile --upgrade --generate-hashes --output-file requirements.lock pyproject.toml
compile --upgrade --generate-hashes --group dev --output-file requirements-dev.lock pyproject.toml
