#!/bin/sh
# Installs what the tests need from the system: software OpenGL without a screen and what Qt links, for the views; a
# browser, for the page; and dciodvfy, which judges DICOM reports.
# Does nothing where it is all there. Debian and Ubuntu; elsewhere it tells what is missing.
set -eu
PATH="$PATH:/sbin:/usr/sbin"

LIBRARIES="libEGL.so.1 libGL.so.1 libxkbcommon.so.0 libfontconfig.so.1 libglib-2.0.so.0 libdbus-1.so.3"
PROGRAMS="chromium dciodvfy"
PACKAGES="libegl1 libgl1 libgl1-mesa-dri libxkbcommon0 libfontconfig1 libglib2.0-0 libdbus-1-3 fonts-dejavu-core \
  chromium dicom3tools"

missing=""
[ "$(uname -s)" = Linux ] || exit 0
for library in $LIBRARIES; do
  ldconfig -p | grep -q "$library" || missing="$missing $library"
done
for program in $PROGRAMS; do
  command -v "$program" >/dev/null || missing="$missing $program"
done
# the driver that draws in software; without it the tests would end in a crash
ls /usr/lib/*/dri/swrast_dri.so /usr/lib/*/libgallium-*.so /usr/lib64/dri/swrast_dri.so >/dev/null 2>&1 || \
  ls /usr/lib/*/dri 2>/dev/null | grep -q . || missing="$missing Mesa's software driver"
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null; then
  if [ "$(id -u)" = 0 ]; then run=""; else run="sudo -n"; fi
  echo "Installing$missing for the tests ..."
  $run apt-get update -qq && $run apt-get install -y -qq --no-install-recommends $PACKAGES && exit 0
fi
echo "The tests need these libraries and programs, which could not be installed:$missing." >&2
echo "Install them (Debian, Ubuntu: sudo apt install $PACKAGES) and run again." >&2
exit 1
