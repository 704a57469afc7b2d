"""Where the reporter finds the outside; the manifest's layout is the default."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from playerscore.listening import authority

TOKENS = Path("/var/run/secrets/playerscore")


def _in_cluster() -> str:
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    return f"https://{authority(host, os.environ.get('KUBERNETES_SERVICE_PORT', '443'))}"


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


class ArtifactSettings(BaseSettings):
    """How large the files beside a result may become. From environment variables that begin with
    `PLAYERSCORE_ARTIFACTS_`."""

    model_config = SettingsConfigDict(env_prefix="PLAYERSCORE_ARTIFACTS_", frozen=True)

    clip_seconds: float = Field(default=14_400, gt=0)
    """How much of what was followed the clip shows at most, with the confirmed frame in it."""
    clip_piece_seconds: float = Field(default=600, gt=0)
    """A longer clip is written in pieces of about so long (`clip-01.mp4` and so on), at most ten of them."""
    clip_piece_megabytes: float = Field(default=32, gt=0, le=60)
    """A piece's pictures are made coarser so that it stays below this."""
    clip_width_px: int = Field(default=640, ge=64, le=3840)
    """Pictures of the clip and its poster are at most so wide."""
    clip_fps: float = Field(default=12.5, gt=0, le=60)
    """Pictures a second of the clip, at most those that were followed."""
    clip_encoders: str = "libopenh264,h264_videotoolbox,h264_mf,libvpx-vp9"
    """FFmpeg's names of encoders, of which the first that is at hand writes the clip. `libx264` in front gives H.264
    by x264, which PyAV brings and which is under the GPL."""
    heatmap_width_px: int = Field(default=960, ge=64, le=3840)
    """Of `heatmap.png`."""
