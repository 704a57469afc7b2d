"""Whose keys open the store: a mounted Secret's, read again at every use; given ones; or the cloud's own.

Without keys botocore looks for them as every AWS client does: a web identity (IRSA), EKS Pod Identity, and so on,
and renews them itself.
"""

from pathlib import Path
from typing import Final

import aiobotocore.session
from aiobotocore.credentials import AioCredentials
from botocore.credentials import ReadOnlyCredentials

from playerscore_api.settings import Settings

FILES: Final = ("playerscore_api_store_access_key", "playerscore_api_store_secret_key")


class Mounted(AioCredentials):  # type: ignore[misc]  # botocore has no types
    """The keys that lie in a folder when they are used: a Secret that is rotated needs no restart."""

    def __init__(self, folder: Path) -> None:
        self._files = [folder / name for name in FILES]
        super().__init__(*self._read(), method="mounted")

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """What botocore signs with. Raises OSError."""
        return ReadOnlyCredentials(*self._read(), None)

    def _read(self) -> list[str]:
        return [file.read_text().strip() for file in self._files]


class _Resolver:
    """Botocore's place for where credentials come from."""

    def __init__(self, found: AioCredentials) -> None:
        self._found = found

    async def load_credentials(self) -> AioCredentials:
        return self._found


def session(settings: Settings) -> aiobotocore.session.AioSession:
    """A session with the store's credentials. Raises OSError when mounted ones cannot be read."""
    made = aiobotocore.session.get_session()
    if folder := settings.secrets_dir:
        made.register_component("credential_provider", _Resolver(Mounted(folder)))
    elif settings.store_access_key and settings.store_secret_key:
        made.set_credentials(
            settings.store_access_key.get_secret_value(), settings.store_secret_key.get_secret_value()
        )
    return made
