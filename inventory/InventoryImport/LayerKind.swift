import SafeText
import UpgradeDomain

/// What hosts are for, as the usual names of their groups say it: layers to begin with, in the order in which they move.
enum LayerKind: String, CaseIterable {
    case data, cache, queue, app, web, proxy

    private static let words: [LayerKind: Set<String>] = [
        .data: [
            "data", "database", "db", "postgres", "postgresql", "pg", "pgsql", "patroni", "mysql", "mariadb", "galera",
            "mongo",
            "mongodb", "cassandra", "clickhouse", "elastic", "elasticsearch", "opensearch", "etcd", "influx",
            "influxdb", "sql",
            "storage", "ceph", "minio",
        ],
        .cache: ["cache", "redis", "memcache", "memcached", "valkey"],
        .queue: ["queue", "rabbit", "rabbitmq", "kafka", "zookeeper", "nats", "mq", "broker", "activemq"],
        .app: [
            "app", "application", "api", "backend", "back", "core", "service", "worker", "celery", "job", "django",
            "rails",
        ],
        .web: ["web", "www", "front", "frontend", "ui", "apache", "httpd", "static"],
        .proxy: [
            "proxy", "proxies", "lb", "loadbalancer", "balancer", "haproxy", "nginx", "traefik", "envoy", "gateway",
            "gw", "edge",
            "ingress", "cdn", "varnish",
        ],
    ]
    /// What a name of a group may say besides.
    private static let endings = ["servers", "server", "hosts", "host", "nodes", "node"]

    /// The last word decides: `web_db` are databases.
    init?(group: String) {
        let words = group.lowercasedASCII.unicodeScalars.split { !("a"..."z").contains($0) }.map { String($0) }
        for word in words.reversed() {
            if let kind = LayerKind.kind(of: word) {
                self = kind
                return
            }
        }
        return nil
    }

    private static func kind(of word: String) -> LayerKind? {
        var forms = [word]
        for ending in endings { forms += word.rest(before: ending).map { [String($0)] } ?? [] }
        forms += forms.compactMap { $0.rest(before: "s").map(String.init) }
        return allCases.first { kind in forms.contains { words[kind]?.contains($0) == true } }
    }
}
