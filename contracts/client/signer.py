"""Who signs: a key in this process, or a signer beside it that never lets the key out.

The signer apart is asked through Web3Signer's API (POST /api/v1/eth1/sign/{public key}). That API hashes what it is
given, so a signer of ours takes the message and not its digest: who holds the key can read what it signs.

Which one a process uses is its environment's to say. With KOPECK_SIGNER_URL every party's key is with the signer, and
``keys/<party>.pub`` names it; without it the key is in ``keys/<party>.key``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from coincurve import PrivateKey, PublicKey

from contracts.client.rpc import NodeError
from contracts.wire.ids import Address, address_text
from contracts.wire.keccak import keccak
from contracts.wire.typed_data import SignatureError, address_of, recover

SIGNER_URL = "KOPECK_SIGNER_URL"
_TIMEOUT_S = 5.0
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")
_HERE = ("127.0.0.1", "localhost", "::1")


class Signer(Protocol):
    """Holds one key."""

    @property
    def address(self) -> Address:
        """The key's account."""
        ...

    def sign(self, message: bytes) -> bytes:
        """65 bytes r ‖ s ‖ recovery bit (0 or 1), low s, over keccak-256 of ``message``.

        Raises SignerAway, SignerRefused.
        """
        ...


class SignerAway(NodeError):
    """The signer does not answer: nothing is lost, what is to be signed waits until it is back."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"the signer at {url} does not answer ({reason}); start it, what waits is signed by itself")
        self.url = url


class SignerRefused(Exception):
    """The signer answers, and does not sign with this key: to ask again would not help."""

    def __init__(self, url: str, address: Address, reason: str) -> None:
        super().__init__(f"the signer at {url} does not sign for {address_text(address)}: {reason}")
        self.url, self.address = url, address


class NoKey(Exception):
    """A party has no key where its process looks for it."""

    def __init__(self, path: Path, remedy: str) -> None:
        super().__init__(f"{path}: {remedy}")
        self.path = path


class LocalSigner:
    """A key in this process."""

    def __init__(self, private_key: bytes) -> None:
        self.address: Address = address_of(private_key)
        self._key = PrivateKey(private_key)

    def sign(self, message: bytes) -> bytes:
        """RFC 6979: the same message, the same bytes, every time."""
        return self._key.sign_recoverable(keccak(message), hasher=None)


class RemoteSigner:
    """A key that a signer of Web3Signer's API holds. What comes back is checked before it is used."""

    def __init__(self, url: str, public_key: bytes, timeout_s: float = _TIMEOUT_S) -> None:
        """``public_key`` is the point's 64 bytes. Raises ValueError for none, and for plain HTTP to another host."""
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _HERE:
            raise ValueError(f"{url}: plain HTTP to another host would let anyone on the way sign; use https")
        PublicKey(b"\x04" + public_key)
        self.address = Address(keccak(public_key)[12:])
        self._url = url.rstrip("/")
        self._path = f"{self._url}/api/v1/eth1/sign/0x{public_key.hex()}"
        self._http = httpx.Client(timeout=timeout_s, trust_env=False)

    def sign(self, message: bytes) -> bytes:
        """Asks for a signature over the keccak-256 of ``message``. Raises SignerAway, SignerRefused."""
        try:
            answer = self._http.post(self._path, json={"data": "0x" + message.hex()})
        except httpx.TransportError as error:
            raise SignerAway(self._url, type(error).__name__) from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise SignerRefused(self._url, self.address, "it holds no such key; load it there, or mend the .pub file")
        if answer.status_code >= 500:
            raise SignerAway(self._url, f"status {answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            raise SignerRefused(self._url, self.address, f"status {answer.status_code}; read the signer's log")
        return self._checked(message, answer.text.strip())

    def _checked(self, message: bytes, text: str) -> bytes:
        if not _SIGNATURE.fullmatch(text):
            raise SignerRefused(self._url, self.address, f"it answered {text[:40]!r}, which is no signature")
        signature = bytes.fromhex(text[2:])
        try:
            found = recover(keccak(message), signature)
        except SignatureError as error:
            raise SignerRefused(self._url, self.address, f"{error}; it is not a signer of Ethereum's keys") from error
        if found != self.address:
            reason = f"it signed as {address_text(found)}; it holds another key under this name, or hashes otherwise"
            raise SignerRefused(self._url, self.address, reason)
        return signature[:64] + bytes((signature[64] - 27,))


def open_signer(home: Path, party: str, environment: Mapping[str, str] = os.environ) -> Signer:
    """A party's signer, as the environment says. Raises NoKey naming the file.

    With a signer apart no key file is ever read: a process that fell back to one would undo what the signer is for.
    """
    url = environment.get(SIGNER_URL)
    path = home / "keys" / f"{party}.{'pub' if url else 'key'}"
    try:
        found = bytes.fromhex(path.read_text().strip().removeprefix("0x"))
        return RemoteSigner(url, found) if url else LocalSigner(found)
    except FileNotFoundError:
        told = f"write the public key that {SIGNER_URL} is to sign with there" if url else "`kopeck up` makes a demo's"
        raise NoKey(path, f"is not there; {told}") from None
    except ValueError as error:
        raise NoKey(path, f"holds no {'public key of 64' if url else 'private key of 32'} bytes ({error})") from error


def public_key_of(private_key: bytes) -> bytes:
    """The 64 bytes by which a signer apart knows a key."""
    return PrivateKey(private_key).public_key.format(compressed=False)[1:]
