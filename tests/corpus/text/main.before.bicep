param image string = 'ghcr.io/acme/shop:1.4.2' // tagwright: app
param tag string = '1.4.2' /* tagwright: app:tag */
var other = 'ghcr.io/acme/shop:1.4.2'
