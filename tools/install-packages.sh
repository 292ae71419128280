#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the named sets need from Debian's packages; already installed ones cost one dpkg query.
# Usage: tools/install-packages.sh run|test|bench [...]      (as root, or with sudo on the PATH)
# No service is started or left enabled: a temporary policy-rc.d forbids starting while packages configure themselves, and
# what a package enabled for the next boot is disabled again. What was there before is left as it was.
# DEBIAN_PHP=8.5 takes the packages of another PHP than the release's own. PHP_CONFIG, or a php-config that is not Debian's, with
# a libphp beside it (a php:8.x-cli image) stands for the PHP packages of `run`.
set -eu

. /etc/os-release
case ${VERSION_CODENAME:-} in
    trixie) php=8.4 clang=19 go=1.24 ;;
    *) php=8.2 clang=14 go=1.19 ;;
esac
php=${DEBIAN_PHP:-$php}
case $php in
    8.[1-4]) opcache=php$php-opcache ;;
    *) opcache= ;; # part of PHP itself
esac

own_php() { # a PHP that no package of ours has to bring
    config=$(command -v "${PHP_CONFIG:-php-config}") || return 1
    prefix=$("$config" --prefix) && [ "$prefix" != /usr ] && ls "$prefix"/lib*/libphp*.so >/dev/null 2>&1
}

run_set="gcc libc6-dev meson ninja-build pkg-config libjansson-dev"
own_php || run_set="$run_set libphp$php-embed php$php-dev $opcache"
test_set="clang libclang-rt-$clang-dev llvm-$clang clang-format libcmocka-dev python3-pytest python3-requests python3-pil git curl
php$php-cli php$php-fpm nginx-light php$php-mysql php$php-xml php$php-mbstring php$php-intl php$php-gd php$php-curl php$php-zip
mariadb-server wordpress wordpress-theme-twentytwentythree dokuwiki phpmyadmin
php-symfony-framework-bundle php-symfony-twig-bundle php-symfony-yaml php-symfony-dotenv brotli zstd iproute2 procps
caddy golang-$go-go runsc user-mode-linux php$php-apcu prometheus chromium busybox-static"
bench_set="php$php-cli php$php-fpm php$php-mysql nginx-light apache2 libapache2-mod-php$php wrk python3 python3-requests
mariadb-server wordpress wordpress-theme-twentytwentythree"

[ $# -gt 0 ] || { echo "usage: install-packages.sh run|test|bench [...]" >&2; exit 2; }
packages=""
for set_name in "$@"; do
    case $set_name in
        run) packages="$packages $run_set" ;;
        test) packages="$packages $test_set" ;;
        bench) packages="$packages $bench_set" ;;
        *) echo "install-packages.sh: no set is called '$set_name' (run, test or bench)" >&2; exit 2 ;;
    esac
done

command -v dpkg-query >/dev/null || {
    echo "install-packages.sh: this system has no dpkg; install by hand:" $packages >&2
    exit 1
}
missing=""
for package in $packages; do
    case " $missing " in *" $package "*) continue ;; esac
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "These packages are missing and neither root nor sudo is at hand:$missing" >&2; exit 1; }
    sudo=sudo
fi
case ${ID:-}:${VERSION_CODENAME:-} in
    debian:bookworm | debian:trixie) ;;
    *) echo "This is ${PRETTY_NAME:-not Debian}: package names are Debian 12's and 13's and may differ." >&2 ;;
esac

# ---- No service starts while packages configure themselves, none is enabled afterwards ----

policy=/usr/sbin/policy-rc.d
kept=$policy.plimsoll-kept
before=$(mktemp -d)

# The links by which a service starts at boot, for systemd and for SysV init.
boot_links() {
    {
        find /etc/systemd/system -path '*.wants/*.service' -o -path '*.wants/*.socket' 2>/dev/null || true
        find /etc -maxdepth 2 -path '/etc/rc[2345].d/S*' 2>/dev/null || true
    } | sort
}

# Undoes what appeared since; without systemd's or init's tools (or without their running) the links themselves go.
disable_new() {
    boot_links >"$before/links.now"
    comm -13 "$before/links" "$before/links.now" | while read -r link; do
        [ -L "$link" ] || continue
        name=${link##*/}
        case $link in
            /etc/systemd/*)
                $sudo deb-systemd-helper disable "$name" >/dev/null 2>&1 ||
                    $sudo systemctl disable "$name" >/dev/null 2>&1 || true
                [ ! -L "$link" ] || $sudo rm -f "$link" ;;
            *)
                service=$(echo "$name" | sed 's/^S[0-9]*//')
                $sudo update-rc.d "$service" disable >/dev/null 2>&1 || true
                [ ! -L "$link" ] || $sudo rm -f "$link" ;;
        esac
        echo "not enabled: $name"
    done
}

tidy() {
    trap '' INT TERM HUP
    disable_new
    $sudo rm -f "$policy"
    [ ! -e "$kept" ] || $sudo mv "$kept" "$policy"
    rm -rf "$before"
}

boot_links >"$before/links"
# A kept file is the system's own, left by a run that was killed: it counts, not what we put in its place.
if [ -e "$policy" ] && [ ! -e "$kept" ]; then
    $sudo mv "$policy" "$kept"
fi
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
$sudo chmod 755 "$policy"

echo "Installing:$missing"
apt() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}
apt update
# phpMyAdmin would look for a database server to put its own tables in; its tests bring theirs.
case " $missing " in
    *" phpmyadmin "*) echo "phpmyadmin phpmyadmin/dbconfig-install boolean false" | $sudo debconf-set-selections ;;
esac
apt install -y --no-install-recommends $missing
