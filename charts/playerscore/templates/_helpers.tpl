{{/* Names: the release's, shortened to "playerscore" when that is the release. */}}
{{- define "playerscore.name" -}}
{{- if contains "playerscore" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-playerscore" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Labels of every object. Takes {root, part}. */}}
{{- define "playerscore.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{ include "playerscore.selector" . }}
{{- end }}

{{/* What selects the pods of one part; never changes. */}}
{{- define "playerscore.selector" -}}
app.kubernetes.io/name: playerscore
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/* An image's full name. Takes {image, version}. */}}
{{- define "playerscore.image" -}}
{{- if .image.digest }}{{ .image.repository }}@{{ .image.digest }}{{ else }}{{ .image.repository }}:{{ .image.tag | default .version }}{{ end }}
{{- end }}

{{/* Pod settings that the control plane shares: no root, no writes, the default system calls. */}}
{{- define "playerscore.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurity.runAsUser }}
runAsGroup: {{ .Values.podSecurity.runAsUser }}
fsGroup: {{ .Values.podSecurity.runAsUser }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "playerscore.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "playerscore.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Where in the cluster the API and the store are. */}}
{{- define "playerscore.apiUrl" -}}
http://{{ include "playerscore.name" . }}-api.{{ .Release.Namespace }}.svc:{{ .Values.api.service.port }}
{{- end }}

{{- define "playerscore.storeUrl" -}}
{{- if .Values.store.embedded.enabled -}}
http://{{ include "playerscore.name" . }}-store.{{ .Release.Namespace }}.svc:{{ .Values.store.embedded.service.port }}
{{- else -}}
{{ required "store.external.endpoint is needed when store.embedded.enabled is false" .Values.store.external.endpoint }}
{{- end }}
{{- end }}

{{- define "playerscore.storeSecret" -}}
{{- if .Values.store.embedded.enabled -}}
{{ .Values.store.embedded.existingSecret | default (printf "%s-store-credentials" (include "playerscore.name" .)) }}
{{- else -}}
{{ required "store.external.existingSecret is needed when store.embedded.enabled is false" .Values.store.external.existingSecret }}
{{- end }}
{{- end }}

{{- define "playerscore.defaultNamespace" -}}
{{- if .Values.api.defaultNamespace }}{{ .Values.api.defaultNamespace }}{{ else if .Values.jobNamespaces }}{{ (first .Values.jobNamespaces).name }}{{ else }}default{{ end }}
{{- end }}

{{/* "true" when cert-manager issues the webhook's certificate, else empty. */}}
{{- define "playerscore.certManager" -}}
{{- $wanted := .Values.admission.certificate.issuer }}
{{- $there := .Capabilities.APIVersions.Has "cert-manager.io/v1" }}
{{- if or (eq $wanted "cert-manager") (and (eq $wanted "auto") $there) }}true{{ end }}
{{- end }}

{{/* "true" when the operator makes the webhook's certificate, else empty. */}}
{{- define "playerscore.ownCertificate" -}}
{{- if and (ne .Values.admission.mode "policy") (not (include "playerscore.certManager" .)) }}true{{ end }}
{{- end }}
