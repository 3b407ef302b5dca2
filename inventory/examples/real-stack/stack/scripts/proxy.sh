# The proxy: nginx, in front of all apps.
PATH=$PATH:/usr/sbin

start() {
    {
        echo "upstream apps {"
        for app in $APPS; do echo "    server $app:8080 fail_timeout=1s;"; done
        echo "}"
    } >run/apps.conf
    echo "listen $ADDRESS:8080;" >run/listen.conf
    if [ -e run/nginx.pid ]; then
        pkill -F run/nginx.pid
        timeout 30 sh -c 'while [ -e run/nginx.pid ]; do sleep 0.1; done'
    fi
    nginx -e run/error.log -p "$PWD" -c "releases/$1/nginx.conf"
}

running_version() {
    curl -fsS "http://$ADDRESS:8080/version" | sed 's/.*"version": "\(.*\)".*/\1/'
}
