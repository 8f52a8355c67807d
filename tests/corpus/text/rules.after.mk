SHOP_TAG ?= 2.0.0 # tagwright: app:tag
shop:
	docker run ghcr.io/acme/shop:$(SHOP_TAG)
