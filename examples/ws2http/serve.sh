#!/bin/sh
# Runs a room, or the bridge in front of it, with what only these two know: serve.sh FILE php|cgi|bridge …
#
# FILE sets BRIDGE_PORT, ROOM_PORT and WS2HTTP_TOKEN.  A list of processes shows nothing of them but the ports.  The bridge
# takes the path of the room behind its ROOM_PORT, and the command that it is, with the server's two addresses.
set -eu
file=$1 part=$2
shift 2
. "$file"
folder=$(cd "$(dirname "$0")" && pwd)
export WS2HTTP_TOKEN WS2HTTP_URL="http://127.0.0.1:$BRIDGE_PORT/" ROOM_FOLDER="$PWD/$file.room"
mkdir -p "$ROOM_FOLDER"

case $part in
  php)
    exec php -q -S "127.0.0.1:$ROOM_PORT" "$folder/php/event.php"
    ;;
  cgi)
    chmod +x "$folder/cgi/cgi-bin/room"
    # Without a file of its own it would take the system's.
    exec busybox httpd -f -p "127.0.0.1:$ROOM_PORT" -c /dev/null -h "$folder/cgi"
    ;;
  bridge)
    path=$1
    shift
    exec "$@" --listen "127.0.0.1:$BRIDGE_PORT" --route / "http://127.0.0.1:$ROOM_PORT$path"
    ;;
esac
