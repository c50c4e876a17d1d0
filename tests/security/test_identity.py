"""The certificate of this machine, and one clear line for everything that can be wrong with it."""

import datetime as dt
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from fission.security import (
    CertificateError,
    IdentityFiles,
    Role,
    client_context,
    find_identity,
    load_identity,
    server_context,
)
from fission.security.authority import Authority, Pair

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def good(certificates) -> IdentityFiles:
    """An identity that a test may spoil."""
    return certificates.make(addresses=("127.0.0.1", "pi2"))


def refusal(call, *args, **kwargs) -> str:
    """The one line that a user sees."""
    with pytest.raises(CertificateError) as caught:
        call(*args, **kwargs)
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_good_one(good) -> None:
    identity = load_identity(good.folder)
    assert (identity.ca, identity.cert, identity.key) == (good.ca, good.cert, good.key)
    assert (identity.role, identity.addresses) == (Role.NODE, ("127.0.0.1", "pi2"))
    assert find_identity(good.folder) == good


def test_another_role(good) -> None:
    assert load_identity(good.folder, Role.NODE).role is Role.NODE
    assert "this certificate is not for a client; expected client, found node" in refusal(
        load_identity, good.folder, Role.CLIENT
    )


def test_no_folder(tmp_path) -> None:
    text = refusal(load_identity, tmp_path / "certs" / "client")
    assert text == (
        f"{tmp_path}/certs/client: there are no certificates. "
        "Run `fission certs` in the project's folder to make the certificates"
    )
    (tmp_path / "file").touch()
    assert "there are no certificates" in refusal(find_identity, tmp_path / "file" / "client")


@pytest.mark.parametrize("name", ["ca.pem", "cert.pem", "key.pem"])
def test_a_file_is_missing(good, name) -> None:
    (good.folder / name).unlink()
    assert f"/{name}: the file is missing. Copy the three files of one folder together" in refusal(
        load_identity, good.folder
    )
    (good.folder / name).mkdir()
    assert f"/{name}: cannot be read (Is a directory)" in refusal(find_identity, good.folder)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601, 0o777])
def test_a_key_that_others_can_read(good, mode) -> None:
    os.chmod(good.key, mode)
    text = refusal(find_identity, good.folder)
    assert f"/key.pem: others may read or change the key; expected mode 0600, found {mode:04o}" in text
    assert f"Run `chmod 600 {good.key}`" in text
    os.chmod(good.key, 0o400)
    find_identity(good.folder)


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_folder_that_others_can_write(good, mode) -> None:
    os.chmod(good.folder, mode)
    assert "others may write into the folder of a key; expected mode 0700" in refusal(
        load_identity, good.folder
    )
    os.chmod(good.folder, 0o755)
    find_identity(good.folder)


def test_the_wrong_key(good, certificates) -> None:
    good.key.write_bytes(certificates.make().key.read_bytes())
    assert "/key.pem: the key does not belong to the certificate" in refusal(load_identity, good.folder)
    assert "cannot be used for TLS (KEY_VALUES_MISMATCH)" in refusal(server_context, good)


def test_an_encrypted_key_does_not_ask_for_a_password(good) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    good.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    assert "expected an EC key without password" in refusal(load_identity, good.folder)
    assert "cannot be used for TLS" in refusal(client_context, good)


@pytest.mark.parametrize("name", ["ca.pem", "cert.pem", "key.pem"])
def test_nonsense(good, name) -> None:
    (good.folder / name).write_bytes(b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    assert f"/{name}: this is no" in refusal(load_identity, good.folder)
    assert "cannot be used for TLS" in refusal(client_context, good)


def test_a_file_that_has_gone_meanwhile(good) -> None:
    good.cert.unlink()
    assert "cannot be used for TLS (No such file or directory)" in refusal(client_context, good)


def test_another_authority(good, cluster) -> None:
    good.ca.write_bytes((cluster.client / "ca.pem").read_bytes())
    text = refusal(load_identity, good.folder)
    assert "/cert.pem: the certificate was not signed by the authority beside it; expected CN=FISSION" in text


def test_no_role(certificates) -> None:
    class Plain:
        uri = "https://example.org"

    def pair(authority: Authority) -> Pair:
        return authority.issue(Plain, "web", (), now=NOW, days=1)

    text = refusal(load_identity, certificates.make(pair=pair).folder)
    assert "/cert.pem: the certificate has no role that we know; expected fission:role:client or" in text


def test_no_alternative_names_at_all(certificates) -> None:
    """The authority's own certificate, as if somebody had copied the wrong file."""
    made = certificates.make()
    made.cert.write_bytes(certificates.authority.pem)
    made.key.write_bytes(certificates.authority.key_pem)
    assert "/cert.pem: the certificate has no role that we know" in refusal(load_identity, made.folder)


def test_expired(certificates) -> None:
    text = refusal(load_identity, certificates.make(begin=-30).folder)
    assert "/cert.pem: the certificate has expired; expected a time before" in text
    assert "Run `fission certs --renew`" in text


def test_not_yet_valid(certificates) -> None:
    text = refusal(load_identity, certificates.make(begin=5).folder)
    assert "/cert.pem: the certificate is not valid yet; expected a time after" in text
    assert text.endswith("Is the clock of this machine right?")


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (31, ""),
        (30, ""),
        (29.5, "expires in 29 days ("),
        (1.5, "expires in 1 day ("),
        (0.5, "expires today ("),
    ],
)
def test_the_warning(good, before, text) -> None:
    identity = load_identity(good.folder)
    warning = identity.warning(identity.not_after - dt.timedelta(days=before))
    assert text in warning
    assert bool(text) == bool(warning)


def test_processes_that_only_talk_import_neither_cryptography_nor_asyncio() -> None:
    code = (
        "import sys, fission.security as s; "
        "print(sorted({'cryptography', 'asyncio', 'numpy', 'rich'} & set(sys.modules))); "
        "print(all(hasattr(s, name) for name in s.__all__), s.__all__ == sorted(s.__all__, key=s.__all__.index))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.split("\n")[:2] == ["[]", "True True"]
