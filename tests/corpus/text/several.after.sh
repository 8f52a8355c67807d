docker run ghcr.io/acme/shop:1.4.2 sh -c "ghcr.io/acme/shop:1.4.2" # tagwright: app
docker pull ghcr.io/acme/shop:2.0.0 # tagwright: app
