IMAGES = {
    "shop": "ghcr.io/acme/shop:1.4.2",  # tagwright: app
    "cart": "ghcr.io/acme/cart:1.4.2",
}
