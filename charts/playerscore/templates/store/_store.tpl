{{/* How a program reaches the store: address, bucket, credentials. */}}
{{- define "playerscore.storeEnv" -}}
- {name: PLAYERSCORE_API_STORE_ENDPOINT, value: {{ include "playerscore.storeUrl" . | quote }}}
- {name: PLAYERSCORE_API_STORE_BUCKET, value: {{ .Values.store.bucket }}}
- {name: PLAYERSCORE_API_STORE_REGION, value: {{ .Values.store.region }}}
- name: PLAYERSCORE_API_STORE_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ include "playerscore.storeSecret" . }}, key: accessKey}}
- name: PLAYERSCORE_API_STORE_SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ include "playerscore.storeSecret" . }}, key: secretKey}}
{{- end }}
