#!/bin/bash
# cgroup2.sh [fetch]: containers on cgroup v2 alone. Boots Debian's kernel in a virtual machine (QEMU in software, as KVM
# is not everywhere) with the built programs and runs Tests/cgroup2/checks.sh there. `fetch` gets the kernel only.
# The last line is "cgroup v2: N passed, N failed".
set -eu
cd "$(dirname "$0")/../.."
programs=${PROGRAMS:-.build/debug}
timeout_seconds=${CGROUP2_TIMEOUT_SECONDS:-300}
work=.build/cgroup2
kernel=$work/kernel
# With what they depend on; the kernel loads them when they are asked for.
modules="overlay veth bridge tun dummy crc32c_generic nf_tables nft_*"
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

fail() {
    echo "cgroup2.sh: $*" >&2
    echo "cgroup v2: 0 passed, 1 failed"
    exit 1
}

for tool in qemu-system-x86_64 cpio depmod dpkg-deb xz strip busybox curl; do
    command -v $tool >/dev/null || fail "$tool is missing: make test-deps"
done
[ "$(uname -m)" = x86_64 ] || fail "the virtual machine runs programs for x86_64, this machine's are for $(uname -m)"

# --- the kernel ----------------------------------------------------------------------------------------------------

# The number of $3 bytes at $2 in the file $1.
number() { od -An "-tu$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# Takes the kernel out of its compressed image: decompressing it in software takes longer than booting it.
# (Linux's Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length.)
unpack_kernel() {
    local image=$1 start
    start=$((($(number "$image" $((0x1f1)) 1) + 1) * 512 + $(number "$image" $((0x248)) 4)))
    tail -c "+$((start + 1))" "$image" | head -c "$(number "$image" $((0x24c)) 4)" | xz -dc --single-stream >"$2"
}

# Copies the modules and what they depend on, from tree $1 to tree $2.
copy_modules() {
    local pattern
    depmod -b "$1" "$version"
    for pattern in $modules; do
        find "$1/lib/modules/$version/kernel" -name "$pattern.ko" -printf '%P\n' | sed 's|^|kernel/|'
    done | while read -r path; do
        # "path: path path": all that it needs (modules.dep(5)).
        grep "^$path:" "$1/lib/modules/$version/modules.dep" | tr -d ':' | tr ' ' '\n'
    done | sort -u | grep . | while read -r path; do
        install -D -m 644 "$1/lib/modules/$version/$path" "$2/lib/modules/$version/$path"
    done
    cp "$1/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$2/lib/modules/$version/"
    depmod -b "$2" "$version"
}

fetch_kernel() {
    local package made version
    package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    if [ -e $kernel/made-of ]; then
        # Without package lists what was fetched once will do.
        made=$(cat $kernel/made-of)
        [ "$made" = "$package: $modules" ] || [ -z "$package" ] && return
    fi
    rm -rf $work
    mkdir -p $work/package $work/part
    if [ -z "$package" ] || ! (cd $work/package && apt-get download -qq "$package" >/dev/null 2>&1); then
        apt-get update -qq || fail "cannot read the package lists to fetch a kernel: run as root: apt-get update"
        package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
        (cd $work/package && apt-get download -qq "$package") || fail "cannot download the package $package"
    fi
    dpkg-deb -x $work/package/*.deb $work/package
    version=${package#linux-image-}
    unpack_kernel "$work/package/boot/vmlinuz-$version" $work/part/vmlinux
    copy_modules $work/package $work/part
    echo "$package: $modules" >$work/part/made-of
    mv $work/part $kernel
    rm -rf $work/package
}

fetch_kernel || fail "cannot make a kernel for the virtual machine"
[ "${1:-}" != fetch ] || exit 0

# --- the machine's files -------------------------------------------------------------------------------------------

root=$work/root
rm -rf $root
mkdir -p $root/{bin,sbin,tmp,etc}
cp -r $kernel/lib $root/

copy() { # copy PROGRAM: with its libraries, without its symbols
    strip -s -o "$root/bin/$(basename "$1")" "$1"
    # A static program has none.
    (ldd "$1" 2>/dev/null || true) | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^\t\(\/[^ ]*\) (.*/\1/p' >>$work/libraries
}
: >$work/libraries
for program in swarmd swarmctl container-init; do
    [ -x "$programs/$program" ] || fail "$programs/$program is not there: swift build"
    copy "$programs/$program"
done
copy "$(command -v curl)"
copy "$(readlink -f "$(command -v modprobe)")"
sort -u $work/libraries | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cp "$(command -v busybox)" $root/bin/busybox
for applet in $(busybox --list | grep -vx busybox); do
    [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
done
# The kernel calls it. Not busybox's, which does not wait for a module that another one is loading.
ln -s ../bin/kmod $root/sbin/modprobe
echo 'root:x:0:0:root:/:/bin/sh' >$root/etc/passwd

# The one image: busybox again.
image=$work/image
rm -rf $image
mkdir -p $image/{bin,etc,tmp}
cp -a $root/bin/busybox $image/bin/
find $root/bin -type l -exec cp -P {} $image/bin/ \;
cp $root/etc/passwd $image/etc/
tar -C $image --owner 0 --group 0 -cf $root/image.tar .

cp Tests/cgroup2/{checks.sh,stack.yml} $root/
install -m 755 Tests/cgroup2/init $root/init
(cd $root && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0) >$work/initramfs
rm -rf $root $image

# --- the run -------------------------------------------------------------------------------------------------------

timeout "$timeout_seconds" qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -monitor none \
    -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -serial stdio -serial "file:$work/swarmd.log" \
    -kernel $kernel/vmlinux -initrd $work/initramfs -append "console=ttyS0 quiet loglevel=1 panic=-1" \
    </dev/null 2>$work/qemu.log | sed -u 's/\r//g' | tee $work/console |
    { grep --line-buffered -E '^(ok |not ok |# )' || true; }
status=${PIPESTATUS[0]}
rm -f $work/initramfs
passed=$(grep -c '^ok ' $work/console || true)
failed=$(grep -c '^not ok ' $work/console || true)
if ! grep -q '^the checks have ended$' $work/console; then
    failed=$((failed + 1))
    case $status in
    0) echo "not ok the checks run to their end: the virtual machine stopped before" ;;
    124) echo "not ok the checks run to their end: not in $timeout_seconds s (CGROUP2_TIMEOUT_SECONDS)" ;;
    *) echo "not ok the virtual machine runs: QEMU ended with $status: $(tail -n 3 $work/qemu.log)" ;;
    esac
fi
if [ "$failed" != 0 ]; then
    for file in console swarmd.log; do # the latter with the kernel's last words
        echo "--- the end of $work/$file"
        tail -n 40 "$work/$file"
    done
fi
echo "cgroup v2: $passed passed, $failed failed"
[ "$failed" = 0 ]
