#!/usr/bin/env bash
# Makes the release files from a built executable: a tarball and, where dpkg-deb is, a Debian package.
#
# usage: dist.sh EXECUTABLE DIRECTORY
#
# The same executable and commit give the same bytes: names are sorted, owners are root, times are the commit's.
set -euo pipefail
if [ $# -ne 2 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
executable="$(realpath "$1")"
mkdir -p "$2"
out="$(realpath "$2")"
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
version="$("$executable" --version | cut -d ' ' -f 2)"
machine="$(uname -m)"
SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Everything that both have in common, where a system has it, below the directory $1.
lay() {
    local usr="$1"
    install -D --mode=755 --strip "$executable" "$usr/bin/grantbook"
    mkdir -p "$usr/share/man/man1"
    "$executable" man "$usr/share/man/man1"
    gzip --best --no-name "$usr"/share/man/man1/*
    mkdir -p "$usr/share/bash-completion/completions" "$usr/share/zsh/site-functions" "$usr/share/fish/vendor_completions.d"
    "$executable" completions bash >"$usr/share/bash-completion/completions/grantbook"
    "$executable" completions zsh >"$usr/share/zsh/site-functions/_grantbook"
    "$executable" completions fish >"$usr/share/fish/vendor_completions.d/grantbook.fish"
    install -D --mode=644 "$here/grantbook.service" "$usr/lib/systemd/system/grantbook.service"
    install -D --mode=644 "$root/LICENSE" "$usr/share/doc/grantbook/copyright"
    python3 "$here/licences.py" >"$usr/share/doc/grantbook/LICENCES-OF-DEPENDENCIES.txt"
    install --mode=644 "$root/README.md" "$root/CHANGELOG.md" "$root/docs/deploying.md" "$usr/share/doc/grantbook/"
}

tarball() {
    local name="grantbook-$version-$machine-linux"
    cp -R "$work/usr" "$work/$name"
    tar --create --directory "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
        "$name" | gzip --best --no-name >"$out/$name.tar.gz"
    echo "$out/$name.tar.gz"
}

debian() {
    local architecture package="$work/package" libc
    architecture="$(dpkg --print-architecture)"
    # The newest symbol version of the C library that the executable asks for.
    libc="$(objdump -T "$executable" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1 | cut -d _ -f 2)"
    mkdir -p "$package/DEBIAN"
    cp -R "$work/usr" "$package/usr"
    install -D --mode=644 /dev/stdin "$package/etc/grantbook/grantbook.env" <<'ENV'
# Settings of the service, one NAME=VALUE a line; see grantbook serve --help.
#GRANTBOOK_LISTEN=127.0.0.1:7878
ENV
    echo /etc/grantbook/grantbook.env >"$package/DEBIAN/conffiles"
    cp "$here"/debian/* "$package/DEBIAN/"
    cat >"$package/DEBIAN/control" <<CONTROL
Package: grantbook
Version: $version
Architecture: $architecture
Maintainer: The Grantbook developers <maintainers@grantbook.invalid>
Installed-Size: $(du -sk "$package/usr" | cut -f 1)
Depends: libc6 (>= $libc), libgcc-s1
Recommends: ca-certificates
Section: admin
Priority: optional
Homepage: https://github.com/grantbook/grantbook
Description: control plane for access, with a memory
 People and service tokens, permission groups, and grants on projects. Every
 change is an event in an append-only journal, and every answer about access
 can name who granted it, when, and why.
CONTROL
    find "$package" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group --build "$package" "$out" >/dev/null
    echo "$out/grantbook_${version}_$architecture.deb"
}

umask 022
lay "$work/usr"
tarball
if command -v dpkg-deb >/dev/null; then
    debian
else
    echo "no dpkg-deb here: no Debian package was made" >&2
fi
