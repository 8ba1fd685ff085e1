#!/bin/busybox sh
# The first process of the test machine: a server, the agent on it, fifty requests, and what the agent saw.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
echo "kernel: $(uname -r)"

echo hello >/www/index.html
httpd -f -p 127.0.0.1:8080 -h /www &
server=$!
watershed doctor 2>&1 | sed 's/^/doctor: /'
watershed run --scope "pid:$server+children" --detectors none --listen 127.0.0.1:7070 2>/tmp/agent &
agent=$!
for _ in $(seq 150); do grep -q "listening on" /tmp/agent && break; sleep 1; done
sed 's/^/agent: /' /tmp/agent
sleep 2
for number in $(seq 50); do wget -q -O /dev/null "http://127.0.0.1:8080/index.html?$number"; done
# Nothing is fast in an emulated machine: wait for what is under way, in bounded time.
settled() {
    for _ in $(seq 60); do
        value=$(watershed query -o csv -s "$1" 2>&1 | tail -1)
        [ "$value" = "$2" ] && break
        sleep 1
    done
    echo "$value"
}
echo "exchanges: $(settled "SELECT count(*) AS n FROM http_events WHERE resp_status = 200" 50)"
echo "connections: $(settled "SELECT sum(closed) AS n FROM conn_stats" 50)"
echo "losses: $(watershed query -o csv -s "SELECT count(*) AS n FROM system.losses" 2>&1 | tail -1)"
kill "$agent"
wait "$agent"
echo "exit: $?"
poweroff -f
