FROM scratch
# tagwright: app
COPY --from=ghcr.io/acme/shop:2.0.0 /bin/shop /bin/shop
