# tagwright: shop
FROM ghcr.io/acme/shop:2.0.0
