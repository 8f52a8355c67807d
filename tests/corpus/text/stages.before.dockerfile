# syntax=docker/dockerfile:1.7
# escape=\
# tagwright: app
FROM --platform=linux/amd64 ghcr.io/acme/shop:1.4.2 AS base

FROM base AS test
RUN echo "ghcr.io/acme/shop:1.4.2" \
    && make
# tagwright: app

COPY --from=ghcr.io/acme/shop:1.4.2 /a /b
# tagwright: app
FROM ghcr.io/acme/shop:1.4.2
