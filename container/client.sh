#!/bin/sh
# Runs an example network on the nodes in FISSION_NODES: client.sh PROJECT CERTIFICATES [options of `fission run`]
# CERTIFICATES has the files of the client's certificate. The project is made on the first start; put your own in its place.
set -eu
project=$1
certs=$(mktemp -d)
install -d -m 0700 "$certs/client"
install -m 0600 "$2"/*.pem "$certs/client" # a mounted secret may be readable by a group, which fission refuses
shift 2
if [ ! -e "$project/manage.py" ]; then
    cd "$(dirname "$project")"
    fission new project "$(basename "$project")"
    fission new network counter --example source_to_csv --project "$project"
fi
cd "$project"
cat > "$project/counter/cluster.py" <<EOT
from fission.core.nodes import BaseNode

CERTS = "$certs"
NODES = [BaseNode(address) for address in "$FISSION_NODES".split()]
EOT
grep -q "counter.cluster" counter/config.py || echo "from counter.cluster import CERTS, NODES" >> counter/config.py
exec fission run counter "$@"
