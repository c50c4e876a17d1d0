"""Settings of every test run: signals, and how many examples properties try."""

from kits.effort import register_profiles
from kits.signals import restore_interrupt

register_profiles()
restore_interrupt()
