FROM scratch
# tagwright: app
COPY --from=ghcr.io/acme/shop:1.4.2 /bin/shop /bin/shop
