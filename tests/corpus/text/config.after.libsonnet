{
  _images+:: {
    // tagwright: app
    shop: 'ghcr.io/acme/shop:2.0.0',
  },
}
