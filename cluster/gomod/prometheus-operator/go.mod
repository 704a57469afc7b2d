// Only for the definitions of PodMonitor and PrometheusRule, against which a test applies the chart's objects.
module playerscore/cluster/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.93.1
