"""Files that travel by content: manifests, bundles, the store, transfer."""
