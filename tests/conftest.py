"""Settings of every test run."""

from kits.signals import restore_interrupt

restore_interrupt()
