SHOP_TAG ?= 1.4.2 # tagwright: app:tag
shop:
	docker run ghcr.io/acme/shop:$(SHOP_TAG)
