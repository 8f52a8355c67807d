task "shop" {
  config {
    image = "ghcr.io/acme/shop:1.4.2" /* tagwright: app */
  }
}
