param image string = 'ghcr.io/acme/shop:2.0.0' // tagwright: app
param tag string = '2.0.0' /* tagwright: app:tag */
var other = 'ghcr.io/acme/shop:1.4.2'
