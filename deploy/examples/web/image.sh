#!/bin/sh
# image.sh FOLDER: makes FOLDER/web.tar, the root folder of a small web server (busybox).
set -eu
root=$1/rootfs
mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/proc" "$root/sys" "$root/dev" "$root/www"
cp /bin/busybox "$root/bin/busybox"
for name in $(/bin/busybox --list | grep -vx busybox); do ln -sf busybox "$root/bin/$name"; done
echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
echo 'hello' >"$root/www/index.html"
tar -C "$root" -cf "$1/web.tar" .
rm -rf "$root"
