image = "ghcr.io/acme/shop:1.4.2" # tagwright: ignore
# tagwright: app
second = "ghcr.io/acme/shop:2.0.0"
