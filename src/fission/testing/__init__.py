"""Support for tests of networks: the pytest plugin `fission.testing.plugin`."""
