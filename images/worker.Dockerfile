# The CPU worker: fetch, preview, analyse and report. No torch and nothing under the AGPL; its detector is
# the project's own small network, run by ONNX Runtime.
#
# Builds with docker (classic or BuildKit), podman and buildah. Behind a proxy that signs its own
# certificates, put its CA bundle beside this build's context as `ca-bundle.pem`.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS libraries
ARG UV_VERSION=0.13.9
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PROJECT_ENVIRONMENT=/opt/playerscore \
    UV_HTTP_TIMEOUT=180 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
# The licence file stands here so that the pattern beside it may match nothing.
COPY LICENSE ca-bundle.pe[m] ./
COPY images/with-ca.sh images/slim.py images/bytecode.py /build/
RUN python3 -m venv /build/uv && sh /build/with-ca.sh /build/uv/bin/pip install --quiet "uv==${UV_VERSION}"
COPY pyproject.toml uv.lock ./
# A .pth, not PYTHONPATH: the decoder runs isolated (-I) from the environment.
RUN sh /build/with-ca.sh /build/uv/bin/uv sync --quiet --frozen --no-dev --no-editable --no-install-project \
      --extra worker \
 && python3 /build/slim.py /opt/playerscore worker \
 && echo /opt/programs > "$(echo /opt/playerscore/lib/python3*/site-packages)/programs.pth"

FROM libraries AS programs
COPY README.md ./
COPY console/hatch_build.py console/
COPY core core
COPY worker worker
RUN sh /build/with-ca.sh /build/uv/bin/uv pip install --quiet --no-deps --target /opt/programs . \
 && rm -rf /opt/programs/bin \
 && HOME=/tmp /opt/playerscore/bin/python /build/bytecode.py /bytecode playerscore_worker

FROM ${BASE_IMAGE}
COPY --from=libraries /opt/playerscore /opt/playerscore
COPY --from=programs /opt/programs /opt/programs
COPY --from=programs /bytecode/ /
# A pod's root is read-only: what libraries insist on caching goes to its /tmp.
ENV PATH=/opt/playerscore/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp MPLBACKEND=agg MPLCONFIGDIR=/tmp/matplotlib
USER 10001:10001
WORKDIR /tmp
CMD ["python", "-m", "playerscore_worker"]
