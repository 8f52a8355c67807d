{{- define "shop.tag" -}}
{{- /* tagwright: app:tag */ -}}
1.4.2
{{- end }}
