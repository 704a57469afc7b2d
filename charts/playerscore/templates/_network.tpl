{{/* Names, asked of whichever DNS server the cluster has. */}}
{{- define "playerscore.egressDns" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{/* Where the API server's addresses are not named, all are open but the cloud's metadata service. */}}
{{- define "playerscore.egressApiServer" -}}
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
