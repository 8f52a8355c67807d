# tagwright: app:tag
ARG TAG="1.4.2"
# tagwright: app
FROM ghcr.io/acme/shop:1.4.2
