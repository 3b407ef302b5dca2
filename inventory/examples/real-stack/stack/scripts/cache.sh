# The cache: redis. Its release is the configuration that it was started with.
start() {
    redis-cli -h "$ADDRESS" shutdown nosave 2>/dev/null || true
    redis-server "releases/$1/redis.conf" --bind "$ADDRESS" --dir "$PWD/run" --daemonize yes >/dev/null
    timeout 30 sh -c "until redis-cli -h $ADDRESS ping >/dev/null 2>&1; do sleep 0.1; done"
}

running_version() {
    redis-cli -h "$ADDRESS" info server | sed -n 's|^config_file:.*/releases/\(.*\)/redis.conf.*|\1|p'
}
