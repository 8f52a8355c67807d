# tagwright: app:tag
ARG TAG="2.0.0"
# tagwright: app
FROM ghcr.io/acme/shop:2.0.0
