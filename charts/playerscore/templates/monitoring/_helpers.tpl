{{/* "true" when the Prometheus Operator's objects are to be made, else empty. */}}
{{- define "playerscore.prometheusOperator" -}}
{{- $wanted := .Values.monitoring.prometheusOperator }}
{{- $there := .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}
{{- if and .Values.monitoring.enabled (or (eq $wanted "always") (and (eq $wanted "auto") $there)) }}true{{ end }}
{{- end }}
