# One image for every part of Stagedoor; the command says which part it is.

FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/stagedoor
ENV PATH=/opt/stagedoor/bin:$PATH
# The dependencies change seldom and the code often: two layers.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY cli cli
COPY services services
COPY shared shared
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/stagedoor stagedoor
COPY --from=build /opt/stagedoor /opt/stagedoor
ENV PATH=/opt/stagedoor/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STAGEDOOR_DATA_DIR=/var/lib/stagedoor \
    STAGEDOOR_HTTP_LISTEN=0.0.0.0:8080 \
    STAGEDOOR_GRPC_LISTEN=0.0.0.0:50051
USER stagedoor
WORKDIR /var/lib/stagedoor
VOLUME /var/lib/stagedoor
EXPOSE 8080 50051
CMD ["python", "-m", "services.api"]
