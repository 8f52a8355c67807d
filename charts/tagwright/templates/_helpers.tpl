{{/* The release's name, at most 63 characters, as DNS labels are. */}}
{{- define "tagwright.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* What selects the pod: never changes over the life of a release. */}}
{{- define "tagwright.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tagwright.labels" -}}
{{ include "tagwright.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "tagwright.serviceAccountName" -}}
{{- default (ternary (include "tagwright.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end }}

{{- define "tagwright.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* tagwright.yaml: the values, the address that the probes ask, and where the cache is mounted. */}}
{{- define "tagwright.config" -}}
{{- $server := dict "listen" "0.0.0.0:8080" -}}
{{- $cache := dict "path" "/var/cache/tagwright" -}}
{{- toYaml (mustMergeOverwrite (deepCopy .Values.config) (dict "server" $server "cache" $cache)) -}}
{{- end }}
