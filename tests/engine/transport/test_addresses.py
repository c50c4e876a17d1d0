"""Which addresses this machine has."""

import pytest

from fission.engine.transport.addresses import require_own_address
from fission.errors import ConfigError


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1"])
def test_an_own_address(address):
    require_own_address(address, "--address")


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77"])
def test_a_foreign_address_is_reported_with_its_option(address):
    with pytest.raises(ConfigError, match=rf"^CLIENT_IP: {address} is no address of this machine\. "):
        require_own_address(address, "CLIENT_IP")
