#!/bin/sh
# Installs a package while dpkg is killed as it configures it. Ends with 0 where the installation was cut short.
cd "$(mktemp -d)" || exit
mkdir -p cut/DEBIAN
cat >cut/DEBIAN/control <<'END'
Package: halo-cut
Version: 1
Architecture: all
Maintainer: Halo <nobody@localhost>
Description: Shows that an installation that was interrupted is finished
END
cat >cut/DEBIAN/postinst <<'END'
#!/bin/sh
[ -e /run/halo-cut ] || { touch /run/halo-cut; kill -KILL $PPID; }
END
chmod 0755 cut/DEBIAN/postinst
dpkg-deb --build cut >/dev/null
! dpkg --install cut.deb 2>&1
