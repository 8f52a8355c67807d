# syntax=docker/dockerfile:1

# tagwright: app
FROM --platform=$BUILDPLATFORM ghcr.io/acme/shop:2.0.0 AS build
RUN make

FROM build
