# syntax=docker/dockerfile:1

# tagwright: app
FROM --platform=$BUILDPLATFORM ghcr.io/acme/shop:1.4.2 AS build
RUN make

FROM build
