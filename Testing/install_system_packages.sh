#!/bin/sh
# Installs what the tests need from the system: software OpenGL without a screen and what Qt links, for the views; a
# browser, for the page; and dciodvfy, which judges DICOM reports.
# Does nothing where it is all there. On Debian and Ubuntu it asks before it installs anything, and does not ask where CI
# is set; elsewhere, and where nobody can answer, it tells what is missing.
set -eu
PATH="$PATH:/sbin:/usr/sbin"

LIBRARIES="libEGL.so.1 libGL.so.1 libxkbcommon.so.0 libfontconfig.so.1 libglib-2.0.so.0 libdbus-1.so.3"
VIEWS="libegl1 libgl1 libgl1-mesa-dri libxkbcommon0 libfontconfig1 libglib2.0-0 libdbus-1-3 fonts-dejavu-core"

missing=""
packages=""
[ "$(uname -s)" = Linux ] || exit 0
for library in $LIBRARIES; do
  ldconfig -p | grep -q "$library" || missing="$missing $library"
done
# the driver that draws in software; without it the tests would end in a crash
ls /usr/lib/*/dri/swrast_dri.so /usr/lib/*/libgallium-*.so /usr/lib64/dri/swrast_dri.so >/dev/null 2>&1 || \
  ls /usr/lib/*/dri 2>/dev/null | grep -q . || missing="$missing Mesa's software driver"
# only what is missing is installed: not every system has each of them among its packages (Ubuntu has Chromium as a snap)
[ -z "$missing" ] || packages=" $VIEWS"
command -v chromium >/dev/null || command -v google-chrome >/dev/null || { missing="$missing chromium"; packages="$packages chromium"; }
command -v dciodvfy >/dev/null || { missing="$missing dciodvfy"; packages="$packages dicom3tools"; }
[ -n "$missing" ] || exit 0

# Whether the packages may be installed: yes in continuous integration, else what the user answers.
allowed() {
  [ -z "${CI:-}" ] || return 0
  [ -t 0 ] || return 1
  echo "The tests need$missing. To install from Debian's or Ubuntu's packages:"
  echo " $packages"
  printf "Install them now? [y/N] "
  read -r answer
  case "$answer" in [yY]*) return 0 ;; *) return 1 ;; esac
}

if command -v apt-get >/dev/null && allowed; then
  if [ "$(id -u)" = 0 ]; then run=""; elif [ -t 0 ]; then run="sudo"; else run="sudo -n"; fi
  echo "Installing$missing for the tests ..."
  $run apt-get update -qq && $run apt-get install -y -qq --no-install-recommends $packages && exit 0
fi
echo "The tests need these libraries and programs, which were not installed:$missing." >&2
echo "Install them (Debian, Ubuntu: sudo apt install$packages) and run again." >&2
exit 1
