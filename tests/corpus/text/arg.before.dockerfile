ARG REGISTRY=ghcr.io
# tagwright: app:tag
ARG TAG=1.4.2
FROM ${REGISTRY}/acme/shop:${TAG}
