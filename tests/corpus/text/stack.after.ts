const shop = new Shop({
  image: 'ghcr.io/acme/shop:2.0.0', // tagwright: app
});
