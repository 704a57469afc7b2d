"""What the platform team can set, read from the environment with the prefix PLAYERSCORE_WEBHOOK_."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65_535)]


class Settings(BaseSettings):
    """The webhook's settings; every one has a default that fits the chart."""

    model_config = SettingsConfigDict(env_prefix="PLAYERSCORE_WEBHOOK_", frozen=True)

    host: str = ""
    """The address to listen on; all of IPv4 and IPv6 when empty."""
    port: Port = 8443
    """Where the API server asks, over TLS."""
    metrics_port: Port = 8080
    """Where probes and Prometheus ask, in plain HTTP."""
    certificate_dir: Path = Path("/certificates")
    """A mounted Secret: tls.crt, tls.key, and in ca.crt the bundle that the API server trusts."""
    certificate_poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Between two looks at the mounted certificate."""
    server_name: str | None = None
    """The name that the API server asks for, `<service>.<namespace>.svc`; the certificate must be for it."""
    body_max_bytes: Annotated[int, Field(ge=1024)] = 7 * 2**20
    """As controller-runtime allows: an update carries the object twice, each up to the 3 MiB of a request."""
    deadline_seconds: Annotated[float, Field(gt=0, le=30)] = 2.5
    """How long a body may take; less than the 3 s after which the API server gives up."""
    leave_seconds: Annotated[float, Field(ge=0, le=20)] = 5.0
    """How long it still answers after SIGTERM, each answer closing its connection."""
    log_level: str = "info"
    """debug, info, warning or error."""
