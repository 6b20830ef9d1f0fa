# The service: docs/operations.md, "Containers". Build from the folder of this file: docker build -t media-download .

FROM node:24-bookworm-slim AS pages
WORKDIR /pages
COPY web/ui/package.json web/ui/package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY web/ui ./
RUN npm run build && touch dist/.built

FROM python:3.11-slim-bookworm AS packages
COPY requirements.txt /
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --requirement /requirements.txt \
    && /venv/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
WORKDIR /app
# The folders are what it may write to: a volume that is mounted there for the first time belongs to it, too.
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin media \
    && mkdir -p /app/data /var/log/media-download \
    && chown media /app/data /var/log/media-download
COPY --from=packages /venv /venv
COPY . .
COPY --from=pages /pages/dist web/ui/dist
RUN /venv/bin/python -m compileall -q /app
USER media
ENV HOST=0.0.0.0 PORT=8000 PYTHONDONTWRITEBYTECODE=1
VOLUME /app/data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/venv/bin/python", "-c", \
    "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=4)"]
ENTRYPOINT ["/venv/bin/python", "main.py"]
CMD ["serve"]
