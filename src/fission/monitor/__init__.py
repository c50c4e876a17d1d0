"""What a running network looks like from outside: frozen views, plain enough for JSON."""

from fission.monitor.views import JobView, NetworkView, NodeView, PipeView

__all__ = ["JobView", "NetworkView", "NodeView", "PipeView"]
