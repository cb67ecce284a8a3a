# Makes examples/haproxy/haproxy.cfg one for Kubernetes: its servers are the pods of gst-moshi.yaml.
s/server moshi-\([0-9]*\) .*/server gst-moshi-\1 gst-moshi-\1.gst-moshi.default.svc.cluster.local:8998 agent-port 9200 resolvers cluster init-addr none/
$a\
\
resolvers cluster\
    parse-resolv-conf\
    hold valid 5s
