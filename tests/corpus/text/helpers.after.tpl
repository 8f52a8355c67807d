{{- define "shop.tag" -}}
{{- /* tagwright: app:tag */ -}}
2.0.0
{{- end }}
