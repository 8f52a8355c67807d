local k = import 'k.libsonnet';
{
  shop: k.deployment('shop', 'ghcr.io/acme/shop:2.0.0'), // tagwright: app
}
