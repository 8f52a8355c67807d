IMAGES = {
    "shop": "ghcr.io/acme/shop:2.0.0",  # tagwright: app
    "cart": "ghcr.io/acme/cart:1.4.2",
}
