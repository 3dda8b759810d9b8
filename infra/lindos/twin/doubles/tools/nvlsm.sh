#!/bin/sh
# Lindos twin double of nvlsm: there to be found by the double of nv-fabricmanager, which never starts it.
echo "Lindos twin double of nvlsm"
