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
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
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
{{- with .Values.podSecurity.runAsUser }}
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
{{- end }}
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

{{/* Labels and annotations of the pods of one part. Takes {root, part, values}. */}}
{{- define "playerscore.podMetadata" -}}
labels:
  {{- include "playerscore.labels" . | nindent 2 }}
  {{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Where the pods of one part run. Takes {root, part, values, replicas}. Several are spread over zones and nodes
where there are several; one node is no reason not to start. */}}
{{- define "playerscore.placing" -}}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $part := . }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- else }}
{{- if gt (int .replicas) 1 }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "playerscore.selector" $part | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A budget for a part with several pods. Takes {root, part, replicas}. */}}
{{- define "playerscore.budget" -}}
{{- if gt (int .replicas) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "playerscore.name" .root }}-{{ .part }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "playerscore.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  # A pod that answers nothing never keeps its node from being emptied.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "playerscore.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* What every Service has of its own. Takes {root, service}. */}}
{{- define "playerscore.serviceFamilies" -}}
{{- with .root.Values.services.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .root.Values.services.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "playerscore.annotations" -}}
{{- with . }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The authorities that the API and the sweep trust for the store, as a volume, its mount, and what names it. */}}
{{- define "playerscore.caVolume" -}}
{{- $ca := .Values.trustedCa }}
{{- if or $ca.configMap $ca.secret }}
- name: trusted-ca
  {{- if $ca.secret }}
  secret: {secretName: {{ $ca.secret }}, items: [{key: {{ $ca.key }}, path: ca.crt}]}
  {{- else }}
  configMap: {name: {{ $ca.configMap }}, items: [{key: {{ $ca.key }}, path: ca.crt}]}
  {{- end }}
{{- end }}
{{- end }}

{{- define "playerscore.caMount" -}}
{{- if or .Values.trustedCa.configMap .Values.trustedCa.secret }}
- {name: trusted-ca, mountPath: /etc/playerscore/trusted-ca, readOnly: true}
{{- end }}
{{- end }}

{{- define "playerscore.caEnv" -}}
{{- if or .Values.trustedCa.configMap .Values.trustedCa.secret }}
- {name: SSL_CERT_FILE, value: /etc/playerscore/trusted-ca/ca.crt}
- {name: AWS_CA_BUNDLE, value: /etc/playerscore/trusted-ca/ca.crt}
{{- end }}
{{- end }}

{{/* Where in the cluster the API and the store are. */}}
{{- define "playerscore.apiUrl" -}}
{{- $host := printf "%s-api.%s.svc" (include "playerscore.name" .) .Release.Namespace }}
{{- if and .Values.api.tls.enabled .Values.api.tls.workers -}}
https://{{ $host }}:{{ .Values.api.tls.port }}
{{- else -}}
http://{{ $host }}:{{ .Values.api.service.port }}
{{- end }}
{{- end }}

{{/* The port of the API's pods that worker pods reach. */}}
{{- define "playerscore.apiPodPort" -}}
{{- if and .Values.api.tls.enabled .Values.api.tls.workers }}8443{{ else }}8080{{ end }}
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
{{ required "store.external.existingSecret (or workloadIdentity) is needed when store.embedded.enabled is false" .Values.store.external.existingSecret }}
{{- end }}
{{- end }}

{{/* "true" where the cloud gives the API and the sweep their credentials, and no Secret does; else empty. */}}
{{- define "playerscore.workloadIdentity" -}}
{{- if and (not .Values.store.embedded.enabled) .Values.store.external.workloadIdentity }}true{{ end }}
{{- end }}

{{/* Annotations of the accounts that reach the store. */}}
{{- define "playerscore.storeAccount" -}}
{{- if not .Values.store.embedded.enabled }}
{{- include "playerscore.annotations" .Values.store.external.serviceAccountAnnotations }}
{{- end }}
{{- end }}

{{- define "playerscore.defaultNamespace" -}}
{{- if .Values.api.defaultNamespace }}{{ .Values.api.defaultNamespace }}{{ else if .Values.jobNamespaces }}{{ (first .Values.jobNamespaces).name }}{{ else }}default{{ end }}
{{- end }}

{{/* "true" when cert-manager issues the webhook's certificate, else empty. */}}
{{- define "playerscore.certManager" -}}
{{- $wanted := ternary "cert-manager" .Values.admission.certificate.issuer (not (empty .Values.admission.certificate.issuerRef)) }}
{{- $there := .Capabilities.APIVersions.Has "cert-manager.io/v1" }}
{{- if or (eq $wanted "cert-manager") (and (eq $wanted "auto") $there) }}true{{ end }}
{{- end }}

{{/* "true" when the operator makes the webhook's certificate, else empty. */}}
{{- define "playerscore.ownCertificate" -}}
{{- if and (ne .Values.admission.mode "policy") (not (include "playerscore.certManager" .)) }}true{{ end }}
{{- end }}
