#!/bin/busybox sh
# The first and only program of a lab guest: brings up the network, starts servers, and runs commands that arrive,
# one a line as `NUMBER COMMAND`, on the second serial port.
# shellcheck shell=dash

# The kernel hands these over from its command line.
: "${lab_name:?}" "${lab_v4:?}" "${lab_v6:?}"

/bin/busybox mkdir -p /bin /dev /proc /sys /tmp /www
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys

while read -r module; do
    insmod "/modules/$module.ko"
done </modules/order

echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set lo up
ip address add "$lab_v4" dev eth0
ip address add "$lab_v6" dev eth0
ip link set eth0 up

echo "$lab_name answers" >/www/index.html
httpd -p 80 -h /www
for port in 22 443 3389 5432 8443; do
    nc -ll -p "$port" -e echo "$lab_name answers" &
done

stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1
echo palisade-ready
while read -r number command; do
    sh -c "$command" </dev/null 2>&1
    status=$?
    echo
    echo "palisade-end $number $status"
done
