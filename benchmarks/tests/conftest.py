"""Settings of every run of these tests."""

from kits.signals import restore_interrupt

restore_interrupt()
