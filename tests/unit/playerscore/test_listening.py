"""Sockets of one family or both, and addresses as URLs spell them."""

import doctest
import socket

import pytest

from playerscore import listening


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(listening).failed == 0


def reached(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("host", "expected"), [("", (True, True)), ("127.0.0.1", (True, False)), ("::1", (False, True))]
)
def test_a_socket_takes_the_families_that_were_asked_for(host: str, expected: tuple[bool, bool]) -> None:
    with listening.listening(host, 0) as found:
        port = found.getsockname()[1]
        assert (reached("127.0.0.1", port), reached("::1", port)) == expected


def test_without_ipv6_it_is_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)

    with listening.listening("", 0) as found:
        assert found.family == socket.AF_INET
        assert reached("127.0.0.1", found.getsockname()[1])
