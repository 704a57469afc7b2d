{{/* Names, asked of whichever DNS server the cluster has; a policy sees the port of its pods. */}}
{{- define "playerscore.egressDns" -}}
- ports:
    {{- range .Values.networkPolicies.dnsPorts }}
    - {protocol: UDP, port: {{ . }}}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}

{{/* Where the API server's addresses are not named, all are open but the cloud's metadata service. Cilium knows the
API server as an entity, which no address means: templates/network-cilium.yaml. */}}
{{- define "playerscore.egressApiServer" -}}
{{- if or (not .Values.networkPolicies.cilium) .Values.networkPolicies.apiServerCidrs }}
- to:
    {{- range .Values.networkPolicies.apiServerCidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- else }}
    - ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16]}
    - ipBlock: {cidr: "::/0", except: ["fe80::/10"]}
    {{- end }}
  ports:
    {{- range .Values.networkPolicies.apiServerPorts }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- end }}

{{/* Who may scrape and probe that port. Takes {root, port}. */}}
{{- define "playerscore.ingressMetrics" -}}
- ports: [{protocol: TCP, port: {{ .port }}}]
  {{- with .root.Values.networkPolicies.metricsFrom }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
