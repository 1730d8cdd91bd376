# One image for every process of the Procfile; the command says which it is.
FROM python:3.12-slim AS build
WORKDIR /sheaf
COPY pyproject.toml constraints.txt LICENSE README.md celeryconfig.py ./
COPY access access
COPY cli cli
COPY config config
COPY ingest ingest
COPY storage storage
COPY tasks tasks
COPY embedded embedded
COPY ledger ledger
COPY serving serving
COPY worker worker
COPY web web
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.12-slim
RUN useradd --system --uid 10001 sheaf && install -d -o sheaf /data
COPY --from=build /venv /venv
COPY celeryconfig.py /sheaf/
COPY docs /sheaf/docs
WORKDIR /sheaf
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 DATA_DIR=/data LOG_FORMAT=json
USER sheaf
EXPOSE 4317 4318 8000 5555
CMD ["python", "-m", "ingest.doors.grpc.server"]
