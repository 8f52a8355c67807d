# tagwright: app:tag

TAG := ghcr.io/acme/shop:1.4.2
# tagwright: app:tag
TAG := 1.4.2
