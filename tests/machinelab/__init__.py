"""Whole machines for tests: Debian booted by systemd-nspawn, with its own systemd, sshd and address on a bridge."""

from machinelab.image import unavailable
from machinelab.lab import Machine, MachineLab

__all__ = ["Machine", "MachineLab", "unavailable"]
