#!/bin/sh
# Makes the certificates of a cluster once, and gives each container its own: certificates.sh AUTHORITY CLIENT [ADDRESS=FOLDER ...]
# The folder AUTHORITY keeps the authority's key; no other container gets it.
set -eu
authority=$1
client=$2
shift 2
for entry in "$@"; do
    fission certs --dir "$authority" --node "${entry%%=*}"
    cp "$authority/nodes/${entry%%=*}/"* "${entry#*=}"
done
cp "$authority/client/"* "$client"
