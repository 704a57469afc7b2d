module playerscore/cluster/pause

go 1.26.0
