# docker build .                                   the service on CPU (amd64, arm64)
# docker build --build-arg FLAVOUR=otel .          with OpenTelemetry
# docker build --build-arg FLAVOUR=cuda .          with ONNX Runtime for CUDA (amd64)
# docker build --build-arg FLAVOUR=bulk .         with visage score and audit, and object stores
# docker build --build-arg NODE=node:20-slim .    with the engine for the device, which Node builds
# Compose and the workflows give BASE by digest; `make pin-images` writes it there.
ARG BASE=python:3.11-slim
ARG NODE=${BASE}

# The engine for the device, where the image has Node; else an empty folder.
FROM ${NODE} AS edge
WORKDIR /build
COPY clients/browser/ .
RUN if command -v npm >/dev/null; then \
      npm ci --silent --no-audit --no-fund --ignore-scripts && npm run --silent build && mv dist /engine; \
    else mkdir /engine; fi

FROM ${BASE} AS build
ARG FLAVOUR=cpu
RUN apt-get update -qq \
    && apt-get install --yes -qq --no-install-recommends binutils >/dev/null
WORKDIR /build
COPY requirements/ requirements/
COPY scripts/check_environment.py scripts/
RUN case "$FLAVOUR" in \
      cpu) file=service ;; \
      otel) file=otel ;; \
      cuda) file=gpu ;; \
      bulk) file=stores ;; \
      *) echo "FLAVOUR takes cpu, otel, cuda or bulk, not $FLAVOUR" >&2; exit 2 ;; \
    esac \
    && python -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --no-cache-dir --no-compile \
      --no-deps --only-binary :all: --require-hashes --target /opt/site --requirement "requirements/$file.txt" \
    && PYTHONPATH=/opt/site python scripts/check_environment.py --exact "requirements/$file.txt"
COPY scripts/slim_image.py scripts/
RUN python scripts/slim_image.py /opt/site
WORKDIR /srv/visage
COPY LICENSE ATTRIBUTION.md ./
COPY sample_images/ sample_images/
COPY models/ models/
COPY app/ app/
COPY bulk/ bulk/
COPY scripts/build_edge.py scripts/export_edge_models.py scripts/
COPY --from=edge /engine /engine
RUN if [ -f /engine/worker.js ]; then PYTHONPATH=/opt/site python scripts/build_edge.py --engine /engine; fi \
    && rm -r scripts
# Nothing is written at run time, so byte-code has to be there; it halves the time from start to ready. Importing
# proves that what was taken out is not missed.
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/site app bulk \
    && PYTHONPATH=/opt/site python -c "import app.main, cv2, onnxruntime, PIL.Image, redis" \
    && chmod -R a+rX,go-w /opt/site /srv/visage

FROM ${BASE}
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Visage" \
      org.opencontainers.image.description="Reads the apparent expression of a face in a photo, over HTTP." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN echo "visage:x:10001:10001::/nonexistent:/usr/sbin/nologin" >>/etc/passwd \
    && echo "visage:x:10001:" >>/etc/group
COPY --from=build /opt/site /opt/site
COPY --from=build /srv/visage /srv/visage
WORKDIR /srv/visage
USER 10001:10001
# The libraries of NVIDIA's packages are there in the flavour cuda alone.
ENV PORT=8000 \
    PYTHONPATH=/opt/site \
    LD_LIBRARY_PATH=/opt/site/nvidia/cu13/lib:/opt/site/nvidia/cudnn/lib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-I", "-S", "-c", \
  "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=2); c.request('GET', '/health'); sys.exit(c.getresponse().status != 200)"]
# A signal to process 1 that comes before Python has its handlers would be lost; one that is blocked waits for them.
ENTRYPOINT ["env", "--block-signal=TERM,INT", "python", "-m", "app"]
