# The app: Python, with what it depends on in a virtual environment of this host.
stop() {
    kill "$(cat run/app.pid)" 2>/dev/null || return 0
    timeout 30 sh -c 'while kill -0 "$(cat run/app.pid)" 2>/dev/null; do sleep 0.1; done'
}

start() {
    if [ -e run/app.pid ]; then stop; fi
    setsid venv/bin/python "releases/$1/orders.py" "$ADDRESS" "$DATABASE" "$CACHE" >run/app.log 2>&1 </dev/null &
    echo $! >run/app.pid
    for _ in $(seq 300); do
        if curl -fs -o /dev/null "http://$ADDRESS:8080/health"; then return; fi
        kill -0 $! 2>/dev/null || break
        sleep 0.1
    done
    tail -n 1 run/app.log
    exit 1
}

running_version() {
    curl -fsS "http://$ADDRESS:8080/version" | sed 's/.*"version": "\(.*\)".*/\1/'
}
