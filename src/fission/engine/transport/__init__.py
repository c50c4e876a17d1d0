"""Message connections between client and node: framing, handshake, heartbeat, failure detection."""
