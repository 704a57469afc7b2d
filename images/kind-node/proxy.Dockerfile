# kube-proxy, with iptables and the libraries it needs and no shell.
ARG DEBIAN
FROM ${DEBIAN} AS debian
RUN mkdir /files \
 && cd /usr/sbin && for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do \
      install -D xtables-nft-multi /files/usr/sbin/xtables-nft-multi && ln -sf xtables-nft-multi "/files/usr/sbin/$name"; done \
 && for file in $(ldd xtables-nft-multi /usr/lib/*-linux-gnu/xtables/*.so | grep -o '/[^ ]*' | grep -v : | sort -u); do install -D "$file" "/files$file"; done \
 && for folder in /usr/lib/*-linux-gnu/xtables; do mkdir -p "/files$folder" && cp -r "$folder/." "/files$folder"; done
FROM scratch
COPY --from=debian /files/ /
COPY kube-proxy /usr/local/bin/kube-proxy
ENV PATH=/usr/local/bin:/usr/sbin
