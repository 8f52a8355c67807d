{
  _images+:: {
    // tagwright: app
    shop: 'ghcr.io/acme/shop:1.4.2',
  },
}
