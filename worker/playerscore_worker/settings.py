"""Where the reporter finds the outside; the manifest's layout is the default."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

TOKENS = Path("/var/run/secrets/playerscore")


def _in_cluster() -> str:
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}:{os.environ.get('KUBERNETES_SERVICE_PORT', '443')}"


class ReportSettings(BaseSettings):
    """From environment variables that begin with `PLAYERSCORE_`."""

    model_config = SettingsConfigDict(env_prefix="PLAYERSCORE_", frozen=True)

    api_url: str
    """The REST API with the store's broker."""
    kube_url: str = Field(default_factory=_in_cluster)
    """The API server's address."""
    kube_ca_file: Path = TOKENS / "kube" / "ca.crt"
    """PEM that the API server's certificate chains to."""
    kube_token_file: Path = TOKENS / "kube" / "token"
    """The pod-bound token for the API server."""
    api_token_file: Path = TOKENS / "api" / "token"
    """The pod-bound token for the REST API."""
