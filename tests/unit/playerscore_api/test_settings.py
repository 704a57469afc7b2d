"""A wrong setting of the API is named when it starts."""

import pytest
from pydantic import ValidationError

from playerscore_api import settings

NEEDED = {"STORE_ENDPOINT": "http://store", "STORE_ACCESS_KEY": "key", "STORE_SECRET_KEY": "secret"}


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        *(("ROOT_PATH", f"/{part}/x", "root_path") for part in sorted(settings.OWN_PATHS)),
        ("ROOT_PATH", "scoring", "root_path"),
        ("ROOT_PATH", "/scoring/", "root_path"),
        ("CORS_ORIGINS", '["pages.example.com"]', "cors_origins"),
        ("CORS_ORIGINS", '["https://pages.example.com/path"]', "cors_origins"),
        ("TLS_CERT_FILE", "/tls.crt", "tls_key_file"),
        ("KEEP_ALIVE_SECONDS", "0", "keep_alive_seconds"),
        ("STORE_SECRET_KEY", None, "store_secret_key"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str | None, named: str
) -> None:
    given = {key: text for key, text in (NEEDED | {setting: value}).items() if text is not None}
    for key, text in given.items():
        monkeypatch.setenv(f"PLAYERSCORE_API_{key}", text)

    with pytest.raises(ValidationError, match=named):
        settings.load()
