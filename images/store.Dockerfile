# The embedded S3 server: versitygw, one static binary, built from its Go module (see cluster/tools.sh). On
# a cluster that reaches the public registries, `versity/versitygw` does as well: values.store.image.
FROM scratch
COPY versitygw /versitygw
USER 10001:10001
ENTRYPOINT ["/versitygw"]
