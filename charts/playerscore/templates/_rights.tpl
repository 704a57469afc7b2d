{{/* What the operator reads of jobs, and the status that it writes. It creates pods' Jobs only in jobNamespaces. */}}
{{- define "playerscore.operatorRules" -}}
# `delete` is for spec.ttlSecondsAfterFinished; spec is never written.
- {apiGroups: [playerscore.dev], resources: [scoringjobs], verbs: [get, list, watch, delete]}
- {apiGroups: [playerscore.dev], resources: [scoringjobs/status], verbs: [patch]}
- {apiGroups: [batch], resources: [jobs], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}
# Why Kueue, where there is one, holds a Job back.
- {apiGroups: [kueue.x-k8s.io], resources: [workloads], verbs: [get, list]}
# Whether a namespace is prepared for jobs.
- {apiGroups: [""], resources: [serviceaccounts], resourceNames: [playerscore-worker], verbs: [get]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create]}
# Why a Job has no pod, or a pod does not start.
- {apiGroups: [""], resources: [events], verbs: [list]}
{{- end }}

{{/* For the routes that worker pods call: people's requests go with their own token. */}}
{{- define "playerscore.apiRules" -}}
- {apiGroups: [playerscore.dev], resources: [scoringjobs], verbs: [get]}
{{- end }}

{{/* What exists, because everything else is removed. */}}
{{- define "playerscore.sweepRules" -}}
- {apiGroups: [playerscore.dev], resources: [scoringjobs], verbs: [list]}
{{- end }}
