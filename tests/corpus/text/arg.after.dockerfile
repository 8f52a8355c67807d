ARG REGISTRY=ghcr.io
# tagwright: app:tag
ARG TAG=2.0.0
FROM ${REGISTRY}/acme/shop:${TAG}
