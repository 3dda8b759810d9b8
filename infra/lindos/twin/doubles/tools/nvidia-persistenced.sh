#!/bin/sh
# Lindos twin double of nvidia-persistenced: stays, and does nothing.
echo $$ >/run/nvidia-persistenced/nvidia-persistenced.pid
echo "Lindos twin double of nvidia-persistenced"
exec sleep infinity
