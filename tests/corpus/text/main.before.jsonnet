local k = import 'k.libsonnet';
{
  shop: k.deployment('shop', 'ghcr.io/acme/shop:1.4.2'), // tagwright: app
}
