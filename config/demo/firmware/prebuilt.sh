#!/bin/sh
# For whoever has no compiler: build/APP1.bin is the checked-in image with the version of version.h written into it.
set -eu
export LC_ALL=C # the image is bytes, not text
cd "$(dirname "$0")"

old=$(tr -c ' -~' '\n' < prebuilt/APP1.bin | grep '^demo [0-9]')
new=$(sed -n 's/^#define VERSION "\(.*\)"$/\1/p' version.h)
case $new in
*[!A-Za-z0-9\ ._-]*)
  echo "version.h: without a compiler the version can only have letters, digits, spaces and . _ - in it: $new" >&2
  exit 1
  ;;
esac
if [ ${#new} -ne ${#old} ]; then
  echo "version.h: without a compiler the version must be as long as '$old': $new" >&2
  exit 1
fi
mkdir -p build
sed "s/$old/$new/" prebuilt/APP1.bin > build/APP1.bin
