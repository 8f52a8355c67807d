# tagwright: shop
FROM ghcr.io/acme/shop:1.4.2
