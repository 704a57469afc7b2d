"""A registry with one image and a mood for each repository; it runs in a pod of the node's own network.

The layers are those that the node's container runtime already holds, so a pull costs next to nothing; the image is
another in each repository, because a kubelet remembers by the image's id with which secret it was pulled, and does not
let pods without that secret have it any more. A repository is shut in its own way until the file `/tmp/open-NAME` is
there. Python's own library is all that it needs.
"""

import base64
import hashlib
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BLOBS = Path("/content/blobs/sha256")
PORT = 5005
CREDENTIALS = "team:word"
MOODS = {"busy": 503, "denied": 401, "late": 404, "secret": 401}
"""What a repository answers while it is shut."""
CODES = {401: "UNAUTHORIZED", 404: "MANIFEST_UNKNOWN", 503: "UNAVAILABLE"}


def is_open(name: str, authorization: str | None) -> bool:
    """Whether the repository gives the image out; `secret` does to who knows the credentials."""
    if name == "secret":
        return authorization == "Basic " + base64.b64encode(CREDENTIALS.encode()).decode()
    return Path(f"/tmp/open-{name}").exists()


def blob(digest: str) -> bytes:
    """What the container runtime holds under that digest."""
    return (BLOBS / digest.removeprefix("sha256:")).read_bytes()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image(name: str) -> tuple[bytes, bytes]:
    """Manifest and configuration of the image as that repository has it."""
    manifest = json.loads(blob(os.environ["DIGEST"]))
    configuration = json.dumps(json.loads(blob(manifest["config"]["digest"])) | {"author": name}).encode()
    manifest["config"] |= {"digest": digest_of(configuration), "size": len(configuration)}
    return json.dumps(manifest).encode(), configuration


class Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = self.path.strip("/").split("/")
        if parts == ["v2"]:
            return self._say(200, b"{}", "application/json")
        _, name, _, kind, reference = parts
        if not is_open(name, self.headers["Authorization"]):
            said = {"errors": [{"code": CODES[MOODS[name]], "message": f"{name} is shut"}]}
            return self._say(MOODS[name], json.dumps(said).encode(), "application/json")
        manifest, configuration = image(name)
        if kind == "manifests":
            return self._say(200, manifest, json.loads(manifest)["mediaType"], digest_of(manifest))
        content = configuration if reference == digest_of(configuration) else blob(reference)
        return self._say(200, content, "application/octet-stream", reference)

    do_HEAD = do_GET  # noqa: N815 - as the server calls it

    def _say(self, status: int, content: bytes, media: str, digest: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(content)))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="team"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", PORT), Registry).serve_forever()
