{{/* How a program reaches the store: address, bucket, credentials. */}}
{{- define "playerscore.storeEnv" -}}
- {name: PLAYERSCORE_API_STORE_ENDPOINT, value: {{ include "playerscore.storeUrl" . | quote }}}
- {name: PLAYERSCORE_API_STORE_BUCKET, value: {{ .Values.store.bucket }}}
- {name: PLAYERSCORE_API_STORE_REGION, value: {{ .Values.store.region }}}
{{- if not (include "playerscore.workloadIdentity" .) }}
# As files, which are read at every use: other keys in the Secret need no restart.
- {name: PLAYERSCORE_API_SECRETS_DIR, value: /etc/playerscore/store}
{{- end }}
{{- include "playerscore.caEnv" . }}
{{- end }}

{{- define "playerscore.storeMount" -}}
{{- if not (include "playerscore.workloadIdentity" .) }}
- {name: store-credentials, mountPath: /etc/playerscore/store, readOnly: true}
{{- end }}
{{- include "playerscore.caMount" . }}
{{- end }}

{{- define "playerscore.storeVolume" -}}
{{- if not (include "playerscore.workloadIdentity" .) }}
- name: store-credentials
  secret:
    secretName: {{ include "playerscore.storeSecret" . }}
    defaultMode: 0440
    items:
      - {key: accessKey, path: playerscore_api_store_access_key}
      - {key: secretKey, path: playerscore_api_store_secret_key}
{{- end }}
{{- include "playerscore.caVolume" . }}
{{- end }}
