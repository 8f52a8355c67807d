# The service as an image: the binary, and the programs that Git remotes over SSH and local paths need.
# Build with `docker build -t tagwright .`; the chart in charts/tagwright runs it.

FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY . .
# The mounts keep dependencies between builds; the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --features full && cp target/release/tagwright /tagwright

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    # ssh refuses to run as a user without a name.
    && useradd --uid 65532 --user-group --home-dir /tmp --no-create-home --shell /usr/sbin/nologin tagwright \
    && install -d -o tagwright -g tagwright /var/cache/tagwright
COPY --from=build /tagwright /usr/local/bin/tagwright
COPY LICENSE THIRD-PARTY.md /usr/share/doc/tagwright/
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["tagwright"]
CMD ["serve"]
